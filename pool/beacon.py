"""The pool's announcement on the local network, so that agents without a pool's address find it by mDNS."""

import logging
from contextlib import AbstractAsyncContextManager

from iamine.identity import fingerprint
from iamine.lan.announce import Service, announced, announced_at
from iamine.lan.record import POOL_TYPE, pool_text

log = logging.getLogger("pool.beacon")


def beacon(*, name: str, host: str, port: int, public_key: bytes, version: str) -> AbstractAsyncContextManager[None] | None:
    """The announcement, for as long as its block runs; None where it makes no sense.

    That is: for a pool that listens on this machine only, on an address of the internet, or by IPv6 (whose link-local
    addresses say nothing without an interface).
    """
    if ":" in host or (host != "0.0.0.0" and not announced_at(host)):  # noqa: S104 - a comparison, nothing is bound here
        return None
    shows = fingerprint(public_key)
    service = Service(
        kind=POOL_TYPE,
        name=name,
        host=host,
        port=port,
        label=f"iamine-{shows[:9]}-{port}",
        text=pool_text(fingerprint=shows, version=version),
    )
    return announced(service, lambda line: log.info("%s", line))
