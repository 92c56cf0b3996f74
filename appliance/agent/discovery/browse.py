"""One look around the local network by mDNS (RFC 6762): its socket is open while the look lasts, and closed after it."""

import contextlib
import queue
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from zeroconf import Error, IPVersion, ServiceBrowser, ServiceListener, Zeroconf

from appliance.agent.errors import AgentError
from iamine.lan.record import Place, place

ASK_MS = 2000  # for the details of one announcement
MOST = 32  # announcements in one look; whoever floods the network makes nothing worse


class NoMulticast(AgentError):
    """The local network cannot be asked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """An announcement: where it is, and its TXT record as it came."""

    place: Place
    text: Mapping[bytes, bytes | None]


def browse(
    kind: str,
    *,
    look_s: float,
    settle_s: float,
    enough: Callable[[Seen], bool] = lambda seen: False,
    clock: Callable[[], float] = time.monotonic,
) -> list[Seen]:
    """What is announced of this kind: heard within `look_s`, but only `settle_s` after the first, or until one is enough.

    Raises NoMulticast.
    """
    found: list[Seen] = []
    with _opened() as zeroconf:
        heard: queue.SimpleQueue[str] = queue.SimpleQueue()
        browser = ServiceBrowser(zeroconf, kind, listener=_Ear(heard))
        end_s = clock() + look_s
        try:
            while (name := _next(heard, end_s - clock())) and len(found) < MOST:
                seen = _details(zeroconf, kind, name)
                if seen is not None:
                    end_s = end_s if found else min(end_s, clock() + settle_s)
                    found.append(seen)
                    if enough(seen):
                        break
        finally:
            browser.cancel()
    return found


def _next(heard: "queue.SimpleQueue[str]", wait_s: float) -> str | None:
    try:
        return heard.get(timeout=max(0.0, wait_s))
    except queue.Empty:
        return None


def _details(zeroconf: Zeroconf, kind: str, name: str) -> Seen | None:
    info = zeroconf.get_service_info(kind, name, timeout=ASK_MS)
    where = place(name, kind, info.parsed_addresses(IPVersion.V4Only), info.port) if info else None
    return Seen(place=where, text=info.properties) if info and where else None


@contextlib.contextmanager
def _opened() -> Iterator[Zeroconf]:
    try:
        zeroconf = Zeroconf(ip_version=IPVersion.V4Only)
    except (OSError, Error) as error:
        hint = "check that this machine has a network and may use UDP port 5353; or name the pool's address"
        raise NoMulticast(f"the local network cannot be asked: {error}", hint=hint) from error
    try:
        yield zeroconf
    finally:
        zeroconf.close()


class _Ear(ServiceListener):
    """Notes names in the browser's thread; details are asked for in ours."""

    def __init__(self, heard: "queue.SimpleQueue[str]") -> None:
        self._heard = heard

    def add_service(self, zc: Zeroconf, type_: str, name: str) -> None:
        """An announcement was heard."""
        self._heard.put(name)

    def update_service(self, zc: Zeroconf, type_: str, name: str) -> None:
        """It changed: looked at again."""
        self._heard.put(name)

    def remove_service(self, zc: Zeroconf, type_: str, name: str) -> None:
        """Whether it still answers is found out by asking it."""
