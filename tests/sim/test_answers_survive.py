"""200 seeded worlds: whatever happens to workers, every client sees token index rise by one, and every slot comes back."""

from collections import Counter

from world import Faults, simulate

from iamine.ids import JobId, WorkerId
from pool.routing.board import JobRecord
from pool.routing.scheduler import Scheduler

SEEDS = range(200)


def test_answers_survive_their_workers() -> None:
    seen: Counter[str] = Counter()
    for seed in SEEDS:
        seen += simulate(seed)
    print(dict(seen))
    assert seen["kill"] > 500
    assert seen["moved"] > 200, "too few answers had more than one worker for this to prove anything"
    assert seen["complete"] > 30 * (seen["answer_lost"] + seen["deadline_exceeded"])


def test_a_quiet_world_loses_nothing() -> None:
    calm = Faults(kills_per_s=1e-9, crawl=0, hang=0, lie=0, refuse=0)
    seen = simulate(1, faults=calm, clients=10, jobs=10)
    assert seen["complete"] + seen["left"] == 100


def test_the_same_seed_gives_the_same_world() -> None:
    assert simulate(7) == simulate(7)


class NoEpochCheck(Scheduler):
    """A mutant: frames of an older epoch count."""

    def _current(self, worker: WorkerId, job: JobId, epoch: int, now: float) -> JobRecord | None:
        self._heard(worker, now)
        return self._board.jobs.get(job)


SLOW = Faults(kills_per_s=1e-9, lie=0, hang=0, crawl=0.3, deaf=1.0)


def test_a_slow_worker_that_goes_on_after_its_job_moved_is_ignored_not_punished() -> None:
    seen: Counter[str] = Counter()
    for seed in range(10):
        seen += simulate(seed, faults=SLOW)
    assert seen["zombies"] > 50
    assert seen["breaches"] == 0


def test_without_the_epoch_check_the_same_worlds_go_wrong() -> None:
    wrong = 0
    for seed in range(10):
        try:
            wrong += simulate(seed, faults=SLOW, scheduler=NoEpochCheck())["breaches"]
        except (AssertionError, KeyError):
            wrong += 1
    assert wrong > 0
