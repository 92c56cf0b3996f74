"""The worlds in which the pool is tried, and what must be true of each."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import replace

from volunteer import NO_FAULTS, Faults
from world import TICK_S, simulate

STORM = Faults()
SLOW = replace(NO_FAULTS, crawl=0.3, hang=0.1, deaf=1.0, refuse=0.03)
OWNERS = replace(NO_FAULTS, rests_per_s=0.6, leaves_per_s=0.4, long_prompt=0.5)
DYING = replace(NO_FAULTS, kills_per_s=2.0)
BREAKING = replace(NO_FAULTS, breaks=0.7)
READING = replace(NO_FAULTS, long_prompt=0.5)
RARE = 10  # the special worlds come with every tenth seed


def storm(seed: int) -> Counter[str]:
    """Everything goes wrong: an answer may be refused, never be wrong."""
    return simulate(seed, STORM, settling=seed % RARE == 0)


def slow(seed: int) -> Counter[str]:
    """Workers that crawl and do not hear that their job moved: ignored, not punished. With two, it comes back to each."""
    seen = simulate(seed, SLOW, workers=2)
    assert seen["breaches"] == 0, f"seed {seed}: a zombie was taken for a criminal"
    return seen


def owners(seed: int) -> Counter[str]:
    """Owners come and go as they please, and nothing else happens: every client gets a whole answer."""
    seen = simulate(seed, OWNERS, impatient=0.0)
    assert seen["complete"] + seen["left"] == 20, f"seed {seed}: an answer was lost to a machine's owner: {dict(seen)}"
    assert seen["breaches"] == seen["evictions"] == 0, f"seed {seed}: {dict(seen)}"
    return seen


def dying(seed: int) -> Counter[str]:
    """Machines die in the middle of long answers, again and again: as long as an answer gets on, it is not given up."""
    seen = simulate(seed, DYING, clients=2, jobs=3, tokens=1000, impatient=0.0)
    assert seen["answer_lost"] == 0, f"seed {seed}: given up in spite of progress: {dict(seen)}"
    return seen


def breaking(seed: int) -> Counter[str]:
    """Engines die in the middle of long answers: the same."""
    seen = simulate(seed, BREAKING, tokens=200, impatient=0.0)
    assert seen["complete"] + seen["left"] == 20, f"seed {seed}: given up in spite of progress: {dict(seen)}"
    return seen


def calm(seed: int) -> Counter[str]:
    """Nothing goes wrong, though prompts are long and answers too: nothing moves."""
    seen = simulate(seed, READING, tokens=400, impatient=0.0, leaving=0.0)
    assert seen["complete"] == 20, f"seed {seed}: {dict(seen)}"
    assert seen["redispatched"] == seen["evictions"] == seen["zombies"] == 0, f"seed {seed}: a false alarm: {dict(seen)}"
    return seen


def deserted(seed: int) -> Counter[str]:
    """Nobody is there: every client is told so right after its deadline."""
    seen = simulate(seed, NO_FAULTS, workers=0, impatient=1.0)
    assert seen["deadline_exceeded"] == 20, f"seed {seed}: {dict(seen)}"
    assert seen["longest wait past a deadline, in ms"] <= 1000 * (TICK_S + 0.1), f"seed {seed}: {dict(seen)}"
    return seen


SPECIAL = (slow, owners, dying, breaking, calm, deserted)


def run(seeds: Iterable[int], *, rare: int = RARE) -> Counter[str]:
    """Every seed's worlds, the special ones with each `rare`th; raises AssertionError with the seed that breaks a promise."""
    seen: Counter[str] = Counter()
    for seed in seeds:
        seen += storm(seed)
        if seed % rare == 0:
            for world in SPECIAL:
                seen += Counter({f"{name} ({world.__name__})": count for name, count in world(seed).items()})
    return seen


def check_totals(seen: Counter[str]) -> None:
    """Over many seeds: faults were met, and answers were rarely refused."""
    assert seen["moved"] > seen["complete"] / 20, f"too few answers had more than one worker for this to prove anything: {seen}"
    assert seen["zombies"] > seen["complete"] / 2, f"too few zombies: {seen}"
    assert seen["complete"] > 40 * seen["answer_lost"], f"too many answers were lost: {seen}"
