"""The engine process: reads frames, prepares jobs in the main thread, decodes in another, ends when its socket closes.

reader thread   socket -> jobs to the main thread, cancels straight to the decode thread
main thread     jobs -> ids (templates are rendered here: their time limit is a signal)
decode thread   ids -> tokens -> outbox
"""

import os
import queue
import socket
import sys
import threading
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec

from appliance.agent.engine.batching import first_chunk
from appliance.agent.engine.decoder import Decoder
from appliance.agent.engine.embedder import Embedder
from appliance.agent.engine.inbox import Inbox
from appliance.agent.engine.llama import LogRing
from appliance.agent.engine.loading import CannotLoad, Ready, load
from appliance.agent.engine.oracle import Oracles
from appliance.agent.engine.outbox import AgentGone, Outbox
from appliance.agent.engine.prepare import Preparer, Refused
from appliance.agent.engine.protocol import Deframer, FrameTooLarge, Load, ToEngine, decode_to_engine
from appliance.agent.engine.running import Limits, no_slot
from iamine.wire.messages import Cancel, Failed, Job

RECEIVE_BYTES = 256 * 1024
MAX_UNPREPARED = 1024
EXIT_OK, EXIT_BAD_FRAME, EXIT_LOAD, EXIT_BUG = 0, 65, 66, 70  # sysexits.h: EX_DATAERR, EX_NOINPUT, EX_SOFTWARE


def serve(connection: socket.socket, *, verbose: bool) -> int:
    """Loads what the first frame asks for and runs jobs until the socket closes; returns the exit status."""
    logs = LogRing()
    logs.echo = verbose
    logs.install()
    frames = _frames(connection)
    first = next(frames, None)
    if not isinstance(first, Load):
        return EXIT_OK if first is None else EXIT_BAD_FRAME
    outbox = Outbox(connection)
    try:
        ready = load(first, logs)
    except CannotLoad as error:
        outbox.put(error.frame)
        outbox.flush(5.0)
        return EXIT_LOAD
    inbox = Inbox()
    jobs: queue.SimpleQueue[Job] = queue.SimpleQueue()
    loop = _loop(first, ready, inbox, outbox)
    outbox.put(ready.loaded)
    threading.Thread(target=_or_exit, args=(lambda: _read(frames, jobs, inbox, outbox),), name="reader", daemon=True).start()
    threading.Thread(target=_or_exit, args=(loop,), name="decode", daemon=True).start()
    _or_exit(lambda: _prepare(jobs, ready.preparer, inbox, outbox))
    return EXIT_OK


def _loop(wanted: Load, ready: Ready, inbox: Inbox, outbox: Outbox) -> Callable[[], None]:
    waiting = max(16, 2 * ready.loaded.slots)
    chunk = first_chunk(ready.loaded.prefill_tps, max_step_s=wanted.max_step_s, batch_tokens=ready.context.options.batch_tokens)
    if wanted.kind == "embedding":
        return Embedder(
            ready.context,
            inbox=inbox,
            waiting=waiting + ready.loaded.slots,
            max_step_s=wanted.max_step_s,
            progress_s=wanted.progress_s,
            first_chunk_tokens=chunk,
            put=outbox.put,
        ).run
    limits = Limits(
        max_tps=wanted.max_tps,
        max_step_s=wanted.max_step_s,
        progress_s=wanted.progress_s,
        waiting=waiting,
        first_chunk_tokens=chunk,
        guess=wanted.guess,
    )
    oracles = Oracles(Path(wanted.path))
    return Decoder(ready.context, ready.model.vocabulary, limits=limits, inbox=inbox, oracles=oracles, put=outbox.put).run


def _frames(connection: socket.socket) -> Iterator[ToEngine]:
    """Messages until the socket closes; raises FrameTooLarge or msgspec.DecodeError on anything that is none."""
    deframer = Deframer()
    while received := _receive(connection):
        for body in deframer.feed(received):
            yield decode_to_engine(body)


def _receive(connection: socket.socket) -> bytes:
    try:
        return connection.recv(RECEIVE_BYTES)
    except ConnectionError:
        return b""


def _read(frames: Iterator[ToEngine], jobs: "queue.SimpleQueue[Job]", inbox: Inbox, outbox: Outbox) -> None:
    for frame in frames:
        match frame:
            case Cancel():
                inbox.put(frame)
            case Job() if jobs.qsize() < MAX_UNPREPARED:
                jobs.put(frame)
            case Job():
                outbox.put(no_slot(frame))
            case Load():
                raise msgspec.DecodeError("a second load frame")
    raise AgentGone


def _prepare(jobs: "queue.SimpleQueue[Job]", preparer: Preparer, inbox: Inbox, outbox: Outbox) -> None:
    while True:
        job = jobs.get()
        try:
            inbox.put(preparer.prepare(job))
        except Refused as refused:
            outbox.put(refused.frame(job))
        except Exception as error:  # noqa: BLE001  # one odd job must not end the others
            sys.stderr.write(f"engine: {job.job}: {type(error).__name__} while preparing\n")  # no text of the prompt
            outbox.put(
                Failed(job=job.job, epoch=job.epoch, code="bad_request", message="could not be prepared", retryable=False)
            )


def _or_exit(work: Callable[[], None]) -> None:
    """Runs a thread's work; its end is the process's end, because half an engine is worse than none."""
    status = EXIT_OK
    try:
        work()
    except AgentGone:
        pass
    except (FrameTooLarge, msgspec.DecodeError) as error:
        sys.stderr.write(f"engine: a frame from the agent is no message: {type(error).__name__}\n")
        status = EXIT_BAD_FRAME
    except BaseException:  # noqa: BLE001  # told, then the process ends
        traceback.print_exc()
        status = EXIT_BUG
    sys.stderr.flush()
    os._exit(status)
