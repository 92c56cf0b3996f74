"""Workers come, go and change, and what they are owed goes with them."""

from iamine.ids import JobId, ModelId, WorkerId
from iamine.wire.messages import CompletionWork, ModelOffer
from pool.routing.choose import NS
from pool.routing.fleet import Fleet
from pool.routing.prefix import marks

M, W, J = ModelId("m"), WorkerId("w"), JobId("j")


def offer(file: str = "f", *, model: ModelId = M, rate: float = 10.0) -> ModelOffer:
    return ModelOffer(
        model=model, file_sha256=file, slots=2, context_tokens=99, vocabulary_tokens=9, decode_tps=rate, prefill_tps=rate
    )


def deficit_s(fleet: Fleet, worker: WorkerId = W, file: str = "f") -> float:
    index = fleet.index(M)
    assert index is not None
    return index.places[worker, file].deficit_ns / NS


def test_a_deficit_is_there_again_when_its_worker_is() -> None:
    fleet = Fleet()
    fleet.join(W, (offer(),), 0.0)
    fleet.restore(W, {"f": 7 * NS, "never": 9 * NS})
    assert deficit_s(fleet) == 7.0
    fleet.restore(W, {"f": 7 * NS})
    assert deficit_s(fleet) == 7.0, "once"
    fleet.restore(WorkerId("gone"), {"f": 7 * NS})
    (owed,) = fleet.owed()
    assert (owed.worker, owed.file_sha256, owed.deficit_s) == (W, "f", 7.0)
    fleet.leave(W)
    fleet.join(W, (offer(),), 0.0)
    assert deficit_s(fleet) == 7.0
    fleet.restore(W, {"f": 100 * NS})
    assert deficit_s(fleet) == 7.0, "what is remembered here is newer"


def test_new_speeds_change_the_place_and_not_what_is_owed() -> None:
    fleet = Fleet()
    state = fleet.join(W, (offer(), offer("g")), 0.0)
    fleet.restore(W, {"f": 7 * NS})
    fleet.offer(state, (offer(rate=80.0), offer("g", model=ModelId("n"))))
    assert deficit_s(fleet) == 7.0
    assert [one.decode_tps for _, one in fleet.offering(M)] == [80.0]
    assert [one.file_sha256 for _, one in fleet.offering(ModelId("n"))] == ["g"]
    assert [file for file, _ in fleet.indexes(state)] == ["f", "g"]


def test_whoever_joins_starts_at_the_mean_of_those_who_are_here() -> None:
    fleet = Fleet()
    for name in ("a", "b"):
        fleet.join(WorkerId(name), (offer(),), 0.0)
        fleet.restore(WorkerId(name), {"f": 100 * NS})
    fleet.age(1.0)
    fleet.join(W, (offer(),), 0.0)
    assert deficit_s(fleet) == 100.0
    fleet.age(0.5)
    assert deficit_s(fleet) == deficit_s(fleet, WorkerId("a")) == 0.0, "only what lies above or below the mean is a deficit"


def test_a_prompt_is_a_backlog_until_the_first_token() -> None:
    fleet = Fleet()
    state = fleet.join(W, (offer(),), 0.0)
    fleet.assign(W, J, "f", 1.0, 500)
    fleet.assign(W, JobId("k"), "f", 1.0)
    assert (state.backlog("f"), state.holds("f")) == (500, 2)
    assert fleet.read(W, J) and not fleet.read(W, J)
    assert state.backlog("f") == 0
    assert fleet.release(W, J)
    assert not fleet.release(WorkerId("gone"), J)


def test_what_a_worker_had_read_goes_with_it() -> None:
    fleet, read = Fleet(), marks(CompletionWork(prompt="x" * 300))
    fleet.join(W, (offer(),), 0.0)
    fleet.prefixes.remember((W, "f"), read)
    assert fleet.prefixes.cached(read)
    fleet.leave(W)
    assert not fleet.prefixes.cached(read) and fleet.index(M) is None and fleet.leave(W) is None


def test_a_worker_is_in_the_index_while_it_takes_work() -> None:
    fleet = Fleet()
    state = fleet.join(W, (offer(),), 0.0)
    index = fleet.index(M)
    assert index is not None
    for ready, draining in ((False, False), (True, True), (True, True), (True, False)):
        state.ready, state.draining = ready, draining
        assert (state.ready, state.draining, state.usable) == (ready, draining, ready and not draining)
        assert index.free == state.usable
