"""Frames to the agent: sent at once while the socket takes them; while it does not, steps are joined and wait."""

import select
import socket
import threading
from collections import deque

from appliance.agent.engine.protocol import FromEngine, encode
from iamine.wire.messages import MAX_STEP_SEQUENCES, MAX_STEP_TOKENS, SequenceStep, Step

MAX_WAITING_FRAMES = 4096
MAX_JOINED_BYTES = 2 * 1024 * 1024  # well under the wire's limit for a frame
TOKEN_BYTES, LOGPROB_BYTES = 100, 2500  # of one token in JSON at most; with its 20 alternatives
STUCK_S = 60.0


class AgentGone(Exception):
    """The socket is closed, or nobody has read from it for STUCK_S."""


def join_steps(first: Step, second: Step) -> Step | None:
    """One frame that says both, in order; None when it would break the wire's limits or a sequence has a gap."""
    joined: dict[tuple[str, int], SequenceStep] = {(s.job, s.epoch): s for s in first.sequences}
    for new in second.sequences:
        old = joined.get((new.job, new.epoch))
        if old is None:
            joined[new.job, new.epoch] = new
        elif old.index + len(old.ids) == new.index and len(old.ids) + len(new.ids) <= MAX_STEP_TOKENS:
            joined[new.job, new.epoch] = both(old, new)
        else:
            return None
    fits = len(joined) <= MAX_STEP_SEQUENCES and sum(map(_bytes_at_most, joined.values())) <= MAX_JOINED_BYTES
    return Step(sequences=tuple(joined.values())) if fits else None


def both(old: SequenceStep, new: SequenceStep) -> SequenceStep:
    """Two of the same answer as one; `new` begins where `old` ends."""
    return SequenceStep(
        job=old.job,
        epoch=old.epoch,
        index=old.index,
        ids=old.ids + new.ids,
        text=old.text + new.text,
        logprobs=old.logprobs + new.logprobs,
    )


def _bytes_at_most(step: SequenceStep) -> int:
    """An upper estimate of the sequence's size in JSON."""
    return TOKEN_BYTES * (1 + len(step.ids)) + 6 * len(step.text) + LOGPROB_BYTES * len(step.logprobs)


class Outbox:
    """Any thread puts frames; they leave in order. A second thread sends what the socket did not take at once."""

    def __init__(self, connection: socket.socket) -> None:
        self._socket = connection
        self._lock = threading.Condition()
        self._waiting: deque[FromEngine] = deque()
        self._rest = b""
        self._gone = False
        self._thread = threading.Thread(target=self._drain, name="outbox", daemon=True)
        self._thread.start()

    def put(self, frame: FromEngine) -> None:
        """Sends or queues the frame; waits only when MAX_WAITING_FRAMES do; raises AgentGone."""
        with self._lock:
            if not self._lock.wait_for(lambda: self._gone or len(self._waiting) < MAX_WAITING_FRAMES, timeout=STUCK_S):
                self._gone = True
            if self._gone:
                raise AgentGone
            if not self._rest and not self._waiting:
                self._rest = self._send(encode(frame))
            else:
                self._queue(frame)
            if self._rest:
                self._lock.notify_all()

    def flush(self, timeout_s: float) -> bool:
        """Waits until everything was handed to the socket."""
        with self._lock:
            return self._lock.wait_for(lambda: self._gone or not (self._rest or self._waiting), timeout=timeout_s)

    def _queue(self, frame: FromEngine) -> None:
        last = self._waiting[-1] if self._waiting else None
        if isinstance(frame, Step) and isinstance(last, Step) and (joined := join_steps(last, frame)):
            self._waiting[-1] = joined
        else:
            self._waiting.append(frame)

    def _send(self, data: bytes) -> bytes:
        """What the socket did not take without waiting; raises AgentGone."""
        try:
            return data[self._socket.send(data, socket.MSG_DONTWAIT | socket.MSG_NOSIGNAL) :]
        except (BlockingIOError, InterruptedError):
            return data
        except OSError as error:
            self._gone = True
            self._lock.notify_all()
            raise AgentGone from error

    def _drain(self) -> None:
        while True:
            with self._lock:
                self._lock.wait_for(lambda: bool(self._rest))
            select.select([], [self._socket], [])
            with self._lock:
                try:
                    self._send_waiting()
                except AgentGone:
                    return
                self._lock.notify_all()

    def _send_waiting(self) -> None:
        self._rest = self._send(self._rest)
        while not self._rest and self._waiting:
            frame = self._waiting.popleft()
            self._rest = self._send(encode(frame))
