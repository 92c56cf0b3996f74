"""The pool's clock, for a machine whose own is wrong: the greeting's first half, which the pool signs, and then goodbye.

A wrong clock makes TLS refuse good certificates, so none is asked for here. Nothing is lost by it: the pool's key is known
already, the answer is signed by it over our nonce and the time, and nothing but the nonce is sent.
"""

import asyncio
import secrets
import ssl
import time

from websockets.asyncio.client import connect
from websockets.exceptions import WebSocketException

from appliance.agent.errors import AgentError
from appliance.agent.link.client import Endpoint
from appliance.agent.link.pins import read_pins
from iamine.identity import Identity, fingerprint
from iamine.wire.codec import decode_from_pool, encode
from iamine.wire.errors import WireError
from iamine.wire.messages import MAX_FRAME_BYTES, NONCE_BYTES, Goodbye
from iamine.wire.session import Challenged, WorkerSession

ASK_S = 10.0


class NoTime(AgentError):
    """The pool's time could not be had, or not be believed."""


async def pool_ahead_s(endpoint: Endpoint) -> float:
    """How far the pool's clock is ahead of this machine's, in seconds, good to half the way there and back. Raises NoTime."""
    pinned = read_pins(endpoint.pins).get(endpoint.url)
    if pinned is None and not endpoint.pool_key:
        hint = "write the pool's fingerprint as key under [pool], or let time servers through (UDP port 123)"
        raise NoTime("the pool's key is not known yet, so its time proves nothing", hint=hint)
    identity = Identity.from_seed(secrets.token_bytes(32))  # of nobody: it never says hello
    session = WorkerSession(
        identity=identity,
        pinned_pool_key=None if endpoint.pool_key else pinned,
        nonce=secrets.token_bytes(NONCE_BYTES),
        agent=endpoint.agent,
    )
    try:
        asked, told, answered = await asyncio.wait_for(_ask(endpoint, session), ASK_S)
    except (OSError, asyncio.TimeoutError, WebSocketException, WireError) as error:
        raise NoTime(f"{endpoint.url} told no time: {error}", hint="is the pool's address right, and is it up?") from error
    wanted = endpoint.pool_key.replace("-", "")
    if wanted and fingerprint(told.pool_key).replace("-", "") != wanted:
        raise NoTime(
            f"the pool shows the key {fingerprint(told.pool_key)}, not the one in the settings", hint="check [pool] key"
        )
    return told.now - (asked + answered) / 2


async def _ask(endpoint: Endpoint, session: WorkerSession) -> tuple[float, Challenged, float]:
    unverified = ssl.create_default_context()
    unverified.check_hostname, unverified.verify_mode = False, ssl.CERT_NONE  # see the top of this file
    tls = unverified if endpoint.url.startswith("wss:") else None
    async with connect(endpoint.url, ssl=tls, compression=None, max_size=MAX_FRAME_BYTES, open_timeout=ASK_S) as socket:
        asked = time.time()
        await socket.send(encode(session.knock()))
        told = session.receive(decode_from_pool(await socket.recv()))
        answered = time.time()
        if not isinstance(told, Challenged):
            raise WireError("out_of_order", "no challenge")
        await socket.send(encode(Goodbye(code="leaving", reason="only the time was asked for")))
        return asked, told, answered
