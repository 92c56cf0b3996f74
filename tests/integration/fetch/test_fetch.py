"""Files come whole or not at all, whatever the servers do."""

import asyncio
import hashlib
import random
from contextlib import suppress
from pathlib import Path

import pytest
from fakes.fileserver import MOODS, STALL_S, serving
from fakes.poolserver import served

from appliance.agent.fetch import Clock, Fetcher, FetchFailed, Folder, Shelf, Source, Stopped, Web, hub, mirror
from appliance.agent.fetch.landing import PART
from appliance.agent.fetch.rate import Rate
from iamine.ids import ModelId
from iamine.manifest import File, Model
from pool.api.settings import Settings

CONTENT = random.Random(1).randbytes(3_000_000)
SHA = hashlib.sha256(CONTENT).hexdigest()


def model(*contents: bytes) -> Model:
    files = [
        File(path=f"folder/part-{number}.gguf", bytes=len(each), sha256=hashlib.sha256(each).hexdigest())
        for number, each in enumerate(contents or (CONTENT,))
    ]
    return Model(
        id=ModelId("m"), name="m", tier="small", license="MIT", parameters=1, context=1, repo="who/m", revision="cd" * 20,
        file=tuple(files),
    )  # fmt: skip


class Told:
    """Collects what was told."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.done: list[int] = []
        self.rate = Rate()

    def begin(self, title: str, total_bytes: int) -> None:
        self.lines.append(title)

    def advance(self, done_bytes: int) -> None:
        self.done.append(done_bytes)

    def end(self) -> None:
        pass

    def say(self, line: str) -> None:
        self.lines.append(line)


def fetcher(folder: Path, *sources: Source, told: Told | None = None) -> Fetcher:
    return Fetcher(
        shelf=Shelf(folder=folder), sources=sources, progress=told or Told(), clock=Clock(sleep=lambda seconds: None)
    )


def place(folder: Path, of: Model | None = None) -> Path:
    return folder / (of or model()).file_sha256 / "part-0.gguf"


def test_a_file_lands_by_its_hash_with_nothing_beside_it(tmp_path: Path) -> None:
    told = Told()
    with serving(CONTENT) as server:
        path = fetcher(tmp_path, mirror(server.address), told=told).fetch(model())
        assert server.asked == [(f"/{SHA}/part-0.gguf", "")]
    assert path == place(tmp_path)
    assert path.read_bytes() == CONTENT
    assert [each.name for each in path.parent.iterdir()] == ["part-0.gguf"]
    assert told.done[-1] == len(CONTENT)


def test_what_is_here_is_not_fetched_again(tmp_path: Path) -> None:
    with serving(CONTENT) as server:
        for _ in range(2):
            fetcher(tmp_path, mirror(server.address)).fetch(model())
        assert len(server.asked) == 1


def test_a_hub_is_asked_by_repository_revision_and_path(tmp_path: Path) -> None:
    with serving(CONTENT) as server:
        fetcher(tmp_path, hub(server.address)).fetch(model())
        assert server.asked[0][0] == f"/who/m/resolve/{'cd' * 20}/folder/part-0.gguf"
    with serving(CONTENT) as server:
        fetcher(tmp_path / "b", hub(server.address + "/x/{revision}?file={path}")).fetch(model())
        assert server.asked[0][0] == f"/x/{'cd' * 20}?file=folder/part-0.gguf"


def test_all_files_of_a_split_model_lie_together(tmp_path: Path) -> None:
    split = model(CONTENT, CONTENT[:-1])
    stick = tmp_path / "stick"
    stick.mkdir()
    (stick / "part-0.gguf").write_bytes(CONTENT)
    (stick / "part-1.gguf").write_bytes(CONTENT[:-1])
    path = fetcher(tmp_path / "shelf", Folder(path=stick)).fetch(split)
    assert sorted(each.name for each in path.parent.iterdir()) == ["part-0.gguf", "part-1.gguf"]


@pytest.mark.parametrize(
    "moods",
    [
        ("drop",), ("drop", "drop", "drop"), ("says too long",), ("503", "429", "500"), ("drop", "no ranges"),
        ("drop", "wrong bytes"), ("drop", "wrong range"), ("drop", "sends too much"), ("says too short",),
        ("says too short", "drop", "503"), ("redirects", "redirects", "drop", "redirects"), ("redirects to nowhere",),
        ("redirects to a disk",), ("ends at no length", "ends at no length"), ("redirects",) * 30,
    ],
    ids=" then ".join,
)  # fmt: skip
def test_a_server_that_fails_is_asked_again_and_the_file_is_right(moods: tuple[str, ...], tmp_path: Path) -> None:
    part = place(tmp_path)
    part.parent.mkdir(parents=True)
    part.with_name(part.name + PART).write_bytes(CONTENT[:100])  # of another day
    with serving(CONTENT, *moods) as server:
        assert fetcher(tmp_path, mirror(server.address)).fetch(model()).read_bytes() == CONTENT
        assert server.asked[0][1] == "bytes=100-"


@pytest.mark.parametrize(
    "moods", [("drop", "changes"), ("drop", "503", "changes", "drop"), ("drop", "wrong range")], ids=" then ".join
)
def test_a_server_whose_file_changes_between_resumptions_gets_another_chance(moods: tuple[str, ...], tmp_path: Path) -> None:
    with serving(CONTENT[::-1] if "changes" in moods else CONTENT, *moods) as server:
        server.later = CONTENT
        works = fetcher(tmp_path, mirror(server.address))
        assert works.fetch(model()).read_bytes() == CONTENT
        assert works.bad == {}


def test_a_server_that_goes_on_with_another_file_is_bad(tmp_path: Path) -> None:
    with serving(CONTENT, "drop", "changes") as server:
        server.later = CONTENT[::-1]
        with pytest.raises(FetchFailed, match="BAD"):
            fetcher(tmp_path, mirror(server.address)).fetch(model())
        assert len(server.asked) == 3
    assert not place(tmp_path).exists()


@pytest.mark.parametrize("seed", range(12))
def test_whatever_a_server_does_the_file_is_right_or_absent_and_there_in_the_end(seed: int, tmp_path: Path) -> None:
    draw = random.Random(seed)
    content = CONTENT[: draw.randrange(1, 600_000)]
    wanted, moods = model(content), draw.choices(MOODS, k=12)
    with serving(content, *moods) as server:
        server.later = content[::-1]
        web = Web(name="wild", address=server.address, stall_s=STALL_S / 20)
        for _ in range(len(moods)):
            with suppress(FetchFailed):
                assert fetcher(tmp_path, web).fetch(wanted).read_bytes() == content
                return
            assert not place(tmp_path, wanted).exists()
            if not server.moods:
                server.content = content
    pytest.fail(f"not fetched after {moods}")


def test_a_server_that_stalls_is_left_for_a_moment(tmp_path: Path) -> None:
    with serving(CONTENT, "stall") as server:
        web = Web(name="slow", address=server.address, stall_s=STALL_S / 20)
        assert fetcher(tmp_path, web).fetch(model()).read_bytes() == CONTENT
        assert server.asked[1][1].startswith("bytes=")


@pytest.mark.parametrize("mood", ["wrong bytes", "sends too much"])
def test_a_bad_file_is_named_and_the_next_source_is_asked(mood: str, tmp_path: Path) -> None:
    told = Told()
    with serving(CONTENT, *[mood] * 9) as bad, serving(CONTENT) as good:
        works = fetcher(tmp_path, mirror(bad.address), mirror(good.address), told=told)
        assert works.fetch(model()).read_bytes() == CONTENT
        assert (len(bad.asked), len(good.asked), good.asked[0][1]) == (1, 1, "")
        assert list(works.bad) == [(bad.address, SHA)]
    assert any(bad.address in line and "serves a bad file" in line for line in told.lines)


def test_the_sources_are_asked_in_order_and_each_failure_is_told(tmp_path: Path) -> None:
    (tmp_path / "stick").mkdir()
    (tmp_path / "stick/part-0.gguf").write_bytes(b"another")
    with serving(CONTENT, "404") as first, serving(CONTENT, *["503"] * 9) as second, serving(CONTENT, "wrong bytes") as third:
        sources = [Folder(path=tmp_path / "stick"), *(mirror(each.address) for each in (first, second, third))]
        with pytest.raises(FetchFailed) as caught:
            fetcher(tmp_path / "shelf", *sources).fetch(model())
    said = [caught.value.message.index(text) for text in ("stick", "404", "503", "BAD")]
    assert said == sorted(said)
    assert "[fetch]" in caught.value.hint
    assert not place(tmp_path / "shelf").exists()


def test_a_folder_with_another_file_of_the_same_size_is_no_source(tmp_path: Path) -> None:
    stick = tmp_path / "stick" / SHA
    stick.mkdir(parents=True)
    (stick / "part-0.gguf").write_bytes(bytes(len(CONTENT)))
    with serving(CONTENT) as server:
        works = fetcher(tmp_path / "shelf", Folder(path=tmp_path / "stick"), mirror(server.address))
        assert works.fetch(model()).read_bytes() == CONTENT
        assert list(works.bad) == [(str(tmp_path / "stick"), SHA)]


def test_a_fetch_that_is_stopped_goes_on_later(tmp_path: Path) -> None:
    told = Told()
    with serving(CONTENT, pause_s=0.001) as server:
        works = fetcher(tmp_path, mirror(server.address), told=told)
        works.clock = Clock(stopped=lambda: bool(told.done))
        with pytest.raises(Stopped):
            works.fetch(model())
        assert fetcher(tmp_path, mirror(server.address)).fetch(model()).read_bytes() == CONTENT
        assert server.asked[1][1] == f"bytes={told.done[-1]}-"


def test_an_unfinished_file_that_is_whole_or_too_long_is_judged_by_its_hash(tmp_path: Path) -> None:
    target = place(tmp_path)
    target.parent.mkdir(parents=True)
    for left, requests in ((CONTENT, 0), (CONTENT + b"x", 1), (bytes(len(CONTENT)), 1)):
        target.unlink(missing_ok=True)
        target.with_name(target.name + PART).write_bytes(left)
        with serving(CONTENT) as server:
            assert fetcher(tmp_path, mirror(server.address)).fetch(model()).read_bytes() == CONTENT
            assert len(server.asked) == requests


def test_two_do_not_fetch_into_one_folder(tmp_path: Path) -> None:
    told = Told()
    with serving(CONTENT) as server:
        outer = fetcher(tmp_path, mirror(server.address), told=told)

        def advance(done_bytes: int) -> None:
            with pytest.raises(FetchFailed, match="another process"):
                fetcher(tmp_path, mirror(server.address)).fetch(model())
            told.done.append(done_bytes)

        told.advance = advance  # type: ignore[method-assign]
        outer.fetch(model())
    assert told.done


async def test_a_pool_sends_its_workers_to_its_file_server_and_one_without_is_passed_over(tmp_path: Path) -> None:
    with serving(CONTENT) as server:
        async with served() as without, served(Settings(files_url=server.address)) as pool:
            sources = [mirror(f"{each.url}/v1/files") for each in (without, pool)]
            path = await asyncio.to_thread(fetcher(tmp_path, *sources).fetch, model())
        assert server.asked == [(f"/{SHA}/part-0.gguf", "")]
    assert path.read_bytes() == CONTENT
