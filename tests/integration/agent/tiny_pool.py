"""A pool of one WebSocket route for the link's tests: it greets by the real session machine and does what the test scripts."""

import asyncio
from collections.abc import Awaitable, Callable

from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed

from iamine.identity import Identity
from iamine.ids import SessionId
from iamine.wire.codec import decode_from_worker, encode
from iamine.wire.messages import FromWorker, Goodbye, Hello, Message
from iamine.wire.session import Ended, Heard, Introduced, PoolSession, Reply

Script = Callable[["TinyPool", ServerConnection], Awaitable[None]]


class TinyPool:
    """Greets each worker, then runs the script of that connection (the last script again and again)."""

    def __init__(
        self,
        *scripts: Script,
        seed: int = 1,
        busy_s: float = 0.05,
        idle_s: float = 15.0,
        host: str = "127.0.0.1",
        port: int = 0,
    ) -> None:
        self.identity = Identity.from_seed(bytes([seed]) * 32)
        self.heard: list[FromWorker] = []
        self.manifests: list[int] = []  # the serial that each hello told
        self.hellos: list[Hello] = []
        self.greeted = asyncio.Event()
        self.arrived = asyncio.Event()
        self.connections = 0
        self._scripts = scripts
        self._busy_s, self._idle_s = busy_s, idle_s
        self._host, self._port = host, port
        self._server: Server | None = None

    async def __aenter__(self) -> "TinyPool":
        self._server = await serve(self._connection, self._host, self._port, compression=None, max_size=16 << 20)
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server
        self._server.close()
        await self._server.wait_closed()

    @property
    def url(self) -> str:
        assert self._server
        port = next(iter(self._server.sockets)).getsockname()[1]
        return f"ws://127.0.0.1:{port}/v1/workers/connect"

    async def until(self, wanted: Callable[[FromWorker], bool], within_s: float = 5.0) -> FromWorker:
        """The first message that was or will be heard and is wanted."""
        return await asyncio.wait_for(self._until(wanted), within_s)

    async def _until(self, wanted: Callable[[FromWorker], bool]) -> FromWorker:
        while True:
            for message in self.heard:
                if wanted(message):
                    return message
            self.arrived.clear()
            await self.arrived.wait()

    async def _connection(self, socket: ServerConnection) -> None:
        script = self._scripts[min(self.connections, len(self._scripts) - 1)]
        self.connections += 1
        session = PoolSession(identity=self.identity, nonce=bytes(32), name="tiny")
        try:
            await self._greet(socket, session)
            reader = asyncio.create_task(self._read(socket, session))
            try:
                await script(self, socket)
            finally:
                reader.cancel()
                await asyncio.gather(reader, return_exceptions=True)
        except ConnectionClosed:
            pass

    async def _greet(self, socket: ServerConnection, session: PoolSession) -> None:
        while True:
            match session.receive(decode_from_worker(await socket.recv()), now=1.0):
                case Reply(message=challenge):
                    await socket.send(encode(challenge))
                case Introduced(hello=hello):
                    self.manifests.append(hello.manifest)
                    self.hellos.append(hello)
                    self.greeted.set()
                    name = SessionId(f"ses_{self.connections}")
                    welcome = session.welcome(session=name, heartbeat_busy_s=self._busy_s, heartbeat_idle_s=self._idle_s)
                    await socket.send(encode(welcome))
                    return
                case _:
                    raise AssertionError("not a greeting")

    async def _read(self, socket: ServerConnection, session: PoolSession) -> None:
        while True:
            match session.receive(decode_from_worker(await socket.recv()), now=1.0):
                case Heard(message=message):
                    self._hear(message)
                case Ended(goodbye=goodbye):
                    self._hear(goodbye)
                    return
                case _:
                    raise AssertionError("not work")

    def _hear(self, message: FromWorker) -> None:
        self.heard.append(message)
        self.arrived.set()


def send(message: Message) -> Script:
    """Send one message, then listen until the worker goes."""

    async def script(_: TinyPool, socket: ServerConnection) -> None:
        await socket.send(encode(message))
        await socket.wait_closed()

    return script


async def listen(_: TinyPool, socket: ServerConnection) -> None:
    """Listen until the worker goes."""
    await socket.wait_closed()


async def hang_up(_: TinyPool, socket: ServerConnection) -> None:
    """Cut the connection without a word."""
    socket.transport.abort()


def say_goodbye(code: str, retry_after_s: float) -> Script:
    """Say goodbye and close."""

    async def script(_: TinyPool, socket: ServerConnection) -> None:
        await socket.send(encode(Goodbye(code=code, reason="as scripted", retry_after_s=retry_after_s)))
        await socket.close()

    return script
