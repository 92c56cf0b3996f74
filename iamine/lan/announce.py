"""Announcing on the local network by mDNS (RFC 6762), for as long as the block runs and on the networks there are meanwhile."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass

import ifaddr
from zeroconf import Error, IPVersion, ServiceInfo
from zeroconf.asyncio import AsyncZeroconf

from iamine.lan.record import instance, lan_only

LOOK_AGAIN_S = 30.0  # a network that comes later (DHCP after the start) is announced to then
ANY_ADDRESS = "0.0.0.0"  # noqa: S104 - a comparison, nothing is bound here


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """What to announce. `host` is the IPv4 address it listens on (0.0.0.0: on all), `label` a host name of its own."""

    kind: str
    name: str
    host: str
    port: int
    label: str
    text: Mapping[str, str]


def own_addresses() -> list[str]:
    """Every IPv4 address of this machine. Raises OSError where it may not be asked."""
    return [str(ip.ip) for adapter in ifaddr.get_adapters() for ip in adapter.ips if ip.is_IPv4]


def announced_at(host: str, own: Callable[[], list[str]] = own_addresses) -> list[str]:
    """The local networks' addresses at which something that listens on `host` can be found; none: announcing makes no sense."""
    return lan_only(own() if host == ANY_ADDRESS else [host])


@contextlib.asynccontextmanager
async def announced(service: Service, say: Callable[[str], None]) -> AsyncIterator[None]:
    """The service is announced while the block runs; what comes of it is said, and never an error."""
    task = asyncio.create_task(_keep_announcing(service, say), name=f"announcing {service.kind}")
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def _keep_announcing(service: Service, say: Callable[[str], None]) -> None:
    said = ""
    while True:
        try:
            addresses = announced_at(service.host)
            said = await _announce(service, addresses, say, said) if addresses else ""
        except (OSError, Error) as error:
            problem = f"not announced on the local network: {str(error) or type(error).__name__}"
            if problem != said:
                say(problem)
            said = problem
        await asyncio.sleep(LOOK_AGAIN_S)


async def _announce(service: Service, addresses: list[str], say: Callable[[str], None], said: str) -> str:
    """Announce at these addresses until they change; what was said. Raises OSError, zeroconf.Error."""
    zeroconf = AsyncZeroconf(interfaces=addresses, ip_version=IPVersion.V4Only)
    try:
        await zeroconf.async_register_service(_info(service, addresses), allow_name_change=True)
        line = f"announced on the local network at {', '.join(addresses)} port {service.port}"
        if line != said:
            say(line)
        while announced_at(service.host) == addresses:  # noqa: ASYNC110 - nobody tells of a new network
            await asyncio.sleep(LOOK_AGAIN_S)
        return line
    finally:
        await asyncio.shield(zeroconf.async_close())  # says goodbye: who looks for it forgets it at once


def _info(service: Service, addresses: list[str]) -> ServiceInfo:
    return ServiceInfo(
        service.kind,
        instance(service.name, service.kind),
        port=service.port,
        addresses=[socket.inet_aton(each) for each in addresses],
        server=f"{service.label}.local.",
        properties=dict(service.text),
    )
