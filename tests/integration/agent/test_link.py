"""The link against a real WebSocket server that speaks the real wire."""

import asyncio
import stat
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from websockets.asyncio.server import ServerConnection, serve
from websockets.http11 import Request, Response

from appliance.agent.link import Endpoint, Link, Refused
from appliance.agent.link.frames import OUTBOX_FRAMES
from appliance.agent.types import Connecting, Linked, LinkState, Snapshot, Unlinked
from iamine.identity import Identity, fingerprint
from iamine.ids import JobId, ModelId
from iamine.wire.messages import (
    Cancel,
    Drain,
    Embedded,
    Failed,
    Goodbye,
    Hardware,
    Heartbeat,
    Job,
    ManifestUpdate,
    ModelOffer,
    SequenceStep,
    Step,
)
from tests.integration.agent.tiny_pool import TinyPool, hang_up, listen, say_goodbye, send

HARDWARE = Hardware(cpu="c", cores_physical=1, cores_usable=1.0, memory_bytes=1, memory_available_bytes=1)
OFFER = ModelOffer(model=ModelId("m"), file_sha256="ab" * 32, slots=2, context_tokens=64, vocabulary_tokens=8)
JOB = JobId("job_1")


class Machine:
    """An owner that keeps what it hears."""

    def __init__(self) -> None:
        self.running = 0
        self.heard_messages: list[Job | Cancel | Drain | ManifestUpdate] = []
        self.states: list[LinkState] = []
        self.happened = asyncio.Event()

    def snapshot(self) -> Snapshot:
        return Snapshot(hardware=HARDWARE, offers=(OFFER,), running=self.running, ready=True, load=0.0)

    def heard(self, message: Job | Cancel | Drain | ManifestUpdate) -> None:
        self.heard_messages.append(message)
        self.happened.set()

    def linked(self, state: LinkState) -> None:
        self.states.append(state)
        self.happened.set()

    async def until_linked(self, times: int = 1) -> None:
        async def wait() -> None:
            while sum(isinstance(state, Linked) for state in self.states) < times:
                self.happened.clear()
                await self.happened.wait()

        await asyncio.wait_for(wait(), 5)

    async def until(self, wanted: Callable[[LinkState], bool]) -> None:
        async def wait() -> None:
            while not any(wanted(state) for state in self.states):
                self.happened.clear()
                await self.happened.wait()

        await asyncio.wait_for(wait(), 5)

    async def until_heard(self) -> None:
        async def wait() -> None:
            while not self.heard_messages:
                self.happened.clear()
                await self.happened.wait()

        await asyncio.wait_for(wait(), 5)


def make(pool: TinyPool, owner: Machine, folder: Path, pool_key: str = "") -> Link:
    endpoint = Endpoint(url=pool.url, pins=folder / "pool.json", pool_key=pool_key, name="n", agent="test", manifest=7)
    return Link(endpoint=endpoint, identity=Identity.from_seed(bytes(32)), owner=owner, random=lambda: 0.0)


@asynccontextmanager
async def running(link: Link) -> AsyncIterator[None]:
    task = asyncio.create_task(link.run())
    try:
        yield
    finally:
        await link.close("test over")
        await asyncio.wait_for(task, 5)


async def test_it_is_welcomed_beats_at_once_and_pins_the_key_for_its_owner_only(tmp_path: Path) -> None:
    machine = Machine()
    async with TinyPool(listen) as pool, running(make(pool, machine, tmp_path)):
        await machine.until_linked()
        await pool.until(lambda message: isinstance(message, Heartbeat))
        assert isinstance(machine.states[0], Connecting)
        pins = tmp_path / "pool.json"
        assert stat.S_IMODE(pins.stat().st_mode) == 0o600
        assert pool.identity.public_key.hex() in pins.read_text()


async def test_work_comes_through_in_order(tmp_path: Path) -> None:
    machine = Machine()
    async with TinyPool(send(Cancel(job=JOB, epoch=1))) as pool, running(make(pool, machine, tmp_path)):
        await machine.until_heard()
        assert machine.heard_messages == [Cancel(job=JOB, epoch=1)]


async def test_it_tells_its_manifest_and_hears_of_a_newer_one(tmp_path: Path) -> None:
    machine, news = Machine(), ManifestUpdate(text="t", signature="s")
    async with TinyPool(send(news)) as pool, running(make(pool, machine, tmp_path)):
        await machine.until_heard()
        assert (pool.manifests, machine.heard_messages) == ([7], [news])


async def test_it_comes_back_when_the_connection_breaks(tmp_path: Path) -> None:
    machine = Machine()
    async with TinyPool(hang_up, listen) as pool, running(make(pool, machine, tmp_path)):
        await machine.until_linked(times=2)
        assert pool.connections == 2
        assert any(isinstance(state, Unlinked) for state in machine.states)


async def test_a_goodbye_that_allows_it_is_followed_by_a_return(tmp_path: Path) -> None:
    machine = Machine()
    async with TinyPool(say_goodbye("pool_stopping", 0.01), listen) as pool, running(make(pool, machine, tmp_path)):
        await machine.until_linked(times=2)
        lost = next(state for state in machine.states if isinstance(state, Unlinked))
        assert "pool_stopping" in lost.reason
        assert lost.retry_in_s == pytest.approx(0.01)


async def test_a_goodbye_for_good_ends_the_link_with_its_reason_and_what_to_try(tmp_path: Path) -> None:
    async with TinyPool(say_goodbye("superseded", -1.0)) as pool:
        with pytest.raises(Refused, match="superseded") as caught:
            await asyncio.wait_for(make(pool, Machine(), tmp_path).run(), 5)
    assert "--data-dir" in caught.value.hint
    assert pool.connections == 1


async def test_another_key_than_the_pinned_one_is_refused_and_it_is_told_how_to_trust_it(tmp_path: Path) -> None:
    machine = Machine()
    async with TinyPool(listen) as pool:
        async with running(make(pool, machine, tmp_path)):
            await machine.until_linked()
        pool.identity = Identity.from_seed(bytes([2]) * 32)
        with pytest.raises(Refused, match="pinned") as caught:
            await asyncio.wait_for(make(pool, Machine(), tmp_path).run(), 5)
    assert str(tmp_path / "pool.json") in caught.value.hint


async def test_the_fingerprint_of_the_config_counts_before_any_pin(tmp_path: Path) -> None:
    async with TinyPool(listen) as pool:
        with pytest.raises(Refused, match="config") as caught:
            await asyncio.wait_for(make(pool, Machine(), tmp_path, pool_key="0000-1111").run(), 5)
        machine = Machine()
        async with running(make(pool, machine, tmp_path, pool_key=fingerprint(pool.identity.public_key))):
            await machine.until_linked()
    assert "pool_key" in caught.value.hint


async def test_heartbeats_come_quickly_while_a_job_runs_and_at_each_change(tmp_path: Path) -> None:
    machine = Machine()
    async with TinyPool(listen, busy_s=0.01) as pool:
        link = make(pool, machine, tmp_path)
        async with running(link):
            await pool.until(lambda message: isinstance(message, Heartbeat) and message.running == 0)
            machine.running = 1
            link.changed()
            await pool.until(lambda message: isinstance(message, Heartbeat) and message.running == 1)
            pool.heard.clear()
            for _ in range(2):
                await pool.until(lambda message: isinstance(message, Heartbeat))
                pool.heard.clear()


async def test_a_step_too_large_is_sent_in_parts_that_join_without_a_gap(tmp_path: Path) -> None:
    machine = Machine()
    ids = tuple(range(10_000))
    async with TinyPool(listen) as pool:
        link = make(pool, machine, tmp_path)
        async with running(link):
            await machine.until_linked()
            link.send(Step(sequences=(SequenceStep(job=JOB, epoch=1, index=5, ids=ids, text="t"),)))
            link.send(Failed(job=JOB, epoch=1, code="no_slot", message="last", retryable=True))
            await pool.until(lambda message: isinstance(message, Failed))
        steps = [each for message in pool.heard if isinstance(message, Step) for each in message.sequences]
    assert [each.index for each in steps] == [5 + sum(len(before.ids) for before in steps[:n]) for n in range(len(steps))]
    assert tuple(token for each in steps for token in each.ids) == ids
    assert "".join(each.text for each in steps) == "t"


async def test_vectors_too_large_for_a_frame_become_a_failure(tmp_path: Path) -> None:
    machine = Machine()
    async with TinyPool(listen) as pool:
        link = make(pool, machine, tmp_path)
        async with running(link):
            await machine.until_linked()
            link.send(Embedded(job=JOB, epoch=3, vectors=((0.123456789012345,) * 600_000,), prompt_tokens=1))
            failed = await pool.until(lambda message: isinstance(message, Failed))
    assert isinstance(failed, Failed)
    assert (failed.epoch, failed.retryable) == (3, False)


async def test_closing_says_drain_and_goodbye(tmp_path: Path) -> None:
    machine = Machine()
    async with TinyPool(listen) as pool:
        async with running(make(pool, machine, tmp_path)):
            await machine.until_linked()
        await pool.until(lambda message: isinstance(message, Goodbye))
    assert isinstance(pool.heard[-2], Drain)


async def test_closing_while_waiting_for_a_pool_that_is_away_is_quick(tmp_path: Path) -> None:
    machine = Machine()
    endpoint = Endpoint(url="ws://127.0.0.1:9/v1/workers/connect", pins=tmp_path / "pool.json")
    link = Link(endpoint=endpoint, identity=Identity.from_seed(bytes(32)), owner=machine, random=lambda: 0.99)
    async with running(link):
        await machine.until(lambda state: isinstance(state, Unlinked))
    assert "cannot reach" in next(state.reason for state in machine.states if isinstance(state, Unlinked))


async def test_a_pool_that_reads_nothing_is_left_and_tried_again(tmp_path: Path) -> None:
    machine = Machine()
    async with TinyPool(listen) as pool:
        link = make(pool, machine, tmp_path)
        async with running(link):
            await machine.until_linked()
            for _ in range(OUTBOX_FRAMES + 1):
                link.send(Heartbeat(running=0))
            await machine.until_linked(times=2)
    assert any(isinstance(state, Unlinked) and "unread" in state.reason for state in machine.states)


async def test_nonsense_from_the_pool_is_answered_with_a_goodbye_and_tried_again(tmp_path: Path) -> None:
    async def nonsense(_: TinyPool, socket: ServerConnection) -> None:
        await socket.send("nonsense")
        await socket.wait_closed()

    machine = Machine()
    async with TinyPool(nonsense, listen) as pool, running(make(pool, machine, tmp_path)):
        await machine.until_linked(times=2)
        goodbye = await pool.until(lambda message: isinstance(message, Goodbye))
    assert isinstance(goodbye, Goodbye)
    assert goodbye.code == "malformed"


async def test_an_address_that_is_no_pool_is_told(tmp_path: Path) -> None:
    def refuse(connection: ServerConnection, _: Request) -> Response:
        return connection.respond(404, "nothing here")

    machine = Machine()
    async with serve(ServerConnection.wait_closed, "127.0.0.1", 0, process_request=refuse) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        endpoint = Endpoint(url=f"ws://127.0.0.1:{port}/x", pins=tmp_path / "pool.json")
        link = Link(endpoint=endpoint, identity=Identity.from_seed(bytes(32)), owner=machine, random=lambda: 0.5)
        async with running(link):
            await machine.until(lambda state: isinstance(state, Unlinked))
    assert "HTTP 404" in next(state.reason for state in machine.states if isinstance(state, Unlinked))


async def test_what_is_sent_without_a_session_is_dropped(tmp_path: Path) -> None:
    async with TinyPool(listen) as pool:
        make(pool, Machine(), tmp_path).send(Heartbeat(running=1))
        assert pool.heard == []
