"""Frames recorded from version 1 are read by every later version, and written again as they were."""

import json
from pathlib import Path
from typing import get_args

import pytest

from iamine.identity import verify
from iamine.wire.codec import decode_from_pool, decode_from_worker, encode
from iamine.wire.messages import Challenge, FromPool, FromWorker, Hello, Knock
from iamine.wire.session import pool_transcript, worker_transcript

FRAMES = Path(__file__).parents[3] / "frames" / "v1"
RECORDED = sorted(FRAMES.glob("*.json"))
FROM_POOL = {kind.__struct_config__.tag for kind in get_args(FromPool)}
FROM_WORKER = {kind.__struct_config__.tag for kind in get_args(FromWorker)}


@pytest.mark.parametrize("path", RECORDED, ids=lambda path: path.stem)
def test_a_recorded_frame_is_read_and_written_again_as_it_was(path: Path) -> None:
    frame = path.read_bytes().strip()
    tag = json.loads(frame)["t"]
    for tags, decode in ((FROM_POOL, decode_from_pool), (FROM_WORKER, decode_from_worker)):
        if tag in tags:
            assert encode(decode(frame)) == frame


def test_every_kind_of_message_is_recorded() -> None:
    assert {json.loads(path.read_bytes())["t"] for path in RECORDED} == FROM_POOL | FROM_WORKER


def test_the_recorded_signatures_hold() -> None:
    """The transcripts are part of version 1: a change to what is signed would break every pair of old and new."""
    knock, hello = (decode_from_worker((FRAMES / f"{name}.json").read_bytes()) for name in ("knock", "hello"))
    challenge = decode_from_pool((FRAMES / "challenge.json").read_bytes())
    assert isinstance(knock, Knock) and isinstance(hello, Hello) and isinstance(challenge, Challenge)
    told = pool_transcript(challenge.pool_key, knock.nonce, challenge.nonce, challenge.now)
    assert verify(challenge.pool_key, challenge.signature, told)
    answered = worker_transcript(challenge.pool_key, hello.worker_key, knock.nonce, challenge.nonce)
    assert verify(hello.worker_key, hello.signature, answered)
