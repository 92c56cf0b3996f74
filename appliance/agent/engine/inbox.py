"""What waits for the decode thread: prepared jobs and cancels, in order; a cancel may come before its job is prepared."""

import queue
from collections import OrderedDict

from appliance.agent.engine.prepare import PreparedInputs
from appliance.agent.engine.sequence import Prepared
from iamine.wire.messages import Cancel

MAX_REMEMBERED_CANCELS = 4096

Key = tuple[str, int]
Ready = Prepared | PreparedInputs


class Inbox:
    """Filled by other threads; emptied by the one that decodes, which owns the memory of cancels."""

    def __init__(self) -> None:
        self._queue: queue.SimpleQueue[Ready | Cancel] = queue.SimpleQueue()
        self._cancelled: OrderedDict[Key, None] = OrderedDict()

    def put(self, item: Ready | Cancel) -> None:
        self._queue.put(item)

    def receive(self, timeout_s: float | None) -> list[Ready | Cancel]:
        """All that is there, at least one item unless the timeout (None: never; 0: at once) is over first."""
        items: list[Ready | Cancel] = []
        try:
            items.append(self._queue.get(timeout=timeout_s) if timeout_s != 0 else self._queue.get_nowait())
            while True:
                items.append(self._queue.get_nowait())
        except queue.Empty:
            return items

    def remember(self, key: Key) -> None:
        """The cancelled job is not known yet (or was never, or is over)."""
        self._cancelled[key] = None
        if len(self._cancelled) > MAX_REMEMBERED_CANCELS:
            self._cancelled.popitem(last=False)

    def was_cancelled(self, key: Key) -> bool:
        """Whether a cancel for this job came before the job; forgets it."""
        if key not in self._cancelled:
            return False
        del self._cancelled[key]
        return True
