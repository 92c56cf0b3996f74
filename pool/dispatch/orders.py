"""From a request and a model's card to job orders. Pure: ids and times come in."""

from collections.abc import Sequence

import msgspec

from iamine.ids import AccountId, JobId, ModelId
from iamine.wire.messages import ChatWork, CompletionWork, EmbeddingWork, Sampling, Value, Work
from pool.errors import ContextTooLong, InvalidRequest, ModelNotFound
from pool.openai.sampling import nth_sampling
from pool.openai.types import ChatRequest, CompletionRequest, EmbeddingsRequest, Prompt
from pool.routing.types import JobOrder, ModelCard
from pool.toolcalls.formats import BARE, Formats

BYTES_PER_TOKEN = 4  # a usual English figure; an estimate for the queue only


class Asker(Value, frozen=True, kw_only=True):
    """Whose request it is, its job, and its times: wall clock, and the hub's clock by which it must have started."""

    job: JobId
    account: AccountId
    wall_time_s: float
    deadline_s: float


def find_model(cards: Sequence[ModelCard], model: ModelId, *, embedding: bool) -> ModelCard:
    """The model's card. Raises ModelNotFound naming those there are, or InvalidRequest for one of the other kind."""
    card = next((card for card in cards if card.model == model), None)
    if card is None:
        known = ", ".join(card.model for card in cards if (card.kind == "embedding") is embedding) or "none yet"
        raise ModelNotFound(f"The model '{model}' does not exist here.", param="model", hint=f"Models here: {known}.")
    if (card.kind == "embedding") is not embedding:
        what, where = ("an embedding", "/v1/embeddings") if card.kind == "embedding" else ("a chat", "/v1/chat/completions")
        raise InvalidRequest(f"'{model}' is {what} model: send it to {where}.", param="model", code="model_not_supported")
    return card


def chat_orders(request: ChatRequest, card: ModelCard, asker: Asker, answer_cap: int) -> list[JobOrder]:
    """One order per choice. Raises InvalidRequest for what this model cannot do."""
    if card.kind != "chat":
        raise InvalidRequest(
            f"'{card.model}' has no chat template: send it to /v1/completions.", param="model", code="model_not_supported"
        )
    if request.tools and not Formats(tool=card.tool_format).known.tool:
        raise InvalidRequest(f"'{card.model}' cannot call tools.", param="tools", code="unsupported_parameter")
    if request.effort not in ("", "none") and not card.reasoning_format:
        message = f"'{card.model}' does not reason: leave 'reasoning_effort' out, or send 'none'."
        raise InvalidRequest(message, param="reasoning_effort", code="unsupported_parameter")
    work = ChatWork(
        messages=msgspec.Raw(request.messages), tools=msgspec.Raw(request.tools_json), effort=effort_for(request, card)
    )
    estimate = (len(request.messages) + len(request.tools_json)) // BYTES_PER_TOKEN
    limit = _limit(request.max_tokens, card, answer_cap)
    _check_bias(request.sampling, card)
    return [
        _order(card, asker, work, nth_sampling(request.sampling, i, limit), i, request.n, estimate) for i in range(request.n)
    ]


def effort_for(request: ChatRequest, card: ModelCard) -> str:
    """What the engine is told; a model that does not reason needs not be told to leave it."""
    return request.effort if card.reasoning_format else ""


def completion_orders(request: CompletionRequest, card: ModelCard, asker: Asker, answer_cap: int) -> list[JobOrder]:
    """One order per prompt and sample. Raises InvalidRequest for what this model cannot do."""
    limit = _limit(request.max_tokens, card, answer_cap)
    _check_bias(request.sampling, card)
    count = len(request.prompts) * request.n
    orders: list[JobOrder] = []
    for prompt in request.prompts:
        _check_prompt(prompt, card, "prompt")
        for sample in range(request.n):
            sampling = nth_sampling(request.sampling, sample, limit)
            orders.append(_order(card, asker, CompletionWork(prompt=prompt), sampling, len(orders), count, _estimate(prompt)))
    return orders


def embedding_order(request: EmbeddingsRequest, card: ModelCard, asker: Asker) -> JobOrder:
    """One order for all inputs."""
    for item in request.inputs:
        _check_prompt(item, card, "input")
    estimate = sum(map(_estimate, request.inputs))
    return _order(card, asker, EmbeddingWork(inputs=request.inputs), Sampling(max_tokens=0), 0, 1, estimate)


def name_param(error: Exception, order: JobOrder) -> None:
    """Say which parameter a worker's refusal is about: everything but the prompt's length and the grammar was checked."""
    if not isinstance(error, InvalidRequest) or error.param is not None:
        return
    if isinstance(error, ContextTooLong):
        error.param = "messages" if isinstance(order.work, ChatWork) else "prompt"
    elif isinstance(order.work, ChatWork) and order.work.effort and "reasoning_effort" in str(error):
        error.param = "reasoning_effort"
    elif order.sampling.grammar is not None:
        tools = isinstance(order.work, ChatWork) and bytes(order.work.tools) != b"[]"
        error.param = "tools" if tools else "grammar" if order.sampling.grammar.kind == "gbnf" else "response_format"


def _order(card: ModelCard, asker: Asker, work: Work, sampling: Sampling, index: int, count: int, estimate: int) -> JobOrder:
    return JobOrder(
        job=asker.job if count == 1 else JobId(f"{asker.job}.{index}"),
        account=asker.account,
        model=card.model,
        work=work,
        sampling=sampling,
        wall_time_s=asker.wall_time_s,
        deadline_s=asker.deadline_s,
        estimated_prompt_tokens=estimate,
    )


def _limit(asked: int | None, card: ModelCard, answer_cap: int) -> int:
    """Never more than the context holds: the engine ends the answer with "length" where prompt and answer fill it."""
    return min(answer_cap if asked is None else asked, card.context_tokens)


def _estimate(prompt: Prompt) -> int:
    return len(prompt.encode()) // BYTES_PER_TOKEN if isinstance(prompt, str) else len(prompt)


def _check_bias(sampling: Sampling, card: ModelCard) -> None:
    for token in sampling.logit_bias:
        if token >= card.vocabulary_tokens > 0:
            message = f"'{card.model}' has no token {token}: its tokens are 0 to {card.vocabulary_tokens - 1}."
            raise InvalidRequest(message, param=f"logit_bias.{token}")


def _check_prompt(prompt: Prompt, card: ModelCard, param: str) -> None:
    if isinstance(prompt, str):
        return
    if card.vocabulary_tokens > 0 and max(prompt) >= card.vocabulary_tokens:
        raise InvalidRequest(f"'{card.model}' has only the tokens 0 to {card.vocabulary_tokens - 1}.", param=param)
    if len(prompt) >= card.context_tokens:
        message = f"{len(prompt)} tokens do not fit the context of '{card.model}', {card.context_tokens} tokens."
        raise ContextTooLong(message, param=param)


def formats(request: ChatRequest | CompletionRequest, card: ModelCard) -> Formats:
    """How the answer is to be read. A grammar holds from the first token on, so what it allows is all there is."""
    if isinstance(request, CompletionRequest):
        return Formats()
    if request.sampling.grammar is not None:
        return Formats(tool=BARE if request.tools and not request.must_call else "")
    return Formats(tool=card.tool_format, reasoning=card.reasoning_format)


def fingerprint(card: ModelCard) -> str:
    """`system_fingerprint`: the model file's hash says which weights answer."""
    return f"fp_{card.file_sha256[0][:10]}" if card.file_sha256 else "fp_unknown"
