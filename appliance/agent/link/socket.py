"""A WebSocket to a pool, and what goes wrong with it in words."""

import asyncio
import contextlib
import ipaddress
import ssl
from collections.abc import AsyncIterator
from urllib.parse import urlsplit

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus, WebSocketException

from appliance.agent.errors import AgentError
from iamine.wire.messages import MAX_FRAME_BYTES

HELLO_S = 10.0  # the whole greeting
CLOSE_S = 1.0  # to send what is queued and to say goodbye
PING_INTERVAL_S, PING_TIMEOUT_S = 15.0, 30.0  # together: a dead pool is noticed within 45 s


class LinkBroken(AgentError):
    """The link ended; another attempt may succeed."""

    def __init__(self, reason: str, *, retry_after_s: float = 0.0, hint: str = "") -> None:
        super().__init__(reason, hint=hint)
        self.retry_after_s = retry_after_s


@contextlib.asynccontextmanager
async def opened(url: str, agent: str, *, open_s: float = HELLO_S, verified: bool = True) -> AsyncIterator[ClientConnection]:
    """A connection for the block; any certificate will do unless `verified`. Raises LinkBroken, also for what breaks inside."""
    try:
        async with _connection(url, agent, open_s, verified) as socket:
            yield socket
    except InvalidStatus as error:
        raise LinkBroken(_status_reason(url, error.response.status_code)) from error
    except asyncio.TimeoutError as error:
        raise LinkBroken(f"no answer from {url}") from error
    except ssl.SSLCertVerificationError as error:
        what, hint = certificate_problem(error)
        raise LinkBroken(f"cannot trust {url}: {what}", hint=hint) from error
    except OSError as error:
        raise LinkBroken(f"cannot reach {url}: {error.strerror or error}") from error
    except ConnectionClosed as error:
        raise LinkBroken(f"the connection to the pool broke off ({error})") from error
    except WebSocketException as error:
        raise LinkBroken(f"{url} does not speak WebSocket: {error}") from error


def certificate_problem(error: ssl.SSLCertVerificationError) -> tuple[str, str]:
    """What is wrong with a certificate, and what to do. The numbers are OpenSSL's X509_V_ERR_* (x509_vfy.h)."""
    match error.verify_code:
        case 9:
            return "its certificate is not valid yet", "set this machine's clock: timedatectl set-ntp true"
        case 10:
            return "its certificate has expired", "tell the pool's operator, unless this machine's clock is wrong"
        case 18 | 19:
            return (
                "its certificate is signed by itself",
                "add it to this machine's trusted certificates, or ask the operator for one",
            )
        case 20 | 21:
            return "its certificate is from an issuer that this machine does not know", "install or update ca-certificates"
        case 62 | 64:
            return "its certificate is for another name", "check the address, or tell the pool's operator"
        case _:
            return f"its certificate is refused ({error.verify_message})", "tell the pool's operator"


def is_loopback(url: str) -> bool:
    """Whether the pool runs on this machine; then no proxy stands between."""
    host = urlsplit(url).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def _connection(url: str, agent: str, open_s: float, verified: bool) -> connect:
    return connect(
        url,
        ssl=_trust(url, verified),
        compression=None,
        max_size=MAX_FRAME_BYTES,
        open_timeout=open_s,
        close_timeout=CLOSE_S,
        ping_interval=PING_INTERVAL_S,
        ping_timeout=PING_TIMEOUT_S,
        proxy=None if is_loopback(url) else True,
        user_agent_header=agent or None,
    )


def _trust(url: str, verified: bool) -> ssl.SSLContext | bool | None:
    """What `connect` takes: None for what is not sealed, and for nothing else; True is this machine's own trust."""
    if not url.startswith("wss:"):
        return None
    return True if verified else _unverified()


def _unverified() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


def _status_reason(url: str, status: int) -> str:
    if status in {403, 404, 405}:
        return f"{url} is no pool's door for workers (HTTP {status}); check the address"
    return f"{url} answered with HTTP {status} instead of a link"
