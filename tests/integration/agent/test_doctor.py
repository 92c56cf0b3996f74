"""`iamine doctor` before things that are really broken: certificates, ports, keys, clocks, disks."""

import asyncio
import json
import os
import socket
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from appliance.agent.doctor.check import Check
from appliance.agent.doctor.network import Wanted, way
from appliance.agent.link.pins import pin
from iamine.identity import Identity, fingerprint
from tests.integration.agent.tiny_pool import TinyPool, listen

ROOT = Path(__file__).parents[3]
TODAY = datetime.now(timezone.utc)
Pair = tuple[x509.Certificate, ec.EllipticCurvePrivateKey]


def issued(name: str, by: Pair | None, *, days: int = 90, began_days: int = -1, authority: bool = False) -> Pair:
    """A certificate for a host, signed by another one, or by itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(by[0].subject if by else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(TODAY + timedelta(days=began_days))
        .not_valid_after(TODAY + timedelta(days=days))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
    )
    return builder.sign(by[1] if by else key, hashes.SHA256()), key


def written(folder: Path, pair: Pair) -> Path:
    """Certificate and key in one file."""
    path = folder / "server.pem"
    private = pair[1].private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    path.write_bytes(pair[0].public_bytes(serialization.Encoding.PEM) + private)
    return path


@pytest.fixture
def authority(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Pair:
    """The only issuer that this machine trusts."""
    pair = issued("The test's authority", None, authority=True)
    trusted = tmp_path / "trusted.pem"
    trusted.write_bytes(pair[0].public_bytes(serialization.Encoding.PEM))
    monkeypatch.setenv("SSL_CERT_FILE", str(trusted))
    monkeypatch.setenv("SSL_CERT_DIR", str(tmp_path / "nothing"))
    return pair


@contextmanager
def serving(folder: Path, pair: Pair | None) -> Iterator[int]:
    """A port that shakes hands with this certificate (None: no TLS), then says nothing a pool would say."""
    context = None
    if pair is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(written(folder, pair))
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=answer, args=(listener, context))
        thread.start()
        try:
            yield listener.getsockname()[1]
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join(10)


def answer(listener: socket.socket, context: ssl.SSLContext | None) -> None:
    while True:
        try:
            plain, _ = listener.accept()
        except OSError:
            return
        with plain:
            try:
                plain.settimeout(5)
                sealed = context.wrap_socket(plain, server_side=True) if context else plain
                with sealed:
                    sealed.recv(4096)
                    sealed.sendall(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
            except OSError:
                pass


def seen(base: str, tmp_path: Path, **more: str) -> dict[str, Check]:
    """The checks of the way to that pool, by name."""
    return {check.name: check for check in way(Wanted(base=base, pins=tmp_path / "pool.json", pool_key=more.get("key", "")))}


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("expired", "expired"),
        ("later", "not valid yet"),
        ("name", "another name"),
        ("itself", "by itself"),
        ("stranger", "issuer"),
    ],
)
def test_each_problem_of_a_certificate_is_told_in_words(kind: str, words: str, tmp_path: Path, authority: Pair) -> None:
    other = issued("An unknown authority", None, authority=True)
    pair = {
        "expired": lambda: issued("localhost", authority, days=-1, began_days=-9),
        "later": lambda: issued("localhost", authority, began_days=5),
        "name": lambda: issued("pool.example", authority),
        "itself": lambda: issued("localhost", None),
        "stranger": lambda: issued("localhost", other),
    }[kind]()
    with serving(tmp_path, pair) as port:
        checks = seen(f"https://localhost:{port}/v1", tmp_path)
    assert list(checks) == ["name", "port", "certificate"]
    assert (checks["certificate"].state, words in checks["certificate"].found) == ("fail", True)
    assert checks["certificate"].advice


def test_a_good_certificate_is_told_and_one_that_ends_soon(tmp_path: Path, authority: Pair) -> None:
    with serving(tmp_path, issued("localhost", authority)) as port:
        checks = seen(f"https://localhost:{port}/v1", tmp_path)
    assert (checks["certificate"].state, checks["pool"].state) == ("ok", "fail")
    assert "no pool's door" in checks["pool"].found
    with serving(tmp_path, issued("localhost", authority, days=3)) as port:
        assert seen(f"https://localhost:{port}/v1", tmp_path)["certificate"].state == "warn"


def test_tls_asked_of_a_port_that_has_none(tmp_path: Path, authority: Pair) -> None:
    with serving(tmp_path, None) as port:
        check = seen(f"https://localhost:{port}/v1", tmp_path)["certificate"]
    assert (check.state, "http://" in check.advice) == ("fail", True)


def test_a_port_where_nothing_listens_and_a_name_that_is_none(tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        checks = seen(f"http://127.0.0.1:{free.getsockname()[1]}/v1", tmp_path)
    assert (checks["port"].state, "nothing listens" in checks["port"].found) == ("fail", True)
    checks = seen("http://no-such-host.invalid:8000/v1", tmp_path)
    assert [(check.name, check.state) for check in checks.values()] == [("name", "fail")]


def test_a_port_that_does_not_answer(tmp_path: Path) -> None:
    """Its queue is full: whoever knocks is neither let in nor turned away."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        place = listener.getsockname()
        waiting = [socket.socket() for _ in range(4)]
        for each in waiting:
            each.setblocking(False)
            each.connect_ex(place)
        check = seen(f"http://127.0.0.1:{place[1]}/v1", tmp_path)["port"]
        for each in waiting:
            each.close()
    assert (check.state, "does not answer" in check.found) == ("fail", True)


async def asked(pool: TinyPool, tmp_path: Path, key: str = "") -> dict[str, Check]:
    base = pool.url.replace("ws://", "http://").removesuffix("/workers/connect")
    return await asyncio.to_thread(seen, base, tmp_path, key=key)


async def test_a_pool_with_another_key_than_the_pinned_or_wanted_one(tmp_path: Path) -> None:
    others = Identity.from_seed(bytes([2]) * 32).public_key
    async with TinyPool(listen, seed=1) as pool:
        shows = fingerprint(pool.identity.public_key)
        checks = await asked(pool, tmp_path)
        assert (checks["pool"].state, checks["pool's key"].state) == ("ok", "ok")
        assert shows in checks["pool's key"].found
        assert (await asked(pool, tmp_path, shows))["pool's key"].state == "ok"
        wrong = (await asked(pool, tmp_path, fingerprint(others)))["pool's key"]
        pin(tmp_path / "pool.json", pool.url, others)
        pinned = (await asked(pool, tmp_path))["pool's key"]
    assert (wrong.state, pinned.state) == ("fail", "fail")
    assert "pool_key" in wrong.advice
    assert str(tmp_path / "pool.json") in pinned.advice


async def test_a_clock_that_is_far_from_the_pools(tmp_path: Path) -> None:
    async with TinyPool(listen) as pool:  # says that it is 1970
        check = (await asked(pool, tmp_path))["pool's clock"]
    assert (check.state, "ahead of the pool" in check.found) == ("warn", True)


def doctor(folder: Path, *before: str) -> tuple[int, dict[str, dict[str, str]]]:
    """Exit code and checks of the command itself, as a person starts it."""
    environ = {name: value for name, value in os.environ.items() if not name.startswith(("IAMINE_", "OPENAI_"))}
    command = (*before, sys.executable, "-m", "iamine", "doctor", "--json", "--data-dir", str(folder))
    done = subprocess.run(command, cwd=ROOT, env=environ, capture_output=True, text=True, timeout=300, check=False)
    assert "Traceback" not in done.stderr, done.stderr
    return done.returncode, {check["name"]: check for check in json.loads(done.stdout)["checks"]}


def test_it_works_without_a_pool_and_its_engine_really_answers(tmp_path: Path) -> None:
    (tmp_path / "worker.toml").write_text("discover = false")
    code, checks = doctor(tmp_path)
    assert code == 0, checks
    assert "counted right" in checks["engine"]["found"]
    assert checks["pool"]["state"] == "warn"
    assert checks["ports"]["state"] == "ok"


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to mount a small disk")
@pytest.mark.parametrize(("options", "words"), [("size=64k", "no space left"), ("ro", "read-only")])
def test_a_disk_that_takes_nothing(options: str, words: str, tmp_path: Path) -> None:
    mounted = ("unshare", "--mount", "sh", "-c", f'mount -t tmpfs -o mode=0700,{options} none "{tmp_path}" && exec "$@"', "sh")
    code, checks = doctor(tmp_path, *mounted)
    assert code == 1
    assert (checks["data folder"]["state"], words in checks["data folder"]["found"]) == ("fail", True)
    assert checks["engine"]["state"] == "ok"
