"""The provider over HTTP: one streamed request for each choice, read as a job's events are."""

import asyncio
import logging
from collections.abc import AsyncIterator, Mapping
from types import TracebackType

import httpx

from iamine.ids import ModelId
from pool.dispatch.events import StreamEvent
from pool.errors import AnswerLost, PoolError, Unavailable
from pool.openai.types import ChatRequest
from pool.routing.types import Begun
from pool.upstream.dialect import UPSTREAM, Chunks, body_of

log = logging.getLogger("pool.upstream")

CONNECT_S = 5.0
SILENCE_S = 60.0  # between two chunks
AHEAD = 64  # events that may wait for their reader


class Provider:
    """An OpenAI-compatible API at `url` (…/v1). `models` names its model for a tier, `default` the one for all others."""

    def __init__(
        self, *, url: str, api_key: str, models: Mapping[str, str], default: str, after_s: float, first_s: float
    ) -> None:
        self.after_s = after_s
        self._models = models
        self._default = default
        self._first_s = first_s
        self._http = httpx.AsyncClient(
            base_url=url.rstrip("/") + "/",
            headers={"authorization": f"Bearer {api_key}"} if api_key else {},
            timeout=httpx.Timeout(SILENCE_S, connect=CONNECT_S),
            trust_env=False,
        )

    def model(self, tier: str) -> ModelId:
        """What answers for this tier."""
        return ModelId(self._models.get(tier, self._default))

    async def open(self, request: ChatRequest, model: ModelId, *, seed: int) -> "ProviderStream":
        """The stream of an answer whose first words are there. Raises PoolError when none came in time."""
        stream = ProviderStream(self._events(body_of(request, model, seed=seed)))
        try:
            async with asyncio.timeout(self._first_s):
                await stream.begin()
        except asyncio.TimeoutError:
            stream.cancel()
            raise Unavailable("The upstream provider did not answer in time.") from None
        except BaseException:
            stream.cancel()
            raise
        return stream

    async def _events(self, body: Mapping[str, object]) -> AsyncIterator[StreamEvent]:
        chunks = Chunks()
        try:
            async with self._http.stream("POST", "chat/completions", json=body) as reply:
                if reply.status_code != httpx.codes.OK:
                    raise Unavailable(f"The upstream provider answered with status {reply.status_code}.")
                async for line in reply.aiter_lines():
                    data = line.removeprefix("data:").strip() if line.startswith("data:") else ""
                    if data == "[DONE]":
                        break
                    spoken = chunks.read(data) if data else None
                    if spoken is not None:
                        yield spoken
        except httpx.HTTPError as error:
            log.warning("upstream: %s", type(error).__name__)
            raise AnswerLost("The upstream provider could not be reached; asking again is safe.") from error
        yield chunks.ended()

    async def close(self) -> None:
        """At the pool's end."""
        await self._http.aclose()

    async def __aenter__(self) -> "Provider":
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        await self.close()


class ProviderStream:
    """One answer's events, read by a task of its own so that it can be cancelled from anywhere."""

    def __init__(self, events: AsyncIterator[StreamEvent]) -> None:
        self._queue: asyncio.Queue[StreamEvent | PoolError | None] = asyncio.Queue(AHEAD)
        self._held: list[StreamEvent | PoolError | None] = []
        self._task = asyncio.create_task(self._pump(events))

    async def _pump(self, events: AsyncIterator[StreamEvent]) -> None:
        try:
            async for event in events:
                await self._queue.put(event)
        except PoolError as error:
            await self._queue.put(error)
        except Exception as error:  # noqa: BLE001 - whatever it is, the reader must hear of it
            log.error("upstream: %s", type(error).__name__)
            await self._queue.put(AnswerLost("The upstream provider broke off; asking again is safe."))
        else:
            await self._queue.put(None)

    async def begin(self) -> None:
        """Wait for the first words. Raises PoolError."""
        first = await self._queue.get()
        if isinstance(first, PoolError):
            raise first
        self._held = [first, Begun(worker=UPSTREAM, epoch=1, prompt_tokens=0, cached_tokens=0)]

    def __aiter__(self) -> "ProviderStream":
        return self

    async def __anext__(self) -> StreamEvent:
        item = self._held.pop() if self._held else await self._queue.get()
        if isinstance(item, PoolError):
            raise item
        if item is None:
            raise StopAsyncIteration
        return item

    def at_hand(self) -> None:
        """A provider's words are told as they come."""

    def cancel(self) -> None:
        """Hang up. May be called again."""
        self._task.cancel()
