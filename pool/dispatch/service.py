"""The use case: check, submit, record; hand back an answer that is being made."""

import time
from collections.abc import Callable, Sequence
from os import urandom

from iamine.ids import ID_BYTES, AccountId, ModelId, job_id
from pool.dispatch.answer import Answer
from pool.dispatch.choice import Choice
from pool.dispatch.course import Course, Place, Setting
from pool.dispatch.embedding import Embedded, embedded
from pool.dispatch.keeper import Keeper
from pool.dispatch.kept import Fixed, Kept, KeptRecord
from pool.dispatch.limits import Limits
from pool.dispatch.orders import Asker, chat_orders, completion_orders, embedding_order, fingerprint, formats
from pool.dispatch.ports import Hub, JobStream, Records, Upstream
from pool.dispatch.record import Background, Record
from pool.dispatch.route import Pseudo, Request, Router, Routing
from pool.dispatch.thinking import may_think
from pool.dispatch.tooluse import tool_use
from pool.errors import ModelNotFound
from pool.openai.objects import answer_id
from pool.openai.types import ChatRequest, Chosen, CompletionRequest, EmbeddingsRequest, Head
from pool.routing.types import JobOrder, Start
from pool.toolcalls import think_tool

BY_NAME = Chosen(tier="", degraded=False, reason="")


class Dispatch:
    """Turns requests into answers."""

    def __init__(
        self,
        *,
        hub: Hub,
        records: Records,
        limits: Limits | None = None,
        routing: Routing | None = None,
        keeper: Keeper | None = None,
        upstream: Upstream | None = None,
        wall_time: Callable[[], float] = time.time,
        random_bytes: Callable[[int], bytes] = urandom,
    ) -> None:
        self._hub = hub
        self._records = records
        self.keeper = keeper
        self._limits = limits or Limits()
        self._router = Router(routing or Routing(), hub.wait_s)
        self._upstream = upstream
        self._wall_time = wall_time
        self._random_bytes = random_bytes
        self._background = Background()

    async def chat(self, request: ChatRequest, account: AccountId, kept: Kept | None = None) -> Answer:
        """Begin a chat completion. Raises PoolError; whoever gets the answer must close it."""
        place = self._place(request, account, kept)
        card, asker = place.card, self._asker(account, stream=request.stream, kept=kept)
        setting = self._setting(request, kept, think=kept is None and self._thinks(request, place))
        tools = tool_use(request.tools, parallel=request.parallel_tool_calls, must=request.must_call, think=setting.think)
        asked = request.but(tools_json=think_tool.offered(request.tools_json)) if setting.think else request
        orders = chat_orders(asked, card, asker, self._limits.answer_cap_tokens)
        logprobs = request.sampling.logprobs is not None
        read = formats(request, card)
        choices = [
            Choice(index=i, job=order.job, tools=tools, formats=read, logprobs=logprobs) for i, order in enumerate(orders)
        ]
        return await self._begin("chatcmpl", asker, setting, place, orders, choices, kept)

    async def completion(self, request: CompletionRequest, account: AccountId, kept: Kept | None = None) -> Answer:
        """Begin a raw completion. Raises PoolError; whoever gets the answer must close it."""
        place = self._place(request, account, kept)
        asker = self._asker(account, stream=request.stream, kept=kept)
        orders = completion_orders(request, place.card, asker, self._limits.answer_cap_tokens)
        logprobs = request.sampling.logprobs is not None
        echoes = [p if request.echo and isinstance(p, str) else "" for p in request.prompts for _ in range(request.n)]
        choices = [
            Choice(index=i, job=order.job, tools=None, logprobs=logprobs, echo=echoes[i]) for i, order in enumerate(orders)
        ]
        return await self._begin("cmpl", asker, self._setting(request, kept), place, orders, choices, kept)

    async def _begin(
        self,
        prefix: str,
        asker: Asker,
        setting: Setting,
        place: Place,
        orders: Sequence[JobOrder],
        choices: Sequence[Choice],
        kept: Kept | None,
    ) -> Answer:
        """Submit and record at once: where the record is waited for, workers are at it already."""
        card = place.card
        orders = [order.but(wish=place.chosen.wish) if place.chosen.wish else order for order in orders]
        streams, record = self._open(asker, place, orders, kept)
        head = Head(
            id=answer_id(prefix, asker.job), model=card.model, created=int(asker.wall_time_s), fingerprint=fingerprint(card)
        )
        courses = [
            Course(setting, place, choice, order, stream)
            for choice, order, stream in zip(choices, orders, streams, strict=True)
        ]
        answer = Answer(job=asker.job, head=head, courses=courses, record=record, samples=setting.request.n)
        try:
            await record.begun()
        except BaseException:
            answer.close()
            raise
        return answer

    def _open(
        self, asker: Asker, place: Place, orders: Sequence[JobOrder], kept: Kept | None
    ) -> tuple[list[JobStream], Record | KeptRecord]:
        if kept is None:
            return self._submit(orders), self._record(asker, place.card.model, place.chosen)
        fixed = Fixed(job=asker.job, wall_time_s=asker.wall_time_s, card=place.card, chosen=place.chosen)
        return kept.open(
            fixed, orders, self._hub.submit, lambda: self._record(asker, place.card.model, place.chosen, durably=True)
        )

    def _record(self, asker: Asker, model: ModelId, chosen: Chosen = BY_NAME, *, durably: bool = False) -> Record:
        start = Start(
            job=asker.job,
            account=asker.account,
            model=model,
            at_s=asker.wall_time_s,
            tier=chosen.tier,
            degraded=chosen.degraded,
            tier_reason=chosen.reason,
        )
        return Record(self._records, self._background, start, durably=durably)

    def _setting(self, request: Request, kept: Kept | None, *, think: bool = False) -> Setting:
        return Setting(
            stays=kept is not None,
            hub=self._hub,
            router=self._router,
            request=request,
            limits=self._limits,
            think=think,
            upstream=self._upstream,
        )

    def _thinks(self, request: ChatRequest, place: Place) -> bool:
        """Whether the think tool is offered: where it may be, and a larger model lives to answer it."""
        allowed = may_think(request, place.card, place.chosen, self._limits.think_tiers)
        return allowed and self._thinker_lives(place)

    def _thinker_lives(self, place: Place) -> bool:
        return self._router.thinker(self._hub.models(), place.chosen.tier, self._hub.monotonic()) is not None

    async def embeddings(self, request: EmbeddingsRequest, account: AccountId) -> Embedded:
        """The vectors of the inputs. Raises PoolError."""
        card = self._router.embedding(self._hub.models(), request.model)
        asker = self._asker(account, stream=False)
        (stream,) = self._submit([embedding_order(request, card, asker)])
        return await embedded(asker.job, card.model, request, stream, self._record(asker, card.model))

    def pseudo_models(self) -> list[Pseudo]:
        """The names beside the models' own that can be served now."""
        return self._router.pseudo(self._hub.models())

    def _place(self, request: Request, account: AccountId, kept: Kept | None) -> Place:
        if kept is not None and kept.fixed is not None:
            return Place(card=kept.fixed.card, chosen=kept.fixed.chosen)
        try:
            card, chosen = self._router.route(request, self._hub.models(), account, self._hub.monotonic())
        except ModelNotFound:
            if self._router.is_known(request.model):
                self._hub.missed(request.model)
            raise
        return Place(card=card, chosen=chosen)

    def _submit(self, orders: Sequence[JobOrder]) -> list[JobStream]:
        """All orders or none."""
        streams: list[JobStream] = []
        try:
            for order in orders:
                streams.append(self._hub.submit(order))  # noqa: PERF401 - those submitted are cancelled if one fails
        except BaseException:
            for stream in streams:
                stream.cancel()
            raise
        return streams

    def _asker(self, account: AccountId, *, stream: bool, kept: Kept | None = None) -> Asker:
        wait_s = self._limits.stream_deadline_s if stream else self._limits.plain_deadline_s
        fixed = None if kept is None else kept.fixed
        return Asker(
            job=job_id(self._random_bytes(ID_BYTES)) if fixed is None else fixed.job,
            account=account,
            wall_time_s=self._wall_time() if fixed is None else fixed.wall_time_s,
            deadline_s=self._hub.monotonic() + wait_s,
        )

    async def drain(self, timeout_s: float) -> None:
        """Wait for records still being written, at the pool's end."""
        await self._background.drain(timeout_s)
