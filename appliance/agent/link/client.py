"""The one outgoing link: hello, frames in order, heartbeats, and coming back with patience when it breaks."""

import asyncio
import contextlib
import secrets
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

from msgspec import structs
from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed

from appliance.agent.backoff import delay_s
from appliance.agent.errors import AgentError
from appliance.agent.link.frames import OUTBOX_BYTES, OUTBOX_FRAMES, Outbox, frames
from appliance.agent.link.pins import pin, read_pins
from appliance.agent.link.socket import CLOSE_S, HELLO_S, LinkBroken, opened
from appliance.agent.types import Connecting, Linked, LinkState, Snapshot, Unlinked
from appliance.agent.waiting import happens
from iamine.identity import Identity, fingerprint
from iamine.wire.codec import decode_from_pool, encode
from iamine.wire.errors import WireError
from iamine.wire.messages import (
    NONCE_BYTES,
    Drain,
    FromWorker,
    Goodbye,
    Heartbeat,
    ToWorker,
)
from iamine.wire.session import Accepted, Challenged, Ended, WorkerSession, Working


class Refused(AgentError):
    """The pool, or this side, refuses the link for good; coming back the same way cannot help."""

    def __init__(self, code: str, reason: str, *, hint: str) -> None:
        super().__init__(f"the pool refused this worker: {reason} ({code})", hint=hint)
        self.code = code


class Owner(Protocol):
    """Whom the link serves."""

    def snapshot(self) -> Snapshot:
        """What to tell the pool."""

    def heard(self, message: ToWorker) -> None:
        """What the pool asks."""

    def linked(self, state: LinkState) -> None:
        """The link changed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """Where the pool is and how it is known: by the fingerprint in `pool_key`, else by the key pinned in `pins`.

    `manifest` is the serial of the manifest this agent goes by.
    """

    url: str
    pins: Path
    pool_key: str = ""
    name: str = ""
    agent: str = ""
    manifest: int = 0


class Link:
    """Keeps one session with the pool alive until closed or refused. All methods belong to the event loop's thread."""

    def __init__(
        self,
        *,
        endpoint: Endpoint,
        identity: Identity,
        owner: Owner,
        random: Callable[[], float],
        nonce: Callable[[], bytes] = lambda: secrets.token_bytes(NONCE_BYTES),
    ) -> None:
        self._endpoint = endpoint
        self._identity = identity
        self._owner = owner
        self._random = random
        self._nonce = nonce
        self._outbox: Outbox | None = None
        self._pinned: bytes | None = None
        self._was_open = False
        self._lost = Unlinked(reason="not tried yet", retry_in_s=0.0)
        self._changed = asyncio.Event()
        self._stop = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()

    def send(self, message: FromWorker) -> None:
        """Queue a message for the pool; without a session it is dropped (the pool has moved its jobs already)."""
        if self._outbox is None:
            return
        for frame in frames(message):
            if not self._outbox.put(frame):
                self._outbox.end()
                self._outbox = None
                return

    def changed(self) -> None:
        """A heartbeat is due now: the number of running jobs or the engine's health changed."""
        self._changed.set()

    async def run(self) -> None:
        """Link, serve, and link again, until `close`. Raises Refused."""
        failures, retry_after_s = 0, 0.0
        while not self._stop.is_set():
            wait_s = delay_s(failures, self._random(), retry_after_s=retry_after_s)
            if failures:
                self._owner.linked(replace(self._lost, retry_in_s=wait_s))
            if await happens(self._stop, wait_s):
                return
            self._was_open = False
            self._owner.linked(Connecting(url=self._endpoint.url))
            try:
                await self._session()
                return
            except LinkBroken as error:
                reason = f"{error.message}; {error.hint}" if error.hint else error.message
                self._lost = Unlinked(reason=reason, retry_in_s=0.0)
                failures = 1 if self._was_open else failures + 1
                retry_after_s = error.retry_after_s

    async def close(self, reason: str) -> None:
        """Say drain and goodbye, send what is queued, end `run`; takes CLOSE_S at most."""
        self._stop.set()
        self.send(Drain(reason=reason))
        self.send(Goodbye(code="leaving", reason=reason))
        if self._outbox is not None:
            self._outbox.end()
        with contextlib.suppress(asyncio.TimeoutError):
            await asyncio.wait_for(self._idle.wait(), CLOSE_S)

    # ---- one session ----------------------------------------------------------------------------------------------

    async def _session(self) -> None:
        """One connection from knock to end; returns when closed by us. Raises LinkBroken or Refused."""
        self._idle.clear()
        try:
            async with opened(self._endpoint.url, self._endpoint.agent) as socket:
                await self._speak(socket)
        finally:
            self._outbox = None
            self._idle.set()

    async def _speak(self, socket: ClientConnection) -> None:
        pinned = self._pinned
        if pinned is None and not self._endpoint.pool_key:
            pinned = read_pins(self._endpoint.pins).get(self._endpoint.url)
        session = WorkerSession(
            identity=self._identity, pinned_pool_key=pinned, nonce=self._nonce(), agent=self._endpoint.agent
        )
        try:
            linked, accepted = await asyncio.wait_for(self._greet(socket, session), HELLO_S)
            self._outbox = Outbox()
            self._was_open = True
            self._owner.linked(linked)
            goodbye = await self._serve(socket, session, self._outbox, accepted)
        except WireError as error:
            with contextlib.suppress(ConnectionClosed):
                await socket.send(encode(Goodbye(code=error.code, reason=error.reason)))
            if error.fatal:
                raise Refused(error.code, error.reason, hint=self._hint(error.code, error.hint)) from error
            raise LinkBroken(f"the pool broke the rules of the wire: {error.reason} ({error.code})") from error
        if goodbye is not None:
            raise self._farewell(goodbye)

    async def _greet(self, socket: ClientConnection, session: WorkerSession) -> tuple[Linked, Accepted]:
        """Knock, check and pin the pool's key, introduce this worker, be welcomed."""
        await socket.send(encode(session.knock()))
        key, name = b"", ""
        while True:
            match session.receive(decode_from_pool(await socket.recv())):
                case Challenged() as challenged:
                    key, name = challenged.pool_key, challenged.name
                    self._check_fingerprint(key)
                    now = self._owner.snapshot()
                    end = self._endpoint
                    hello = session.hello(
                        hardware=now.hardware, models=now.offers, name=end.name, holding=now.holding, manifest=end.manifest
                    )
                    await socket.send(encode(hello))
                case Accepted() as accepted:
                    self._pin(key)
                    return (
                        Linked(pool=name, fingerprint=fingerprint(key), worker=accepted.worker, session=accepted.session),
                        accepted,
                    )
                case Ended(goodbye=goodbye):
                    raise self._farewell(goodbye)
                case Working():
                    raise WireError("out_of_order", "work before the welcome")

    async def _serve(
        self, socket: ClientConnection, session: WorkerSession, outbox: Outbox, accepted: Accepted
    ) -> Goodbye | None:
        """Both directions and the heartbeat until one ends: the pool's goodbye, or None when our outbox is ended."""
        hears = asyncio.create_task(self._receive(socket, session))
        sends = asyncio.create_task(_send_all(socket, outbox))
        beats = asyncio.create_task(self._beat(accepted))
        try:
            await asyncio.wait({hears, sends, beats}, return_when=asyncio.FIRST_COMPLETED)
            if sends.done() and sends.exception():  # closed: what came before the end is still to be read
                await asyncio.wait({hears})
        finally:
            for task in (hears, sends, beats):
                task.cancel()
            await asyncio.gather(hears, sends, beats, return_exceptions=True)
        for ended in (hears, beats):
            if not ended.cancelled():
                return ended.result()
        if not self._stop.is_set():
            raise LinkBroken(f"the pool left {OUTBOX_FRAMES} frames or {OUTBOX_BYTES >> 20} MiB unread")
        return None

    async def _receive(self, socket: ClientConnection, session: WorkerSession) -> Goodbye:
        while True:
            match session.receive(decode_from_pool(await socket.recv())):
                case Working(message=message):
                    self._owner.heard(message)
                case Ended(goodbye=goodbye):
                    return goodbye
                case Challenged() | Accepted():
                    raise WireError("out_of_order", "a greeting in an open session")

    async def _beat(self, accepted: Accepted) -> None:
        """A heartbeat at once, at each change, and each second (busy) or quarter minute (idle), as the pool wants it."""
        while True:
            self._changed.clear()
            now = self._owner.snapshot()
            beat = Heartbeat(running=now.running, ready=now.ready, load=now.load, resting=now.resting)
            self.send(structs.replace(beat, moving_to=now.moving_to, moving_tps=now.moving_tps) if now.moving_to else beat)
            await happens(self._changed, accepted.heartbeat_busy_s if now.running else accepted.heartbeat_idle_s)

    # ---- who may talk to us ------------------------------------------------------------------------------------------

    def _check_fingerprint(self, key: bytes) -> None:
        wanted = self._endpoint.pool_key.replace("-", "")
        if wanted and fingerprint(key).replace("-", "") != wanted:
            reason = f"the pool shows the key {fingerprint(key)}, but the config asks for {self._endpoint.pool_key}"
            raise WireError("pool_key_changed", reason, fatal=True)

    def _pin(self, key: bytes) -> None:
        """Remember the key: in memory, and on disk where that is possible."""
        if self._pinned is None:
            self._pinned = key
            with contextlib.suppress(OSError):
                pin(self._endpoint.pins, self._endpoint.url, key)

    def _farewell(self, goodbye: Goodbye) -> Refused | LinkBroken:
        if goodbye.retry_after_s < 0:
            return Refused(goodbye.code, goodbye.reason, hint=self._hint(goodbye.code, ""))
        return LinkBroken(f"the pool said goodbye: {goodbye.reason} ({goodbye.code})", retry_after_s=goodbye.retry_after_s)

    def _hint(self, code: str, other: str) -> str:
        """What to try next, by the goodbye's code."""
        match code:
            case "pool_key_changed" if self._endpoint.pool_key:
                return "if the operator confirms the new key, write it as pool_key in worker.toml"
            case "pool_key_changed":
                return (
                    f"if the operator confirms the new key, delete the entry of {self._endpoint.url} in {self._endpoint.pins}"
                )
            case "superseded":
                return "another worker runs with this key: stop it, or give this one its own folder with --data-dir"
            case "unsupported_version":
                return "update the older side: this agent, or the pool"
            case _:
                return other or "ask the pool's operator, then start the worker again"


async def _send_all(socket: ClientConnection, outbox: Outbox) -> None:
    while (frame := await outbox.get()) is not None:
        await socket.send(frame)
