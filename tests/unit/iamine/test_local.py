"""A pool on this machine: addresses, answers, and the text that `up` prints."""

import json
import shlex
import socket
from pathlib import Path

import pytest

from iamine.local import Address, AddressUnusable, Client, banner, choose_model, curl, free_port, is_answering, read_client

CLIENT = Client(base_url="http://127.0.0.1:8000/v1", api_key="im_a_b")


@pytest.mark.parametrize(
    ("host", "url"),
    [("127.0.0.1", "http://127.0.0.1:1"), ("0.0.0.0", "http://127.0.0.1:1"), ("::", "http://[::1]:1"), ("box", "http://box:1")],
)
def test_the_url_is_one_that_this_machine_can_open(host: str, url: str) -> None:
    assert Address(host=host, port=1).url == url


def test_a_port_in_use_is_told_with_another_port() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(AddressUnusable, match=f"port {port} is in use") as caught:
            Address(host="127.0.0.1", port=port).check_free()
    assert "--port" in caught.value.hint
    assert caught.value.exit_code == 2


@pytest.mark.parametrize("host", ["203.0.113.7", "no such host"])
def test_a_host_that_is_not_here_is_told(host: str) -> None:
    with pytest.raises(AddressUnusable) as caught:
        Address(host=host, port=free_port("127.0.0.1")).check_free()
    assert "--host" in caught.value.hint


def test_a_port_that_is_none_is_told() -> None:
    with pytest.raises(AddressUnusable):
        Address(host="127.0.0.1", port=70_000).check_free()


def test_a_free_port_is_free() -> None:
    Address(host="127.0.0.1", port=free_port("127.0.0.1")).check_free()


def test_nobody_there_is_no_answer() -> None:
    assert not is_answering(f"http://127.0.0.1:{free_port('127.0.0.1')}/readyz")


def test_a_chat_model_is_preferred() -> None:
    models = [{"id": "e", "x_iamine": {"kind": "embedding"}}, {"id": "c", "x_iamine": {"kind": "chat"}}]
    assert choose_model(json.dumps({"data": models}).encode()) == "c"


def test_a_model_without_workers_is_not_offered() -> None:
    assert choose_model(b'{"data": [{"id": "a", "x_iamine": {"workers": 0}}, {"id": "b"}]}') == "b"


@pytest.mark.parametrize("answer", [b'{"data": []}', b"{}", b"<html>", b"[]", b'{"data": [1]}'])
def test_other_answers_are_no_model(answer: bytes) -> None:
    assert choose_model(answer) is None


def test_the_client_file_is_read(tmp_path: Path) -> None:
    (tmp_path / "client.json").write_text(json.dumps({"base_url": CLIENT.base_url, "api_key": CLIENT.api_key}))
    assert read_client(tmp_path) == CLIENT


@pytest.mark.parametrize("content", [None, "{", "{}", "[]"])
def test_a_client_file_that_is_none_is_none(tmp_path: Path, content: str | None) -> None:
    if content is not None:
        (tmp_path / "client.json").write_text(content)
    assert read_client(tmp_path) is None


def test_the_curl_line_is_one_that_a_shell_understands() -> None:
    words = shlex.split(curl(CLIENT, "mote"))
    assert words[:2] == ["curl", "http://127.0.0.1:8000/v1/chat/completions"]
    assert json.loads(words[words.index("-d") + 1])["model"] == "mote"


def test_without_a_model_the_curl_line_lists_models() -> None:
    assert shlex.split(curl(CLIENT, None))[1].endswith("/v1/models")


def test_the_banner_has_both_exports(tmp_path: Path) -> None:
    lines = banner(CLIENT, "mote", tmp_path, 1.0).splitlines()
    assert "export OPENAI_BASE_URL=http://127.0.0.1:8000/v1" in lines
    assert "export OPENAI_API_KEY=im_a_b" in lines
