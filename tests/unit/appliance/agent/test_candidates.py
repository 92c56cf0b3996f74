"""Which of the pools that were found is taken."""

from appliance.agent.candidates import MOST_NAMED, Proven, choose, line
from iamine.lan.record import Place, PoolRecord


def pool(number: int, *, at: int = 1) -> Proven:
    where = Place(name=f"Pool {number}", addresses=(f"10.0.0.{at}",), port=8000)
    record = PoolRecord(place=where, path="/v1", fingerprint=f"{number:04x}-" * 7 + "0000", version="1")
    return Proven(record=record, base=f"http://10.0.0.{at}:8000/v1")


def test_the_only_pool_is_taken_and_none_is_no_problem() -> None:
    assert choose([pool(1)], "", "worker.toml").taken == pool(1)
    assert choose([], "", "worker.toml") == choose([], "any", "worker.toml")
    assert choose([], "", "worker.toml").reason == ""


def test_one_pool_on_two_networks_is_one() -> None:
    taken = choose([pool(1), pool(1, at=2)], "", "worker.toml").taken
    assert taken is not None
    assert taken.record.fingerprint == pool(1).record.fingerprint


def test_of_several_none_is_taken_and_each_is_named() -> None:
    chosen = choose([pool(1), pool(2)], "", "/data/worker.toml")
    assert chosen.taken is None
    assert "2 pools" in chosen.reason
    assert line(pool(1)) in chosen.reason
    assert line(pool(2)) in chosen.reason
    assert "/data/worker.toml" in chosen.hint
    assert pool(1).record.fingerprint in chosen.hint


def test_a_flood_is_not_named_in_full() -> None:
    reason = choose([pool(number) for number in range(20)], "", "worker.toml").reason
    assert reason.count("http://") == MOST_NAMED
    assert reason.endswith("; ...")


def test_the_wanted_pool_is_taken_among_others_and_no_other_in_its_place() -> None:
    wanted = pool(2).record.fingerprint
    assert choose([pool(1), pool(2), pool(3)], wanted, "worker.toml").taken == pool(2)
    stranger = choose([pool(1)], wanted, "worker.toml")
    assert stranger.taken is None
    assert wanted in stranger.reason
    assert "Pool 1" in stranger.reason
    assert "pool_key" in stranger.hint


def test_a_pool_is_told_by_name_address_and_key() -> None:
    assert line(pool(1)) == f"'Pool 1' at http://10.0.0.1:8000, key {pool(1).record.fingerprint}"
