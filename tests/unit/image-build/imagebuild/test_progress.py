"""A compiler's log becomes progress, and memory bounds how many compile at once."""

from imagebuild.progress import HEAVY_BYTES, USUAL_BYTES, Steps, compilers

STEPS = [f"[{n}/40] Building CXX object ggml/src/CMakeFiles/x.dir/file{n}.cpp.o" for n in range(1, 41)]
LOG = ["-- Configuring done", "[0/2] Re-checking globbed directories...", *STEPS[:3], "[3/3] Linking a/step", *STEPS[3:]]


def told(*, terminal: bool) -> list[str]:
    said: list[str] = []
    steps = Steps(said.append, terminal)
    for line in LOG:
        steps(line)
    return said


def test_without_a_terminal_each_tenth_is_a_line() -> None:
    lines = told(terminal=False)
    assert len(lines) == 11 and all(line.endswith("\n") for line in lines)
    assert lines[0] == "    [1/40] 2 % file1.cpp\n" and lines[-1] == "    [40/40] 100 % file40.cpp\n"


def test_on_a_terminal_one_line_moves_and_goes() -> None:
    lines = told(terminal=True)
    assert len(lines) == 40 and all(line.startswith("\r") and "\n" not in line for line in lines)
    assert lines[-1] == "\r\033[K"


def test_one_compiler_per_core_while_the_heavy_file_and_the_usual_ones_fit() -> None:
    assert compilers(8, HEAVY_BYTES + 20 * USUAL_BYTES) == 8
    assert compilers(8, HEAVY_BYTES + 2 * USUAL_BYTES) == 3
    assert compilers(8, HEAVY_BYTES) == 1
    assert compilers(8, 0) == 1
