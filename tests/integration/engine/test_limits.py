"""The rate cap, embeddings, and every way a file can be bad."""

import math
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import msgspec
import pytest

from appliance.agent.engine.protocol import Deframer, Load, Loaded, LoadFailed, decode_from_engine, encode
from iamine.wire.messages import Cancel, EmbeddingWork, Finished, Step


def test_a_capped_sequence_keeps_its_rate_and_blocks_nobody(start: Any, mote: Load) -> None:
    client = start(msgspec.structs.replace(mote, max_tps=40.0))
    began = time.monotonic()
    answers = client.answers([client.job("Hello", max_tokens=30, ignore_eos=True) for _ in range(4)])
    took = time.monotonic() - began
    assert all(len(a.ids) == 30 for a in answers)
    assert 0.5 < took < 5.0  # 29 pauses of 25 ms, the four at the same time


def test_a_capped_sequence_can_be_cancelled_at_once(start: Any, mote: Load) -> None:
    client = start(msgspec.structs.replace(mote, max_tps=0.2, slots=1))
    slow = client.job("Hello", max_tokens=30)
    client.send(slow)
    while not isinstance(client.receive(), Step):
        pass
    began = time.monotonic()
    client.send(Cancel(job=slow.job, epoch=1))
    assert client.answer("Hello", max_tokens=1).end.reason == "length"
    assert time.monotonic() - began < 2.0


def test_embeddings_have_unit_length_and_come_in_order(start: Any, mote: Load) -> None:
    client = start(msgspec.structs.replace(mote, kind="embedding", context_tokens=256))
    assert client.loaded.embedding_dimensions == 160
    texts = ("a blue horse", "the river", "Count from 1 to 20", "a blue horse")
    one = client.answer(EmbeddingWork(inputs=texts), max_tokens=0).end
    assert [len(v) for v in one.vectors] == [160] * 4
    assert all(math.isclose(math.sqrt(sum(x * x for x in v)), 1.0, abs_tol=1e-5) for v in one.vectors)
    assert one.vectors[0] == pytest.approx(one.vectors[3], abs=1e-5)
    assert one.vectors[0] != pytest.approx(one.vectors[1], abs=1e-2)
    many = client.answers([client.job(EmbeddingWork(inputs=texts * 20), max_tokens=0) for _ in range(6)])
    assert all(a.end.vectors[1] == pytest.approx(one.vectors[1], abs=1e-5) for a in many)
    assert many[0].end.prompt_tokens == 20 * one.prompt_tokens == many[0].started.prompt_tokens
    assert client.answer("Hello").end.code == "bad_request"
    big = client.answer(EmbeddingWork(inputs=(tuple([300] * 257),)), max_tokens=0).end
    assert big.code == "context_overflow"


def test_an_embedding_job_can_be_cancelled(start: Any, mote: Load) -> None:
    client = start(msgspec.structs.replace(mote, kind="embedding", context_tokens=256))
    job = client.job(EmbeddingWork(inputs=("word " * 100,) * 2000), max_tokens=0)
    client.send(job)
    client.receive()
    client.send(Cancel(job=job.job, epoch=1))
    began = time.monotonic()
    assert len(client.answer(EmbeddingWork(inputs=("hello",)), max_tokens=0).end.vectors) == 1
    assert time.monotonic() - began < 2.0


def test_a_text_model_makes_no_embeddings(shared: Any) -> None:
    assert shared.answer(EmbeddingWork(inputs=("x",))).end.code == "bad_request"


def test_a_bad_file_is_told_with_a_hint_and_the_engine_ends(start: Any, mote: Load, tmp_path: Path) -> None:
    path = tmp_path / "cut.gguf"
    path.write_bytes(Path(mote.path).read_bytes()[:500_000])
    client = start(msgspec.structs.replace(mote, path=str(path)))
    failed = client.loaded
    assert isinstance(failed, LoadFailed)
    assert path.name in failed.message
    assert failed.hint.endswith(".")
    assert client.process.wait(10) == 66


def test_the_engine_ignores_ctrl_c_and_ends_with_its_socket(start: Any, mote: Load) -> None:
    client = start(mote)
    client.process.send_signal(signal.SIGINT)
    assert client.answer("Hello").end.reason == "stop"
    client.send(client.job("Hello", max_tokens=900, ignore_eos=True))
    client.socket.close()
    assert client.process.wait(5) == 0


def test_a_frame_that_is_no_message_ends_it(start: Any, mote: Load) -> None:
    client = start(mote)
    client.socket.sendall(b"\x05\x00\x00\x00hello")
    assert client.process.wait(5) == 65


def test_a_default_load_is_not_exact_but_works(start: Any, mote: Load) -> None:
    client = start(msgspec.structs.replace(mote, exact=False, threads=0, slots=2, context_tokens=512))
    assert (client.loaded.slots, client.loaded.context_tokens, client.loaded.exact) == (2, 512, False)
    assert client.answer("Hello").text


def test_it_serves_one_connection_on_a_socket_path(mote: Load, tmp_path: Path) -> None:
    path = tmp_path / "engine.sock"
    process = subprocess.Popen([sys.executable, "-m", "appliance.agent.engine", "--socket", str(path)])
    deadline = time.monotonic() + 20
    while not path.exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    with socket.socket(socket.AF_UNIX) as connection:
        while connection.connect_ex(str(path)) and time.monotonic() < deadline:
            time.sleep(0.02)
        connection.sendall(encode(mote))
        bodies, deframer = [], Deframer()
        while not bodies:
            bodies += deframer.feed(connection.recv(10_000))
        assert isinstance(decode_from_engine(bodies[0]), Loaded)
    assert process.wait(10) == 0


def test_a_slow_reader_loses_nothing(start: Any, mote: Load) -> None:
    client = start(mote)
    jobs = [client.job("Hello", max_tokens=150, ignore_eos=True, logprobs=20) for _ in range(8)]
    for job in jobs:
        client.send(job)
    time.sleep(0.5)  # the socket fills up meanwhile
    tokens, frames, ends = 0, 0, 0
    while ends < 8:
        frame = client.receive()
        if isinstance(frame, Step):
            frames += 1
            tokens += sum(len(s.ids) for s in frame.sequences)
            assert all(len(s.logprobs) == len(s.ids) for s in frame.sequences)
        ends += isinstance(frame, Finished)
    assert tokens == 1200
