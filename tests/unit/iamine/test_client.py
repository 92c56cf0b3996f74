"""The client of the pool's API, over a transport in memory."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from iamine.client import Access, Client, ClientError, Delta, End, Note, access, answer, events, with_version

Handler = Callable[[httpx.Request], httpx.Response]


def client(handler: Handler, api_key: str = "sk-1") -> Client:
    return Client(Access(base_url="http://pool:1/v1", api_key=api_key), transport=httpx.MockTransport(handler))


def chunk(text: str = "", **more: object) -> str:
    return json.dumps({"model": "m", "choices": [{"delta": {"content": text}}], **more})


def stream(*data: str) -> Handler:
    body = ": queued at 1\n\n" + "".join(f"data: {each}\n\n" for each in data)
    return lambda request: httpx.Response(200, text=body)


def ask(handler: Handler) -> list[Note | Delta | End]:
    with client(handler) as asking:
        return list(asking.chat([{"role": "user", "content": "hi"}], model="m", max_tokens=3))


def test_events_are_comments_and_data_of_one_or_more_lines() -> None:
    lines = ["data: a", "data:b", "", ":ping", "event: x", "id: 1", "", "data: c", ""]
    assert list(events(lines)) == ["a\nb", Note(text="ping"), "c"]


def test_an_answer_comes_in_pieces_and_ends_with_its_facts() -> None:
    last = {"choices": [{"delta": {}, "finish_reason": "stop"}], "usage": {"total_tokens": 3}, "x_iamine": {"job": "j"}}
    found = ask(stream(chunk("He"), chunk("y"), json.dumps(last), "[DONE]"))
    assert found[:3] == [Note(text="queued at 1"), Delta(text="He"), Delta(text="y")]
    assert found[3] == End(model="m", finish_reason="stop", usage={"total_tokens": 3}, extra={"job": "j"})


def test_reasoning_is_told_apart() -> None:
    data = json.dumps({"choices": [{"delta": {"reasoning_content": "hm"}}]})
    assert next(iter(answer([data, "[DONE]"], "m"))) == Delta(reasoning="hm")


def test_the_request_streams_with_key_and_parameters() -> None:
    seen: list[httpx.Request] = []

    def handler(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return stream("[DONE]")(request)

    ask(handler)
    body = json.loads(seen[0].content)
    assert (str(seen[0].url), seen[0].headers["authorization"]) == ("http://pool:1/v1/chat/completions", "Bearer sk-1")
    assert (body["stream"], body["max_tokens"], body["model"]) == (True, 3, "m")


@pytest.mark.parametrize("data", ['{"error": {"message": "no worker"}}', '{"error": "no worker"}'])
def test_an_error_event_is_an_error(data: str) -> None:
    with pytest.raises(ClientError, match="no worker"):
        ask(stream(chunk("a"), data))


def test_a_stream_without_its_end_is_an_error() -> None:
    with pytest.raises(ClientError, match="before its end"):
        ask(stream(chunk("a")))


@pytest.mark.parametrize(
    ("status", "hint"),
    [(401, "OPENAI_API_KEY"), (402, "credit"), (404, "iamine status"), (429, "7 s"), (503, "7 s"), (500, "operator")],
)
def test_a_refusal_tells_the_pools_words_and_what_to_try(status: int, hint: str) -> None:
    body = {"error": {"message": "so it is", "type": "t"}}

    def handler(request: httpx.Request) -> httpx.Response:
        return httpx.Response(status, json=body, headers={"retry-after": "7"})

    for act in (lambda: ask(handler), lambda: client(handler).status()):
        with pytest.raises(ClientError, match=f"so it is .HTTP {status}.") as caught:
            act()
        assert hint in caught.value.hint


def test_a_refusal_without_json_is_told_too() -> None:
    with pytest.raises(ClientError, match="the pool refused"):
        client(lambda request: httpx.Response(502, text="<html>")).models()


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (httpx.ConnectError("refused"), "cannot reach"),
        (httpx.ReadTimeout("slow"), "in time"),
        (httpx.UnsupportedProtocol("ftp"), "no address"),
        (httpx.RemoteProtocolError("cut"), "broke off"),
    ],
)
def test_the_networks_errors_are_told_in_words(error: Exception, said: str) -> None:
    def handler(request: httpx.Request) -> httpx.Response:
        raise error

    with pytest.raises(ClientError, match=said) as caught:
        client(handler).status()
    assert caught.value.hint


def test_models_are_those_with_a_name() -> None:
    listed = {"data": [{"id": "a", "x_iamine": {"workers": 2}}, {"no": 1}, "x", {"id": "b"}]}
    models = client(lambda request: httpx.Response(200, json=listed)).models()
    assert [(model["id"], model.get("workers")) for model in models] == [("a", 2), ("b", None)]


@pytest.mark.parametrize("text", ["{}", "[]", "nothing"])
def test_what_is_no_pool_is_said_to_be_none(text: str) -> None:
    with pytest.raises(ClientError, match="like a pool"):
        client(lambda request: httpx.Response(200, text=text)).models()


def test_the_pools_clock_is_its_date_header() -> None:
    dated = client(lambda request: httpx.Response(401, headers={"date": "Sun, 22 Nov 2026 16:00:00 GMT"}))
    assert dated.pool_time_s() == 1795363200.0
    assert client(lambda request: httpx.Response(200)).pool_time_s() is None


@pytest.mark.parametrize("said", ["http://h:1", "http://h:1/", "h:1", "http://h:1/v1", " http://h:1/v1/ "])
def test_an_address_may_lack_its_version(said: str) -> None:
    assert with_version(said) == "http://h:1/v1"


def test_option_environment_and_file_are_looked_at_in_this_order(tmp_path: Path) -> None:
    (tmp_path / "client.json").write_text('{"base_url": "http://file:1/v1", "api_key": "sk-file", "more": 1}')
    assert access({}, tmp_path) == Access(base_url="http://file:1/v1", api_key="sk-file")
    environ = {"OPENAI_BASE_URL": "http://env:1/v1", "OPENAI_API_KEY": "sk-env"}
    assert access(environ, tmp_path) == Access(base_url="http://env:1/v1", api_key="sk-env")
    assert access(environ, tmp_path, "said:1") == Access(base_url="http://said:1/v1", api_key="sk-env")


def test_the_files_key_is_never_sent_to_another_pool(tmp_path: Path) -> None:
    (tmp_path / "client.json").write_text('{"base_url": "http://file:1/v1", "api_key": "sk-file"}')
    assert access({}, tmp_path, "http://other:1").api_key == ""
    assert access({}, tmp_path, "http://file:1").api_key == "sk-file"


def test_no_pool_and_a_damaged_file_say_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(ClientError, match="no pool") as caught:
        access({}, tmp_path)
    assert "iamine up" in caught.value.hint
    (tmp_path / "client.json").write_text("{")
    with pytest.raises(ClientError, match="cannot be used"):
        access({}, tmp_path)


def test_nothing_is_read_past_the_end() -> None:
    def endless() -> Iterator[str]:
        yield "[DONE]"
        raise AssertionError("read on")

    assert isinstance(next(answer(endless(), "m")), End)
