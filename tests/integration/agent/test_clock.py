"""The pool's time over a link whose certificate cannot be checked: believed by the pool's key alone."""

import asyncio
import ssl
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest
from websockets.asyncio.server import ServerConnection, serve

from appliance.agent.clock.__main__ import check
from appliance.agent.clock.verdict import Checked
from appliance.agent.config import worker_endpoint
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


def ask(
    expired: ssl.SSLContext, folder: Path, *, signer: Identity = POOL, pinned: Identity | None = None, key: str = ""
) -> Checked:
    """What a machine finds out whose pool has a clock five days ahead and a certificate of nobody."""

    async def pool(socket: ServerConnection) -> None:
        session = PoolSession(identity=POOL, nonce=b"n" * 32, name="test")
        reply = session.receive(decode_from_worker(await socket.recv()), now=time.time() + AHEAD_S)  # type: ignore[arg-type]
        assert isinstance(reply, Reply)
        await socket.send(encode(reply.message))
        await socket.wait_closed()

    async def asked() -> Checked:
        async with serve(pool, "127.0.0.1", 0, ssl=expired) as server:
            base = f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"
            (folder / "worker.toml").write_text(f'pool = "{base}"\npool_key = "{key}"\n')
            if pinned is not None:
                pin(folder / "pool.json", worker_endpoint(base), pinned.public_key)
            return await asyncio.to_thread(check, folder / "worker.toml", folder)

    return asyncio.run(asked())


@pytest.mark.parametrize("known", [{"pinned": POOL}, {"key": fingerprint(POOL.public_key)}])
def test_a_known_pools_time_is_taken(expired: ssl.SSLContext, tmp_path: Path, known: dict[str, Any]) -> None:
    told = ask(expired, tmp_path, **known)
    assert told.by == "pool" and abs(told.move_s - AHEAD_S) < 5 and "5 days behind" in told.message


@pytest.mark.parametrize("known", [{}, {"pinned": OTHER}, {"key": fingerprint(OTHER.public_key)}])
def test_nobody_elses_time_is(expired: ssl.SSLContext, tmp_path: Path, known: dict[str, Any]) -> None:
    told = ask(expired, tmp_path, **known)
    assert (told.by, told.move_s) == ("", 0.0) and "key" in told.message and told.advice


def test_a_pool_that_is_not_there_is_told(tmp_path: Path) -> None:
    config = tmp_path / "worker.toml"
    config.write_text(f'pool = "http://127.0.0.1:9"\npool_key = "{fingerprint(POOL.public_key)}"\n')
    told = check(config, tmp_path)
    assert not told.by and "cannot reach" in told.message and told.advice
    config.write_text("")
    assert "no pool is set" in check(config, tmp_path).message
