"""What people write stays with them: no prompt, answer or key secret is found in any file that the house has written."""

import stat
from typing import Any

from house import House

MARK = "Zyxquorvane"


def test_nothing_that_was_said_is_on_the_disk(shared: House) -> None:
    client = shared.client()
    messages: Any = [{"role": "user", "content": f"my name is {MARK} and I live in Plonk"}]
    answer = client.chat.completions.create(model="mote", messages=messages, temperature=0)
    list(client.chat.completions.create(model="mote", messages=messages, stream=True))
    client.completions.create(model="mote", prompt=f"{MARK} ", max_tokens=5)
    client.chat.completions.create(model="mote", messages=messages, tools=[], user=MARK, temperature=0)
    assert MARK in (answer.choices[0].message.content or "")
    secret = shared.key.split("_")[2].encode()
    told = [path for path in shared.data_dir.rglob("*") if path.is_file() and MARK.encode() in path.read_bytes()]
    assert told == []
    with_key = {path.name for path in shared.data_dir.rglob("*") if path.is_file() and secret in path.read_bytes()}
    assert with_key == {"client.json", "up.out"}, "the key stands where it is told to its owner, and nowhere else"


def test_what_is_private_is_private(shared: House) -> None:
    for name in ("client.json", "pool.key"):
        assert stat.S_IMODE((shared.data_dir / name).stat().st_mode) == 0o600
    assert not [p for p in shared.data_dir.rglob("*.key") if stat.S_IMODE(p.stat().st_mode) != 0o600]
