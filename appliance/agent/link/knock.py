"""Asking a pool who it is: it proves its key, and nothing is told to it."""

import asyncio
import secrets
import time
from dataclasses import dataclass

from appliance.agent.link.socket import LinkBroken, opened
from iamine.identity import Identity, fingerprint
from iamine.wire.codec import decode_from_pool, encode
from iamine.wire.errors import WireError
from iamine.wire.messages import NONCE_BYTES, Goodbye
from iamine.wire.session import Challenged, Ended, WorkerSession


@dataclass(frozen=True, slots=True, kw_only=True)
class Greeting:
    """A pool that answered: its proven key, its name, its clock (seconds since 1970) and how far that is ahead of ours."""

    key: bytes
    name: str
    now_s: float
    ahead_s: float

    @property
    def fingerprint(self) -> str:
        """The key as people compare it."""
        return fingerprint(self.key)


async def knock(url: str, agent: str, *, within_s: float, verified: bool = True) -> Greeting:
    """The pool behind a workers' address. Raises LinkBroken.

    Without `verified` any certificate will do, for a machine whose clock is too wrong to judge one: nothing but a nonce is
    sent, and the answer is worth what the pool's key is worth that signed it.
    """
    try:
        async with opened(url, agent, open_s=within_s, verified=verified) as socket:
            stranger = Identity.from_seed(secrets.token_bytes(32))
            session = WorkerSession(
                identity=stranger, pinned_pool_key=None, nonce=secrets.token_bytes(NONCE_BYTES), agent=agent
            )
            asked_s = time.time()
            await socket.send(encode(session.knock()))
            heard = session.receive(decode_from_pool(await asyncio.wait_for(socket.recv(), within_s)))
            halfway_s = (asked_s + time.time()) / 2
            await socket.send(encode(Goodbye(code="leaving", reason="only asked who it is")))
    except WireError as error:
        raise LinkBroken(f"{url} breaks the rules of the wire: {error.reason}", hint="update the older side") from error
    match heard:
        case Challenged():
            return Greeting(key=heard.pool_key, name=heard.name, now_s=heard.now, ahead_s=heard.now - halfway_s)
        case Ended():
            hint = "update the older side: this agent, or the pool" if heard.goodbye.code == "unsupported_version" else ""
            raise LinkBroken(f"the pool said goodbye: {heard.goodbye.reason} ({heard.goodbye.code})", hint=hint)
        case _:
            raise LinkBroken(f"{url} answers, but not like a pool")
