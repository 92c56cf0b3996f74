"""The course of one choice: the jobs that make it, one after the other, told as one answer.

A choice begins as one job on one model. While it waits it may move to another model (routing/fallback.py decides); when its
model is gone for good in the middle, another goes on from its text; when it calls the think tool, a larger model is asked,
and a further job goes on behind the result; when nobody here can serve it soon, an upstream provider may.
"""

import logging
from collections.abc import Sequence
from dataclasses import replace

import msgspec

from iamine.ids import JobId, ModelId
from iamine.wire.messages import ChatWork, Value, Work
from pool.dispatch.choice import Choice
from pool.dispatch.detour import Detour, may_ask
from pool.dispatch.events import AnswerEvent, Asks, ChoiceEnded, Moved, StreamEvent
from pool.dispatch.events import Thinking as ThinkingTold
from pool.dispatch.limits import Limits
from pool.dispatch.orders import effort_for, fingerprint, formats, name_param
from pool.dispatch.ports import Hub, JobStream, Upstream
from pool.dispatch.route import Request, Router, nobody
from pool.dispatch.thinking import Thinking, question_order
from pool.errors import AnswerLost, ContextTooLong, DeadlineExceeded, PoolError
from pool.openai.types import ChatRequest, Chosen
from pool.routing.fallback import SHORT_WAIT_S, Stay
from pool.routing.types import Begun, Delta, JobOrder, ModelCard, Queued
from pool.toolcalls import think_tool
from pool.toolcalls.formats import Formats

log = logging.getLogger("iamine.pool.dispatch")

LOOK_EVERY_S = 1.0  # how often a waiting job looks whether another model would take it sooner
FRONT = 50  # behind this place in the queue it looks less often: 10 000 that wait look 300 times a second in all
GO_ON_S = 60.0  # a further job of an answer that was begun waits at least so long (Patience.resume_s)
MIN_THOUGHT_TOKENS = 8  # below this an answer is not worth asking for
MAX_MOVES = 16
BUSY_PATIENCE = 3  # a model whose workers are only busy is waited for so many times longer
CONTEXT_SHARE = 4  # of a small model's context, 1/4 may be a thought


class Setting(Value, frozen=True, kw_only=True):
    """What the courses of one answer share. `think`: the think tool is offered; `stays`: the answer is kept, job by job, to
    be told again, so it neither moves to another model nor leaves the pool.
    """

    hub: Hub
    router: Router
    request: Request
    limits: Limits
    think: bool = False
    stays: bool = False
    upstream: Upstream | None = None


class Place(Value, frozen=True, kw_only=True):
    """The model that a choice is at, and how it was chosen."""

    card: ModelCard
    chosen: Chosen


class Course:
    """Ask it for the AnswerEvents of one choice; `cancel` frees what it holds."""

    def __init__(self, setting: Setting, place: Place, choice: Choice, order: JobOrder, stream: JobStream) -> None:
        self.choice = choice
        self.place = place
        self.thoughts: list[Thinking] = []
        self._setting = setting
        self._first = self._order = order
        self._stream, self._events = stream, stream.__aiter__()
        self._pending: list[AnswerEvent] = []
        self._over = False
        self._jobs = self._moves = 0
        self._asks: Asks | None = None
        self._away = False
        self._turns: list[dict[str, object]] = []
        self._detour = Detour()
        self._since = self._looked_at = setting.hub.monotonic()
        self._lost_at: float | None = None
        choice.tally.on_model(place.card.model)

    @property
    def order(self) -> JobOrder:
        """The order of the job that makes the choice now."""
        return self._order

    def cancel(self) -> None:
        """Nobody listens any more. May be called again."""
        self._over = True
        self._detour.cancel()
        self._stream.cancel()
        for thinking in self.thoughts:
            thinking.cancel()

    async def some(self) -> Sequence[AnswerEvent]:
        """The next events, all that are there; none when the choice is over. Raises PoolError."""
        while not self._pending:
            if self._over:
                return ()
            await (self._advance() if self._asks is None else self._think(self._asks))
        told, self._pending = self._pending, []
        return told

    async def _advance(self) -> None:
        """Wait for an event of the job, and take those that came with it."""
        try:
            event = await (self._next() if self._detour.open else self._events.__anext__())
        except StopAsyncIteration:
            raise AnswerLost("The answer broke off; asking again is safe.") from None
        except PoolError as error:
            if not self._recovers(error):
                name_param(error, self._order)
                raise
            return
        while event is not None:
            if not (isinstance(event, Queued) and self._waits(event)):
                self._tell(event)
            event = None if self._over or self._asks is not None or self._detour.open else self._stream.at_hand()

    async def _next(self) -> StreamEvent | None:
        """The job's next event; None when the upstream provider took over, or could not."""
        found = await self._detour.next(self._stream)
        if found is None or isinstance(found, StreamEvent):
            return found
        self._leaves(found)
        return None

    def _tell(self, event: StreamEvent) -> None:
        if isinstance(event, Begun | Delta):
            self._lost_at = None
        told = self.choice.on(event)
        last = told[-1] if told else None
        if isinstance(last, Asks):
            told.pop()
            self._stream.cancel()
            self._asks = last
        elif isinstance(last, ChoiceEnded):
            self._over = True
            self._stream.cancel()
        self._pending.extend(told)

    # ---- waiting and moving -------------------------------------------------------------------------------------------

    @property
    def _opening(self) -> str:
        """What the job that makes the choice now goes on from."""
        work = self._order.work
        return work.opening if isinstance(work, ChatWork) else ""

    @property
    def _part_tokens(self) -> int:
        return self.choice.tally.tokens - self.choice.tally.base

    def _waits(self, queued: Queued) -> bool:
        """See, once in a while, whether another model had better take it. True when one does."""
        now = self._setting.hub.monotonic()
        if self._part_tokens or self._opening:
            return self._waits_in_the_middle(now)
        if now - self._looked_at < LOOK_EVERY_S * max(1.0, queued.position / FRONT) or self._moves >= MAX_MOVES:
            return False
        self._looked_at = now
        setting, card = self._setting, self.place.card
        stay = Stay(
            model=card.model,
            wait_s=queued.estimate_s,
            left_s=self._order.deadline_s - now,
            named=self.place.chosen.named,
        )
        found = setting.router.move(setting.request, setting.hub.models(), self.place.chosen, stay, now)
        if found is None:
            self._looks_upstream(queued, now)
            return False
        self._move(*found)
        return True

    def _looks_upstream(self, queued: Queued, now: float) -> None:
        """Ask the provider, where there is one, while the job goes on waiting here."""
        setting, upstream, request = self._setting, self._setting.upstream, self._setting.request
        if upstream is None or self._turns or now - self._since < upstream.after_s or not may_ask(request):
            return
        lives = any(card.model == self._order.model and card.workers for card in setting.hub.models())
        if lives and queued.estimate_s is not None and queued.estimate_s <= SHORT_WAIT_S:
            return
        assert isinstance(request, ChatRequest), "only chats may be asked elsewhere"
        if setting.router.may_leave(request, self.place.chosen):
            model = upstream.model(self.place.chosen.asked)
            self._detour.begin(upstream.open(request, model, seed=self._order.sampling.seed), now)

    def _leaves(self, stream: JobStream) -> None:
        """The provider was first."""
        assert self._setting.upstream is not None, "somebody answered"
        asked = self.place.chosen
        model = self._setting.upstream.model(asked.asked)
        chosen = replace(asked, tier=asked.asked, degraded=False, reason="answered by the upstream provider")
        card = replace(self.place.card, model=model, file_sha256=(), workers=0, tool_format="", reasoning_format="")
        self._stream.cancel()
        self._away = True
        self._stream, self._events, self.place = stream, stream.__aiter__(), Place(card=card, chosen=chosen)
        self._order = self._order.but(model=model)
        self.choice.next_part(Formats())
        self.choice.tally.on_model(model)
        self._pending.append(Moved(choice=self.choice.index, model=model, fingerprint=fingerprint(card), chosen=chosen))

    def _waits_in_the_middle(self, now: float) -> bool:
        """The answer waits for its own model's file for a while, then for any that can go on from its text."""
        if self._lost_at is None:
            self._lost_at = now
        patience_s = self._setting.limits.same_model_wait_s
        own = next((card for card in self._setting.hub.models() if card.model == self._order.model), None)
        if own is None:
            patience_s = 0.0  # it waits for anybody
        elif own.workers:
            patience_s *= BUSY_PATIENCE
        return now - self._lost_at >= patience_s and self._goes_on_from_text()

    def _goes_on_from_text(self) -> bool:
        """Another model takes over after the text so far. Only where that is plain content."""
        text, setting = self.choice.plain_text, self._setting
        if text is None or self._order.sampling.grammar is not None:
            return False
        lost = ModelId("") if self._away else self._order.model  # a provider's model may bear the name of one here
        heir = setting.router.heir(setting.request, setting.hub.models(), self.place.chosen, lost, tools=bool(self._turns))
        if heir is None or self._moves >= MAX_MOVES:
            return False
        log.info("job %s goes on from its text: %s is gone, %s takes over", self._first.job, self._order.model, heir[0].model)
        self._move(*heir, opening=text)
        return True

    def _recovers(self, error: PoolError) -> bool:
        """Whether the choice goes on in spite of the error."""
        if self._setting.stays:
            return False
        if isinstance(error, ContextTooLong):
            return not self._part_tokens and (self._forgets_thought() or self._finds_room())
        begun = self._part_tokens > 0 or self._opening != ""
        if not begun or not isinstance(error, AnswerLost | DeadlineExceeded):
            return False
        return self._goes_on_from_text() or self._waits_for_anybody()

    def _waits_for_anybody(self) -> bool:
        """What a provider broke off waits here for the first that can go on from its text."""
        text = self.choice.plain_text
        if not self._away or text is None or not self._setting.router.may_leave(self._setting.request, self.place.chosen):
            return False
        self.place = Place(card=nobody(self._setting.request.model), chosen=self.place.chosen)
        self._go_on(opening=text)
        return True

    def _finds_room(self) -> bool:
        setting, card = self._setting, self.place.card
        found = setting.router.roomier(setting.request, setting.hub.models(), self.place.chosen, card.context_tokens)
        if found is None or self._opening or self._moves >= MAX_MOVES:
            return False
        self._move(*found)
        return True

    def _move(self, card: ModelCard, chosen: Chosen, opening: str = "") -> None:
        """Go on with another model, after what there is."""
        self._moves += 1
        self.place = Place(card=card, chosen=chosen)
        self._pending.append(Moved(choice=self.choice.index, model=card.model, fingerprint=fingerprint(card), chosen=chosen))
        self._go_on(opening=opening)

    def _go_on(self, *, turn: bool = False, opening: str = "") -> None:
        """A further job of this choice; its id is its own, so that no frame of the one before counts for it."""
        self._detour.cancel()
        self._stream.cancel()
        self._jobs += 1
        self._lost_at, self._away = None, False
        hub, card = self._setting.hub, self.place.card
        begun_s = hub.monotonic() + GO_ON_S if self.choice.begun else 0.0
        self.choice.next_part(formats(self._setting.request, card), turn=turn)
        self.choice.tally.on_model(card.model)
        left = min(self.left_tokens(), card.context_tokens)
        self._order = self._order.but(
            job=JobId(f"{self._first.job}.p{self._jobs}"),
            model=card.model,
            work=self._work(opening),
            wish=self.place.chosen.wish,
            sampling=self._order.sampling.but(max_tokens=left),
            deadline_s=max(self._order.deadline_s, begun_s),
        )
        self._stream = hub.submit(self._order)
        self._events = self._stream.__aiter__()

    def left_tokens(self) -> int:
        """How much of the request's budget is left; what was thought counts too."""
        spent = self.choice.tally.tokens + sum(thinking.tally.tokens for thinking in self.thoughts)
        return self._first.sampling.max_tokens - spent

    # ---- the think tool ---------------------------------------------------------------------------------------------------

    async def _think(self, asks: Asks) -> None:
        """Ask a larger model, and go on behind its answer. First call: say so; second: do it."""
        number = self._thought_turns + 1
        if number > think_tool.MAX_CALLS:
            self._asks = None
            self._answer(asks, think_tool.NO_MORE, number)
            return
        thinking = self._asked(number)
        if thinking is None:
            thinking = self._ask(asks, number)
            if thinking is not None:
                return  # the comment goes out first
        text = "" if thinking is None else await thinking.run(self._setting.limits.think_timeout_s)
        self._asks = None
        self._answer(asks, text or think_tool.NO_ANSWER, number)

    def _asked(self, number: int) -> Thinking | None:
        """The thought of this number that is under way."""
        return next((one for one in self.thoughts if one.number == number), None)

    def _ask(self, asks: Asks, number: int) -> Thinking | None:
        """Begin to ask; None when there is nobody to ask, or no room for an answer."""
        setting = self._setting
        card = setting.router.thinker(setting.hub.models(), self.place.chosen.tier, setting.hub.monotonic())
        own = self.place.card.context_tokens // CONTEXT_SHARE
        most = min(setting.limits.think_tokens, self.left_tokens() // 2, own)
        if card is None or most < MIN_THOUGHT_TOKENS:
            return None
        job = JobId(f"{self._first.job}.t{number}")
        deadline_s = setting.hub.monotonic() + setting.limits.think_timeout_s
        order = question_order(asks.question, card, job=job, like=self._first, most=most, deadline_s=deadline_s)
        self.thoughts.append(Thinking(card, order, setting.hub, number))
        self._pending.append(ThinkingTold(model=card.model))
        return self.thoughts[-1]

    def _answer(self, asks: Asks, result: str, number: int) -> None:
        """The next turn, behind the call and its result."""
        if self.left_tokens() <= 0 or number > think_tool.MAX_CALLS + 1:
            self._over = True
            self._pending.append(self.choice.end("length" if self.left_tokens() <= 0 else "stop"))
            return
        self._turns += think_tool.turns(self.choice.content, asks.arguments, result, number)
        self._go_on(turn=True)

    @property
    def _thought_turns(self) -> int:
        return len(self._turns) // 2

    def _work(self, opening: str) -> Work:
        """What the next job is to do: the request, what was thought, and what was said since."""
        setting, request = self._setting, self._setting.request
        if not isinstance(request, ChatRequest):
            return self._order.work
        messages = think_tool.extended(request.messages, self._turns) if self._turns else request.messages
        offers = setting.think and self._thought_turns <= think_tool.MAX_CALLS
        offers = offers and self.place.chosen.tier in setting.limits.think_tiers and self.place.card.tool_format != ""
        tools = think_tool.offered(request.tools_json) if offers else request.tools_json
        effort = effort_for(request, self.place.card)
        return ChatWork(messages=msgspec.Raw(messages), tools=msgspec.Raw(tools), opening=opening, effort=effort)

    def _forgets_thought(self) -> bool:
        """A thought that does not fit the small model's context is taken back."""
        if not self._turns or self._turns[-1]["content"] == think_tool.NO_ANSWER:
            return False
        self._turns[-1] = self._turns[-1] | {"content": think_tool.NO_ANSWER}
        self._go_on()
        return True
