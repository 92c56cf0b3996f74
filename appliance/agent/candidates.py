"""Which of the pools that were found on the local network is ours. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from iamine.lan.record import PoolRecord

MOST_NAMED = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Proven:
    """A pool that answered at `base` (ending in its path) and proved the key that it announces."""

    record: PoolRecord
    base: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """The pool to work for; None with the reason why there is none, and what to do."""

    taken: Proven | None = None
    reason: str = ""
    hint: str = ""


def choose(found: Sequence[Proven], wanted: str, where: str) -> Choice:
    """The pool with the `wanted` fingerprint; without one the only pool there is. `where` is the file in which to name one."""
    pools = list({each.record.fingerprint: each for each in found}.values())
    named = "; ".join(line(each) for each in pools[:MOST_NAMED]) + ("; ..." if len(pools) > MOST_NAMED else "")
    if wanted:
        ours = [each for each in pools if each.record.fingerprint == wanted]
        if ours or not pools:
            return Choice(taken=ours[0] if ours else None)
        hint = f"to move to another one, name it in {where}: pool_key = the fingerprint"
        return Choice(reason=f"the pool with the key {wanted} is not here, only {named}", hint=hint)
    if len(pools) > 1:
        hint = f'choose one and write its fingerprint into {where}: pool_key = "{pools[0].record.fingerprint}"'
        return Choice(reason=f"there are {len(pools)} pools on this network: {named}", hint=hint)
    return Choice(taken=pools[0] if pools else None)


def line(pool: Proven) -> str:
    """A pool as it is told to a person."""
    return f"{pool.record.place.name!r} at {pool.base.removesuffix(pool.record.path)}, key {pool.record.fingerprint}"
