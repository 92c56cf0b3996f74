"""What every mock answers: a text of numbered tokens, so that whoever reads it sees what is missing, doubled or moved."""

import resource

MODEL = "bench"  # one token a step, as fast as it goes
WHOLE = "bench-whole"  # all tokens in one step: an engine without any delay
PACED = "bench-paced"  # one token each PACE_S
MODELS = (MODEL, WHOLE, PACED)
PACE_S = 0.02


def token(index: int) -> str:
    """The token's text."""
    return f" {index:04d}"


def text(count: int) -> str:
    """A whole answer."""
    return "".join(map(token, range(count)))


def raise_open_files(wanted: int) -> int:
    """Raise this process's limit of open files as far as it goes; the limit that holds now."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft >= wanted:
        return soft
    for limits in ((wanted, max(hard, wanted)), (min(wanted, hard), hard)):
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, limits)
            break
        except (ValueError, OSError):
            continue
    return resource.getrlimit(resource.RLIMIT_NOFILE)[0]
