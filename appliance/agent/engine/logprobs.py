"""Log probabilities of a drawn token and its alternatives, over the raw logits (before temperature and bias)."""

from collections.abc import Callable

from appliance.agent.engine.draw import Logits, log_total, top_tokens
from iamine.wire.messages import TokenLogprob, TopToken


def token_logprob(raw: Logits, token: int, count: int, piece: Callable[[int], bytes]) -> TokenLogprob:
    """Natural logarithms; `count` alternatives, best first, each with its bytes."""
    total = log_total(raw)
    top = tuple(TopToken(id=i, logprob=float(raw[i]) - total, bytes=tuple(piece(i))) for i in top_tokens(raw, count))
    return TokenLogprob(id=token, logprob=float(raw[token]) - total, bytes=tuple(piece(token)), top=top)
