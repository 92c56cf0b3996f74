"""Files that cannot be used are told with a hint; what is not asked for is chosen."""

from pathlib import Path

import pytest

from appliance.agent.engine.llama import LogRing
from appliance.agent.engine.loading import MAX_CELLS, CannotLoad, check_file, load
from appliance.agent.engine.protocol import Load

MOTE = Path(__file__).parents[5] / "appliance/agent/data/mote-Q8_0.gguf"
LOGS = LogRing()
LOGS.install()


def bad_file(name: str, folder: Path) -> Path:
    good = MOTE.read_bytes()
    path = folder / f"{name}.gguf"
    content = {"garbage": b"hello world" * 99, "cut": good[:500_000], "header": good[:2000], "empty": b""}
    content["version"] = b"GGUF" + b"\xff" * 999
    if name != "missing":
        path.write_bytes(content[name])
    return path


@pytest.mark.parametrize("name", ["missing", "garbage", "cut", "header", "empty", "version"])
def test_a_bad_file_is_told_with_its_name_and_a_hint(tmp_path: Path, name: str) -> None:
    path = bad_file(name, tmp_path)
    with pytest.raises(CannotLoad) as caught:
        load(Load(path=str(path), file_sha256=""), LOGS)
    assert path.name in caught.value.frame.message
    assert caught.value.frame.hint.endswith(".")


def test_the_reason_is_llama_cpps_own_error(tmp_path: Path) -> None:
    with pytest.raises(CannotLoad, match="not within the file bounds"):
        load(Load(path=str(bad_file("cut", tmp_path)), file_sha256=""), LOGS)


def test_a_folder_is_no_model(tmp_path: Path) -> None:
    with pytest.raises(CannotLoad):
        check_file(tmp_path)


def test_a_context_beyond_any_machine_is_refused_before_memory_is_touched() -> None:
    with pytest.raises(CannotLoad) as caught:
        load(Load(path=str(MOTE), file_sha256="", slots=2, context_tokens=MAX_CELLS), LOGS)
    assert "2 slots" in caught.value.frame.hint


def test_numbers_that_are_not_given_come_from_the_file_and_the_machine() -> None:
    ready = load(Load(path=str(MOTE), file_sha256="", exact=True), LOGS)
    assert (ready.loaded.slots, ready.loaded.context_tokens, ready.loaded.vocabulary_tokens) == (8, 1024, 1024)
    assert ready.context.options.threads >= 1
    assert ready.loaded.decode_tps > 0
    ready.context.close()


def test_the_log_keeps_the_last_errors_in_one_line() -> None:
    ring = LogRing()
    ring._take(2, b"loading  x\n", None)
    ring._take(1, b"...\n", None)
    assert ring.tail() == "loading x"
    ring._take(4, b"it  is broken\n", None)
    ring._take(2, b"bye\n", None)
    assert ring.tail() == "it is broken"
    assert list(ring.lines) == ["loading x", "it is broken", "bye"]
