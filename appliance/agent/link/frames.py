"""Messages as frames within the wire's limits, and the bounded queue in which they wait."""

import asyncio
from collections import deque

import msgspec

from iamine.ids import JobId
from iamine.wire.codec import encode
from iamine.wire.errors import TooLarge
from iamine.wire.messages import MAX_STEP_SEQUENCES, MAX_STEP_TOKENS, Embedded, Failed, FromWorker, SequenceStep, Step

OUTBOX_FRAMES = 10_000
OUTBOX_BYTES = 64 << 20  # a pool that lets this much lie unread is as good as gone


def frames(message: FromWorker) -> list[bytes]:
    """The message as one frame; a step over a limit as several; what cannot be cut is told as a failure of its job."""
    if isinstance(message, Step) and _over_limit(message):
        return [frame for part in _halves(message) for frame in frames(part)]
    try:
        return [encode(message)]
    except TooLarge:
        match message:
            case Step(sequences=(sequence,)) if len(sequence.ids) < 2:
                return [_failed(sequence.job, sequence.epoch, "the text of one token does not fit a frame")]
            case Step():
                return [frame for part in _halves(message) for frame in frames(part)]
            case Embedded(job=job, epoch=epoch):
                return [_failed(job, epoch, "these vectors do not fit a frame; send fewer inputs at once")]
            case _:
                raise


def _over_limit(step: Step) -> bool:
    return len(step.sequences) > MAX_STEP_SEQUENCES or any(len(each.ids) > MAX_STEP_TOKENS for each in step.sequences)


def _halves(step: Step) -> tuple[Step, Step]:
    """The step as two: half of the sequences each, or half of the tokens when there is one sequence."""
    middle = len(step.sequences) // 2
    if middle:
        return Step(sequences=step.sequences[:middle]), Step(sequences=step.sequences[middle:])
    first, second = _cut(step.sequences[0])
    return Step(sequences=(first,)), Step(sequences=(second,))


def _cut(whole: SequenceStep) -> tuple[SequenceStep, SequenceStep]:
    """Two steps in a row; the text goes with the last token, for text may lag behind the ids but not run ahead."""
    middle = len(whole.ids) // 2
    return (
        msgspec.structs.replace(whole, ids=whole.ids[:middle], text="", logprobs=whole.logprobs[:middle]),
        msgspec.structs.replace(whole, index=whole.index + middle, ids=whole.ids[middle:], logprobs=whole.logprobs[middle:]),
    )


def _failed(job: JobId, epoch: int, why: str) -> bytes:
    return encode(Failed(job=job, epoch=epoch, code="bad_request", message=why, retryable=False))


class Outbox:
    """Frames waiting to be sent, in order and bounded in number and bytes."""

    def __init__(self) -> None:
        self._frames: deque[bytes] = deque()
        self._bytes = 0
        self._wake = asyncio.Event()
        self._ended = False

    def put(self, frame: bytes) -> bool:
        """Queue a frame; False when the bound is passed (the frame is not queued)."""
        if len(self._frames) >= OUTBOX_FRAMES or self._bytes + len(frame) > OUTBOX_BYTES:
            return False
        self._frames.append(frame)
        self._bytes += len(frame)
        self._wake.set()
        return True

    def end(self) -> None:
        """Nothing more comes: `get` gives None once all is taken."""
        self._ended = True
        self._wake.set()

    async def get(self) -> bytes | None:
        """The next frame; waits for one."""
        while not self._frames:
            if self._ended:
                return None
            self._wake.clear()
            await self._wake.wait()
        frame = self._frames.popleft()
        self._bytes -= len(frame)
        return frame
