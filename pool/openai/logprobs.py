"""Log probabilities as OpenAI writes them: chat's objects and the old parallel lists."""

from collections.abc import Sequence

from iamine.wire.messages import TokenLogprob, TopToken

LOWEST = -9999.0  # OpenAI's API reference: "-9999.0 is used to signify that the token is very unlikely"

Json = dict[str, object]


def token_text(token: tuple[int, ...]) -> str:
    """The token's text; one that is not whole UTF-8 is written as OpenAI does, bytes:\\xe2\\x80."""
    data = bytes(token)
    try:
        return data.decode()
    except UnicodeDecodeError:
        return "bytes:" + "".join(f"\\x{byte:02x}" for byte in data)


def finite(logprob: float) -> float:
    """JSON has no infinity and no NaN."""
    return max(LOWEST, logprob)


def _entry(token: TokenLogprob | TopToken) -> Json:
    return {"token": token_text(token.bytes), "logprob": finite(token.logprob), "bytes": token.bytes}


def chat_logprobs(tokens: Sequence[TokenLogprob]) -> Json:
    """The `logprobs` object of a chat choice or chunk."""
    content = [_entry(token) | {"top_logprobs": [_entry(top) for top in token.top]} for token in tokens]
    return {"content": content, "refusal": None}


def old_logprobs(tokens: Sequence[TokenLogprob], offset: int) -> Json:
    """The `logprobs` object of a text completion; `offset` is where the first token's text begins, in characters."""
    texts = [token_text(token.bytes) for token in tokens]
    offsets = [offset + sum(map(len, texts[:i])) for i in range(len(texts))]
    return {
        "tokens": texts,
        "token_logprobs": [finite(token.logprob) for token in tokens],
        "top_logprobs": [{token_text(top.bytes): finite(top.logprob) for top in token.top} for token in tokens],
        "text_offset": offsets,
    }


def text_length(tokens: Sequence[TokenLogprob]) -> int:
    """Characters of the tokens as written: what the next call's offset rises by."""
    return sum(len(token_text(token.bytes)) for token in tokens)
