"""What the operator sets about the HTTP side, and what Sanic must be told for it."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Bounds and names of the HTTP side. `cors_origins` are whole origins (https://example.org), or "*".

    `files_url`: a web server over a models folder, "" for none.
    """

    name: str = "IAMINE pool"
    version: str = ""
    cors_origins: frozenset[str] = frozenset()
    files_url: str = ""
    max_body_bytes: int = 4 * 1024 * 1024
    max_bodies_bytes: int = 256 * 1024 * 1024
    body_timeout_s: float = 60.0
    concurrent_per_key: int = 256
    requests_per_minute: int = 6000
    tokens_per_minute: int = 10_000_000
    open_after_s: float = 1.0
    comment_every_s: float = 1.0
    stalled_client_s: float = 60.0
    watch_every_s: float = 0.1
    refusal_s: float = 1.0


NEVER_S = 30 * 24 * 3600  # Sanic has no "off" for its response timeout


def sanic_config(settings: Settings) -> dict[str, object]:
    """For `app.config.update`. Answers take as long as they take: watch.py cuts the clients that are gone or stalled."""
    return {
        "ACCESS_LOG": False,
        "AUTO_EXTEND": False,
        "MOTD": False,
        "RESPONSE_TIMEOUT": NEVER_S,
        "REQUEST_TIMEOUT": 60,
        "KEEP_ALIVE_TIMEOUT": 120,
        "REQUEST_MAX_SIZE": settings.max_body_bytes,
        "REQUEST_MAX_HEADER_SIZE": 16_384,
        "FALLBACK_ERROR_FORMAT": "json",
        "GRACEFUL_TCP_CLOSE_TIMEOUT": 5.0,
    }
