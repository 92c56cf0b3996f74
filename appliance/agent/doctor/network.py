"""The way to the pool, step by step: its name, its port, its certificate, itself, its key, its clock."""

import asyncio
import socket
import ssl
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

from appliance.agent.candidates import line
from appliance.agent.config import POOL_VARIABLE, worker_endpoint
from appliance.agent.discovery import NoMulticast
from appliance.agent.doctor.check import Check, fail, ok, warn
from appliance.agent.finding import AGENT, pools
from appliance.agent.link import Greeting, LinkBroken, certificate_problem, knock, read_pins
from iamine.identity import fingerprint
from iamine.wire.messages import WIRE_VERSION

CONNECT_S = 5.0
KNOCK_S = 8.0
LOOK_S = 4.0
CLOCK_S = 60.0  # signatures do not depend on the clock, but templates print dates and logs are compared
SOON_S = 7 * 86400.0
HTTPS = 443


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """The pool to check: its base address ("": none is set), the fingerprint that is asked for, where keys are pinned."""

    base: str
    pool_key: str
    pins: Path
    discover: bool = True


def way(wanted: Wanted) -> Iterator[Check]:
    """Each step; the first that fails is the last."""
    if not wanted.base:
        yield nobody(wanted)
        return
    host, port = _place(wanted.base)
    if proxy := _proxy(wanted.base, host):
        yield ok("proxy", f"the environment names {proxy}: everything goes through it")
    else:
        for check in _direct(host, port, tls=wanted.base.startswith("https")):
            yield check
            if check.state == "fail":
                return
    yield from pool(wanted)


def _direct(host: str, port: int, *, tls: bool) -> Iterator[Check]:
    yield name(host)
    yield reached(host, port)
    if tls:
        yield certificate(host, port)


def nobody(wanted: Wanted) -> Check:
    """No pool is set: what the local network has."""
    advice = f"give --pool URL, set {POOL_VARIABLE}, or start one here with `iamine up`"
    if not wanted.discover:
        return warn("pool", "no pool is set, and looking for one is switched off (discover = false)", advice)
    strange: list[str] = []
    try:
        found = pools(LOOK_S, wanted.pool_key, strange.append)
    except NoMulticast as error:
        return warn("pool", f"no pool is set, and {error.message}", advice)
    ours = [each for each in found if wanted.pool_key in ("", each.record.fingerprint)]
    if len(ours) == 1:
        return ok("pool", f"none is set; a worker takes the one of this network: {line(ours[0])}")
    if ours:
        advice = "choose one: write its fingerprint as pool_key into worker.toml"
        return warn("pool", f"none is set, and this network has {len(ours)}: {'; '.join(map(line, ours))}", advice)
    return warn("pool", "; ".join(["no pool is set, and none is announced on this network", *strange[:2]]), advice)


def name(host: str) -> Check:
    """Whether the name has an address."""
    began = time.monotonic()
    try:
        found = {str(each[4][0]) for each in socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)}
    except socket.gaierror as error:
        if error.errno == socket.EAI_AGAIN:
            advice = "check the cable or the Wi-Fi, and the servers in /etc/resolv.conf (resolvectl status)"
            return fail("name", f"no name server answers for {host}", advice)
        return fail("name", f"there is no {host} ({error.strerror})", "check the spelling of the pool's address")
    except UnicodeError:
        return fail("name", f"{host!r} is no name", "check the spelling of the pool's address")
    if found == {host}:
        return ok("name", f"{host} is an address")
    return ok("name", f"{host} is {', '.join(sorted(found))} ({(time.monotonic() - began) * 1000:.0f} ms)")


def reached(host: str, port: int) -> Check:
    """Whether something listens there."""
    began = time.monotonic()
    try:
        socket.create_connection((host, port), CONNECT_S).close()
    except ConnectionRefusedError:
        return fail("port", f"nothing listens at {host} port {port}", "check the port, and that the pool runs")
    except TimeoutError:
        advice = "a firewall there drops it, or the machine is off: ask the pool's operator"
        return fail("port", f"{host} port {port} does not answer within {CONNECT_S:.0f} s", advice)
    except OSError as error:
        return fail("port", f"no way to {host}: {error.strerror or error}", "check the cable or the Wi-Fi: ip route")
    return ok("port", f"{host} port {port} answers ({(time.monotonic() - began) * 1000:.0f} ms)")


def certificate(host: str, port: int) -> Check:
    """Whether the pool's certificate is one that this machine trusts, and for how long."""
    context = ssl.create_default_context()
    try:
        with socket.create_connection((host, port), CONNECT_S) as plain:
            plain.settimeout(CONNECT_S)
            with context.wrap_socket(plain, server_hostname=host) as sealed:
                told = sealed.getpeercert() or {}
    except ssl.SSLCertVerificationError as error:
        found, advice = certificate_problem(error)
        return fail("certificate", found, advice)
    except ssl.SSLError as error:
        return fail("certificate", f"{host} port {port} speaks no TLS ({error.reason})", "write http:// instead of https://")
    except OSError as error:
        return fail("certificate", f"the connection broke off: {error.strerror or error}", "ask the pool's operator")
    ends = str(told.get("notAfter", ""))
    left_s = ssl.cert_time_to_seconds(ends) - time.time()
    if left_s < SOON_S:
        return warn("certificate", f"it expires in {left_s / 86400:.0f} days", "tell the pool's operator")
    return ok("certificate", f"good until {ends}")


def pool(wanted: Wanted) -> Iterator[Check]:
    """Whether it is a pool that we speak with, the right one, and one with our time."""
    try:
        greeting = asyncio.run(knock(worker_endpoint(wanted.base), AGENT, within_s=KNOCK_S))
    except LinkBroken as error:
        yield fail(
            "pool", error.message, error.hint or "check the address (https:// or http://, the port), or ask the operator"
        )
        return
    yield ok("pool", f"{greeting.name or 'a pool'} answers, wire version {WIRE_VERSION}")
    yield key(wanted, greeting)
    yield clocks(greeting.now_s, time.time())


def key(wanted: Wanted, greeting: Greeting) -> Check:
    """Whether it shows the key that is asked for, or that was pinned."""
    shows, url = greeting.fingerprint, worker_endpoint(wanted.base)
    if wanted.pool_key:
        if shows.replace("-", "") == wanted.pool_key.replace("-", ""):
            return ok("pool's key", f"{shows}, as asked for")
        advice = "if the operator confirms the new key, write it where the old one stands (pool_key in worker.toml)"
        return fail("pool's key", f"it shows {shows}, but {wanted.pool_key} is asked for", advice)
    pinned = read_pins(wanted.pins).get(url)
    if pinned is None:
        return ok("pool's key", f"{shows}; it is pinned when a worker first links")
    if pinned == greeting.key:
        return ok("pool's key", f"{shows}, as pinned")
    advice = f"if the operator confirms the new key, delete the entry of {url} in {wanted.pins}"
    return fail("pool's key", f"it shows {shows}, but {fingerprint(pinned)} is pinned", advice)


def clocks(theirs_s: float, ours_s: float) -> Check:
    """Whether the two agree."""
    if abs(theirs_s - ours_s) <= CLOCK_S:
        return ok("pool's clock", "agrees with this machine's")
    found = f"this machine is {abs(theirs_s - ours_s):.0f} s {'behind' if theirs_s > ours_s else 'ahead of'} the pool"
    return warn("pool's clock", found, "switch time synchronisation on: timedatectl set-ntp true")


def _place(base: str) -> tuple[str, int]:
    parts = urlsplit(base)
    return parts.hostname or "", parts.port or (HTTPS if parts.scheme == "https" else 80)


def _proxy(base: str, host: str) -> str:
    """The proxy that the environment wants for this address, "" for none."""
    named = getproxies()
    found = named.get(urlsplit(base).scheme) or named.get("all") or ""
    return "" if not found or host in {"localhost", "127.0.0.1", "::1"} or proxy_bypass(host) else found.rpartition("@")[2]
