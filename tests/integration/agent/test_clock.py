"""The pool's time over a link whose certificate cannot be checked: believed by the pool's key alone."""

import asyncio
import ssl
import subprocess
import time
from pathlib import Path

import pytest
from websockets.asyncio.server import ServerConnection, serve

from appliance.agent.clock.__main__ import check
from appliance.agent.link import Endpoint
from appliance.agent.link.asktime import NoTime, pool_ahead_s
from appliance.agent.link.pins import pin
from iamine.identity import Identity, fingerprint
from iamine.wire.codec import decode_from_worker, encode
from iamine.wire.session import PoolSession, Reply

POOL, OTHER = Identity.from_seed(b"p" * 32), Identity.from_seed(b"o" * 32)
AHEAD_S = 5 * 86400.0


@pytest.fixture(scope="module")
def expired(tmp_path_factory: pytest.TempPathFactory) -> ssl.SSLContext:
    """A server's context with a certificate of nobody."""
    folder = tmp_path_factory.mktemp("tls")
    made = ["openssl", "req", "-x509", "-newkey", "ed25519", "-nodes", "-subj", "/CN=elsewhere", "-days", "1"]
    subprocess.run([*made, "-keyout", folder / "key", "-out", folder / "cert"], check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "cert", folder / "key")
    return context


async def ask(
    expired: ssl.SSLContext, pins: Path, *, signer: Identity = POOL, pinned: Identity | None = None, key: str = ""
) -> float:
    async def pool(socket: ServerConnection) -> None:
        session = PoolSession(identity=signer, nonce=b"n" * 32, name="test")
        reply = session.receive(decode_from_worker(await socket.recv()), now=time.time() + AHEAD_S)  # type: ignore[arg-type]
        assert isinstance(reply, Reply)
        await socket.send(encode(reply.message))
        await socket.wait_closed()

    async with serve(pool, "127.0.0.1", 0, ssl=expired) as server:
        url = f"wss://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1/workers/connect"
        if pinned is not None:
            pin(pins, url, pinned.public_key)
        return await pool_ahead_s(Endpoint(url=url, pins=pins, pool_key=key))


@pytest.mark.parametrize("known", [{"pinned": POOL}, {"key": fingerprint(POOL.public_key)}])
def test_a_known_pools_time_is_taken(expired: ssl.SSLContext, tmp_path: Path, known: dict[str, object]) -> None:
    ahead_s = asyncio.run(ask(expired, tmp_path / "pool.json", **known))  # type: ignore[arg-type]
    assert abs(ahead_s - AHEAD_S) < 5


@pytest.mark.parametrize("known", [{}, {"pinned": OTHER}, {"key": fingerprint(OTHER.public_key)}])
def test_nobody_elses_time_is(expired: ssl.SSLContext, tmp_path: Path, known: dict[str, object]) -> None:
    with pytest.raises(NoTime) as caught:
        asyncio.run(ask(expired, tmp_path / "pool.json", **known))  # type: ignore[arg-type]
    assert caught.value.hint


def test_a_pool_that_is_not_there_is_told(tmp_path: Path) -> None:
    config = tmp_path / "worker.toml"
    config.write_text(f'pool = "http://127.0.0.1:9"\npool_key = "{fingerprint(POOL.public_key)}"\n')
    told = check(config, tmp_path)
    assert not told.by and "told no time" in told.message and told.advice
    config.write_text("")
    assert "no pool is set" in check(config, tmp_path).message
