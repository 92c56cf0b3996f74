"""What a shared models folder gives to whom: files by their hash, whole or in part, and nothing else."""

import threading
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.agent.sharing import ModelServer, Span, shared, span

SHA = "ab" * 32
CONTENT = bytes(range(256)) * 40


@given(st.text(max_size=30), st.integers(1, 10**6))
def test_no_header_asks_for_more_than_there_is(asked: str, size: int) -> None:
    part = span(asked, size)
    assert part is None or (part.start >= 0 and part.length > 0 and part.start + part.length <= size)


@pytest.mark.parametrize(
    ("asked", "start", "length", "whole"),
    [
        ("", 0, 100, True),
        ("bytes=0-", 0, 100, False),
        ("bytes=40-", 40, 60, False),
        ("bytes=40-49", 40, 10, False),
        ("bytes=40-4000", 40, 60, False),
        ("bytes=50-40", 0, 100, True),
        ("bytes=-5", 0, 100, True),
        ("bytes=1-2,4-5", 0, 100, True),
        ("items=3-", 0, 100, True),
    ],
)
def test_ranges(asked: str, start: int, length: int, whole: bool) -> None:
    assert span(asked, 100) == Span(start=start, length=length, whole=whole)


def test_a_range_beyond_the_end_is_none() -> None:
    assert span("bytes=100-", 100) is None


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A models folder with a fetched model, an unfinished one, a person's own file, and ways out."""
    models = tmp_path / "models"
    (models / SHA).mkdir(parents=True)
    (models / SHA / "model.gguf").write_bytes(CONTENT)
    (models / SHA / "other.gguf.part").write_bytes(CONTENT)
    (models / "own.gguf").write_bytes(CONTENT)
    (tmp_path / "worker.key").write_text("secret")
    (models / SHA / "link.gguf").symlink_to(tmp_path / "worker.key")
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "x.gguf").write_text("secret")
    (models / ("cd" * 32)).symlink_to(tmp_path / "elsewhere")
    return models


@pytest.fixture
def told() -> list[str]:
    return []


@pytest.fixture
def server(folder: Path, told: list[str]) -> Iterator[httpx.Client]:
    running = ModelServer(("127.0.0.1", 0), folder, told.append)
    thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{running.server_address[1]}") as http:
            yield http
    finally:
        running.shutdown()
        running.server_close()
        thread.join()


def test_a_file_is_given_whole_and_in_part_and_it_is_told_once(server: httpx.Client, told: list[str]) -> None:
    path = f"/{SHA}/model.gguf"
    whole = server.get(path)
    assert (whole.status_code, whole.content) == (200, CONTENT)
    rest = server.get(path, headers={"Range": "bytes=1000-"})
    assert (rest.status_code, rest.content) == (206, CONTENT[1000:])
    assert rest.headers["content-range"] == f"bytes 1000-{len(CONTENT) - 1}/{len(CONTENT)}"
    beyond = server.get(path, headers={"Range": f"bytes={len(CONTENT)}-"})
    assert (beyond.status_code, beyond.headers["content-range"]) == (416, f"bytes */{len(CONTENT)}")
    head = server.head(path)
    assert (head.status_code, head.headers["content-length"], head.content) == (200, str(len(CONTENT)), b"")
    assert told == ["127.0.0.1 takes model.gguf"]


@pytest.mark.parametrize(
    "path",
    [
        "/",
        f"/{SHA}",
        f"/{SHA}/",
        f"/{SHA}/absent.gguf",
        f"/{SHA}/other.gguf.part",
        f"/{SHA}/link.gguf",
        "/" + "cd" * 32 + "/x.gguf",
        "/own.gguf",
        "/models/own.gguf",
        f"/{SHA}/..%2f..%2fworker.key",
        f"/{SHA}/../../worker.key",
        f"/{SHA.upper()}/model.gguf",
        f"/{SHA}/.hidden.gguf",
    ],
)
def test_nothing_else_is_given(server: httpx.Client, path: str) -> None:
    reply = server.get(httpx.URL(server.base_url, raw_path=path.encode()))
    assert reply.status_code == 404
    assert "secret" not in reply.text


def test_nothing_can_be_written(server: httpx.Client) -> None:
    assert server.put(f"/{SHA}/model.gguf", content=b"x").status_code == 501
    assert server.delete(f"/{SHA}/model.gguf").status_code == 501


def test_what_is_shared_is_what_was_fetched(folder: Path) -> None:
    assert shared(folder) == {f"{SHA}/model.gguf": len(CONTENT)}
