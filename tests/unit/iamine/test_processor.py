"""The floor under the engine."""

from iamine.processor import FLOOR, missing

CORE_2 = "processor\t: 0\nflags\t\t: fpu cx16 lahf_lm pni ssse3 sse4_1\n"
NEHALEM = f"processor\t: 0\nflags\t\t: fpu {' '.join(FLOOR)}\n"


def test_an_old_processor_lacks_what_numpy_needs() -> None:
    assert missing(CORE_2, "x86_64") == ("popcnt", "sse4_2")


def test_nehalem_and_everything_that_is_not_known_may_try() -> None:
    assert missing(NEHALEM, "x86_64") == ()
    assert missing(CORE_2, "aarch64") == ()
    assert missing("processor : 0\n", "x86_64") == ()
