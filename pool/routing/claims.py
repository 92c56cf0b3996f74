"""The codes by which accounts take workers as their own, and how often an account may guess. Pure.

A code is 8 characters of Crockford's base32 (40 bits), drawn at random for one worker, and counts for a while.
"""

from collections import OrderedDict
from dataclasses import dataclass

from iamine.ids import AccountId, WorkerId
from pool.routing.admission import Bucket

ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"  # Crockford's: no I, L, O, U
CODE_BYTES, CODE_CHARACTERS = 5, 8
READ_AS = str.maketrans({"O": "0", "I": "1", "L": "1", "-": None, " ": None})
RENEW_S = 3600.0
GRACE_S = 600.0  # the code before still counts so long: somebody may be typing it
MOST_CODES = 200_000  # with the earlier ones; the oldest goes
FAILURES_PER_MINUTE = 5  # of one account
FAILURES_PER_MINUTE_IN_ALL = 30
MOST_ACCOUNTS = 10_000


def written(random_bytes: bytes) -> str:
    """CODE_BYTES random bytes as a code, without its hyphen."""
    number = int.from_bytes(random_bytes[:CODE_BYTES], "big")
    return "".join(ALPHABET[number >> 5 * place & 31] for place in reversed(range(CODE_CHARACTERS)))


def shown(code: str) -> str:
    """The code as people read it: in two groups."""
    return f"{code[:4]}-{code[4:]}"


def read(text: str) -> str | None:
    """The code that a person typed, in whatever case, with O for 0 and I or L for 1; None for what can be none."""
    code = text.upper().translate(READ_AS)
    return code if len(code) == CODE_CHARACTERS and set(code) <= set(ALPHABET) else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Code:
    """A worker's code; it counts until `until_s`, and another is due from `renew_s` on. Seconds are any steady clock's."""

    worker: WorkerId
    text: str
    renew_s: float
    until_s: float


class Codes:
    """All codes that count."""

    def __init__(self, *, most: int = MOST_CODES) -> None:
        self._most = most
        self._codes: OrderedDict[str, Code] = OrderedDict()  # the oldest first
        self._current: dict[WorkerId, Code] = {}
        self._of: dict[WorkerId, list[Code]] = {}

    def __len__(self) -> int:
        return len(self._codes)

    def give(self, worker: WorkerId, random_bytes: bytes, now: float) -> Code:
        """The worker's code; a new one when it has none or another is due."""
        self._expire(now)
        current = self._current.get(worker)
        if current is not None and now < current.renew_s:
            return current
        text = written(random_bytes)
        while text in self._codes:  # one in a trillion times the codes: the next one that is free
            text = written((int.from_bytes(_bytes(text), "big") + 1).to_bytes(CODE_BYTES + 1, "big")[1:])
        code = Code(worker=worker, text=text, renew_s=now + RENEW_S, until_s=now + RENEW_S + GRACE_S)
        self._codes[text] = self._current[worker] = code
        self._of.setdefault(worker, []).append(code)
        while len(self._codes) > self._most:
            self._forget(next(iter(self._codes.values())))
        return code

    def due(self, now: float) -> tuple[WorkerId, ...]:
        """Those whose code is to be renewed."""
        return tuple(worker for worker, code in self._current.items() if now >= code.renew_s)

    def find(self, text: str, now: float) -> WorkerId | None:
        """Whose code it is, while it counts."""
        code = self._codes.get(text)
        return code.worker if code is not None and now < code.until_s else None

    def drop(self, worker: WorkerId) -> None:
        """The worker has an owner: none of its codes counts any more."""
        for code in list(self._of.get(worker, ())):
            self._forget(code)

    def _expire(self, now: float) -> None:
        while self._codes and next(iter(self._codes.values())).until_s <= now:
            self._forget(next(iter(self._codes.values())))

    def _forget(self, code: Code) -> None:
        del self._codes[code.text]
        self._of[code.worker].remove(code)
        if not self._of[code.worker]:
            del self._of[code.worker]
        if self._current.get(code.worker) is code:
            del self._current[code.worker]


def _bytes(code: str) -> bytes:
    number = 0
    for character in code:
        number = number << 5 | ALPHABET.index(character)
    return number.to_bytes(CODE_BYTES, "big")


class Guesses:
    """How many wrong codes an account, and everybody together, may still try. Only failures count."""

    def __init__(self, *, most: int = MOST_ACCOUNTS) -> None:
        self._most = most
        self._buckets: dict[AccountId, Bucket] = {}
        self._all = Bucket(left=float(FAILURES_PER_MINUTE_IN_ALL), at_s=0.0)

    def __len__(self) -> int:
        return len(self._buckets)

    def wait_s(self, account: AccountId, now: float) -> float:
        """Seconds until the account may try again, 0 if it may now."""
        self._all.refill(FAILURES_PER_MINUTE_IN_ALL, now)
        own_s = self._own(account, now).wait_s(1, FAILURES_PER_MINUTE)
        return max(own_s, self._all.wait_s(1, FAILURES_PER_MINUTE_IN_ALL))

    def failed(self, account: AccountId, now: float) -> None:
        """The account tried a code that is nobody's."""
        own = self._own(account, now)
        own.left -= 1
        self._all.refill(FAILURES_PER_MINUTE_IN_ALL, now)
        self._all.left -= 1
        if account not in self._buckets and len(self._buckets) >= self._most:
            full = [name for name in self._buckets if self._own(name, now).left >= FAILURES_PER_MINUTE]
            for name in full:
                del self._buckets[name]
        self._buckets[account] = own

    def _own(self, account: AccountId, now: float) -> Bucket:
        known = self._buckets.get(account) or Bucket(left=float(FAILURES_PER_MINUTE), at_s=now)
        known.refill(FAILURES_PER_MINUTE, now)
        return known
