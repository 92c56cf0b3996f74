"""The engine that plays the script: prompts, ids, text and limits are the agent's own code, only the draw is not.

It has mote's vocabulary and template (the file's weights are not read), so every token it sends is one of that
vocabulary and user text cannot become a control token. A constraint is kept: what does not fit it is refused.
"""

import asyncio
import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema_rs

from appliance.agent.engine.llama import LogRing, Model
from appliance.agent.engine.markers import SEAM, Markers
from appliance.agent.engine.prepare import Prepared, PreparedInputs, Preparer, Refused
from appliance.agent.engine.sequence import Prepared as SequencePrepared
from appliance.agent.engine.sequence import Sequence
from iamine.ids import ModelId
from iamine.wire.messages import (
    Cancel,
    ChatWork,
    EngineOut,
    Failed,
    Finished,
    Grammar,
    Job,
    ModelOffer,
    Started,
    Step,
    TokenLogprob,
    TopToken,
)
from puppet import rules
from puppet.fill import CannotFill

MODEL = "scripted"
CONTEXT_TOKENS = 131_072
SLOTS = 8


class Script:
    """The model: from a job to the ids of its whole answer."""

    def __init__(self, file: Path) -> None:
        self._logs = LogRing()  # kept: llama.cpp has a pointer to it
        self._logs.install()
        self._model = Model(file, exact=True, vocabulary_only=True)
        self.vocabulary = self._model.vocabulary
        template = self._model.meta("tokenizer.chat_template")
        self._preparer = Preparer(self.vocabulary, template, kind="chat", context_tokens=CONTEXT_TOKENS)
        self._markers = Markers(special.text for special in self.vocabulary.specials())
        sources = sorted(Path(__file__).parent.glob("*.py"))
        self.offer = ModelOffer(
            model=ModelId(MODEL),
            file_sha256=hashlib.sha256(b"".join(source.read_bytes() for source in sources)).hexdigest(),
            template_sha256=self._preparer.template_sha256,
            tool_format="hermes",
            slots=SLOTS,
            context_tokens=CONTEXT_TOKENS,
            vocabulary_tokens=self.vocabulary.size,
            exact=True,
        )

    def prepare(self, job: Job) -> Prepared:
        """The prompt's ids. Raises Refused."""
        prepared = self._preparer.prepare(job)
        assert not isinstance(prepared, PreparedInputs)
        return prepared

    def answer(self, job: Job) -> list[int]:
        """The ids of the whole answer. Raises Refused."""
        if not isinstance(job.work, ChatWork):
            raise Refused("bad_request", "this model plays its script in chats only")
        messages, tools = json.loads(bytes(job.work.messages)), json.loads(bytes(job.work.tools))
        try:
            said = rules.answer(messages, tools, job.sampling.grammar)
        except CannotFill as error:
            raise Refused("bad_grammar", str(error)) from error
        if job.sampling.grammar is not None:
            check(job.sampling.grammar, "".join(piece.text for piece in said))
        return [token for piece in said for token in self._ids(piece)]

    def _ids(self, piece: rules.Said) -> list[int]:
        """The piece's ids; only markup may become control tokens, as a model that repeats something writes it in pieces."""
        parts = [piece.text] if piece.markup else self._markers.guard(piece.text).split(SEAM)
        return [token for part in parts for token in self.vocabulary.tokenize(part, special=piece.markup)]

    def logprob(self, token: int) -> TokenLogprob:
        """A script knows no alternative: the token is certain."""
        data = tuple(self.vocabulary.piece(token))
        return TokenLogprob(id=token, logprob=0.0, bytes=data, top=(TopToken(id=token, logprob=0.0, bytes=data),))


def check(grammar: Grammar, text: str) -> None:
    """Raises Refused unless the text keeps to the constraint."""
    value: Any = json.loads(text)
    schema = json.loads(grammar.text) if grammar.kind == "json_schema" else {"type": "object"}
    try:
        fits = jsonschema_rs.validator_for(schema).is_valid(value)
    except ValueError as error:
        raise Refused("bad_grammar", "the constraint is no JSON schema") from error
    if not fits:
        raise Refused("bad_grammar", "the script found no value that fits this schema")


class Puppet:
    """The agent's `Engines`: plays each job in a task of its own, a token a turn of the event loop."""

    ready = True

    def __init__(self, script: Script, on_frame: Callable[[EngineOut], None]) -> None:
        self._script = script
        self._on_frame = on_frame
        self._tasks: dict[tuple[str, int], asyncio.Task[None]] = {}

    @property
    def offers(self) -> tuple[ModelOffer, ...]:
        return (self._script.offer,)

    def submit(self, job: Job) -> None:
        key = job.job, job.epoch
        task = self._tasks[key] = asyncio.get_running_loop().create_task(self._play(job))
        task.add_done_callback(lambda _: self._tasks.pop(key, None))

    def cancel(self, cancel: Cancel) -> None:
        task = self._tasks.get((cancel.job, cancel.epoch))
        if task is not None:
            task.cancel()

    def cancel_all(self) -> None:
        for task in self._tasks.values():
            task.cancel()

    async def _play(self, job: Job) -> None:
        await asyncio.sleep(0)
        try:
            prepared, ids = self._script.prepare(job), self._script.answer(job)
        except Refused as refused:
            self._on_frame(refused.frame(job))
            return
        except Exception as error:
            self._on_frame(
                Failed(job=job.job, epoch=job.epoch, code="bad_request", message=f"the script: {error!r}", retryable=False)
            )
            raise
        await self._tell(prepared, ids)

    async def _tell(self, prepared: SequencePrepared, ids: list[int]) -> None:
        job, vocabulary = prepared.job, self._script.vocabulary
        sequence = Sequence.begin(prepared, vocabulary, CONTEXT_TOKENS)
        self._on_frame(
            Started(
                job=job.job,
                epoch=job.epoch,
                prompt_tokens=len(prepared.prompt),
                prompt_sha256=prepared.prompt_sha256,
                marks=tuple(prepared.marks.values()),
            )
        )
        finished: Finished | None = sequence.ended()
        for token in [*ids[len(job.prefix) :], vocabulary.eos]:
            if finished is not None:
                break
            logprob = None if job.sampling.logprobs is None else self._script.logprob(token)
            taken = sequence.take(token, logprob)
            if taken.step is not None:
                self._on_frame(Step(sequences=(taken.step,)))
            finished = taken.finished
            await asyncio.sleep(0)
        assert finished is not None
        self._on_frame(finished)
