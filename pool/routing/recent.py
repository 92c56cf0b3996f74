"""Who asked the same thing not long ago: a short, bounded memory of hashes, never of text."""

from collections import OrderedDict
from hashlib import blake2b

from iamine.ids import AccountId

WITHIN_S = 30.0
MOST = 4096  # what is forgotten early is only not taken for a second try


class Recent:
    """The last questions of all accounts. Times are any steady clock's seconds."""

    def __init__(self, *, within_s: float = WITHIN_S, most: int = MOST) -> None:
        self._within_s, self._most = within_s, most
        self._seen: OrderedDict[tuple[AccountId, bytes], float] = OrderedDict()

    def __len__(self) -> int:
        return len(self._seen)

    def again(self, account: AccountId, text: str, now: float) -> bool:
        """Whether this account asked just this within the time; it is remembered from now on. No text, no memory."""
        if not text:
            return False
        key = account, blake2b(text.encode(errors="surrogatepass"), digest_size=16).digest()
        before = self._seen.pop(key, None)
        self._seen[key] = now
        while len(self._seen) > self._most or now - next(iter(self._seen.values())) > self._within_s:
            self._seen.popitem(last=False)
        return before is not None and now - before <= self._within_s
