"""The use case: check, submit, record; hand back an answer that is being made."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from os import urandom

from iamine.ids import ID_BYTES, AccountId, job_id
from pool.dispatch.answer import Answer
from pool.dispatch.choice import Choice
from pool.dispatch.embedding import Embedded, embedded
from pool.dispatch.keeper import Keeper
from pool.dispatch.kept import Fixed, Kept, KeptRecord
from pool.dispatch.orders import Asker, chat_orders, completion_orders, embedding_order, formats
from pool.dispatch.ports import Hub, JobStream, Records
from pool.dispatch.record import Background, Record
from pool.dispatch.route import Pseudo, Router, Routing
from pool.dispatch.tooluse import tool_use
from pool.openai.objects import answer_id
from pool.openai.types import ChatRequest, Chosen, CompletionRequest, EmbeddingsRequest, Head
from pool.routing.types import JobOrder, ModelCard


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How long a request may wait to be started, in seconds, and the default bound of an answer, in tokens."""

    stream_deadline_s: float = 300.0
    plain_deadline_s: float = 100.0
    answer_cap_tokens: int = 32_768


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
        wall_time: Callable[[], float] = time.time,
        random_bytes: Callable[[int], bytes] = urandom,
    ) -> None:
        self._hub = hub
        self._records = records
        self.keeper = keeper
        self._limits = limits or Limits()
        self._router = Router(routing or Routing(), hub.wait_s)
        self._wall_time = wall_time
        self._random_bytes = random_bytes
        self._background = Background()

    async def chat(self, request: ChatRequest, account: AccountId, kept: Kept | None = None) -> Answer:
        """Begin a chat completion. Raises PoolError; whoever gets the answer must close it."""
        card, chosen = self._route(request, account, kept)
        tools = tool_use(request.tools, parallel=request.parallel_tool_calls, must=request.must_call)
        asker = self._asker(account, stream=request.stream, kept=kept)
        orders = chat_orders(request, card, asker, self._limits.answer_cap_tokens)
        logprobs = request.sampling.logprobs is not None
        read = formats(request, card)
        choices = [
            Choice(index=i, job=order.job, tools=tools, formats=read, logprobs=logprobs) for i, order in enumerate(orders)
        ]
        return await self._begin("chatcmpl", asker, (card, chosen), orders, choices, request.n, kept)

    async def completion(self, request: CompletionRequest, account: AccountId, kept: Kept | None = None) -> Answer:
        """Begin a raw completion. Raises PoolError; whoever gets the answer must close it."""
        card, chosen = self._route(request, account, kept)
        asker = self._asker(account, stream=request.stream, kept=kept)
        orders = completion_orders(request, card, asker, self._limits.answer_cap_tokens)
        logprobs = request.sampling.logprobs is not None
        echoes = [p if request.echo and isinstance(p, str) else "" for p in request.prompts for _ in range(request.n)]
        choices = [
            Choice(index=i, job=order.job, tools=None, logprobs=logprobs, echo=echoes[i]) for i, order in enumerate(orders)
        ]
        return await self._begin("cmpl", asker, (card, chosen), orders, choices, request.n, kept)

    async def _begin(
        self,
        prefix: str,
        asker: Asker,
        routed: tuple[ModelCard, Chosen],
        orders: Sequence[JobOrder],
        choices: Sequence[Choice],
        samples: int,
        kept: Kept | None,
    ) -> Answer:
        """Submit and record at once: the record's round trip costs no time to the first token."""
        card, chosen = routed
        streams, record = self._open(asker, routed, orders, kept)
        head = Head(
            id=answer_id(prefix, asker.job), model=card.model, created=int(asker.wall_time_s), fingerprint=fingerprint(card)
        )
        answer = Answer(
            job=asker.job,
            head=head,
            orders=orders,
            choices=choices,
            streams=streams,
            record=record,
            samples=samples,
            chosen=chosen,
        )
        try:
            await record.begun()
        except BaseException:
            answer.close()
            raise
        return answer

    def _open(
        self, asker: Asker, routed: tuple[ModelCard, Chosen], orders: Sequence[JobOrder], kept: Kept | None
    ) -> tuple[list[JobStream], Record | KeptRecord]:
        card, chosen = routed

        def record() -> Record:
            told = self._records, self._background
            return Record(*told, job=asker.job, account=asker.account, model=card.model, chosen=chosen)

        if kept is None:
            return self._submit(orders), record()
        fixed = Fixed(job=asker.job, wall_time_s=asker.wall_time_s, card=card, chosen=chosen)
        return kept.open(fixed, orders, self._hub.submit, record)

    async def embeddings(self, request: EmbeddingsRequest, account: AccountId) -> Embedded:
        """The vectors of the inputs. Raises PoolError."""
        card = self._router.embedding(self._hub.models(), request.model)
        asker = self._asker(account, stream=False)
        (stream,) = self._submit([embedding_order(request, card, asker)])
        record = Record(self._records, self._background, job=asker.job, account=account, model=card.model)
        return await embedded(asker.job, card.model, request, stream, record)

    def pseudo_models(self) -> list[Pseudo]:
        """The names beside the models' own that can be served now."""
        return self._router.pseudo(self._hub.models())

    def _route(
        self, request: ChatRequest | CompletionRequest, account: AccountId, kept: Kept | None
    ) -> tuple[ModelCard, Chosen]:
        if kept is not None and kept.fixed is not None:
            return kept.fixed.card, kept.fixed.chosen
        return self._router.route(request, self._hub.models(), account, self._hub.monotonic())

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


def fingerprint(card: ModelCard) -> str:
    """`system_fingerprint`: the model file's hash says which weights answer."""
    return f"fp_{card.file_sha256[0][:10]}" if card.file_sha256 else "fp_unknown"
