"""The ladder's record on disk, and what follows from it for this machine."""

import secrets
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from appliance.agent.ladder import Event, Facts, Measure, Record, Rung, is_calm, step, suspect
from appliance.agent.machine import Hardware
from appliance.agent.types import ModelSpec

FILE_NAME = "ladder.json"
MAX_BYTES = 64 << 10
EXIT_RESTART, EXIT_REBOOT = 75, 82  # sysexits.h: EX_TEMPFAIL; RestartPreventExitStatus= in the stick's drop-in
LEFT_OUT = f"left out: engines on it died again and again (delete {FILE_NAME} to try it at once)"
SAFE = f"left out: only the processor is used after much trouble (delete {FILE_NAME} to try it at once)"


@dataclass(slots=True, kw_only=True)
class Watchdog:
    """Owns the record. `now` gives seconds since 1970; see `Facts` for the two permissions."""

    path: Path
    say: Callable[[str], None]
    now: Callable[[], float]
    supervised: bool = False
    may_reboot: bool = False
    record: Record = field(default_factory=Record)

    def __post_init__(self) -> None:
        with suppress(OSError, msgspec.DecodeError, ValueError), self.path.open("rb") as file:
            self.record = msgspec.json.decode(file.read(MAX_BYTES), type=Record)

    def allowed(self, machine: Hardware) -> Hardware:
        """The machine without the devices that are left out."""
        if self.record.rung is Rung.SAFE:
            return machine.without([each.place for each in machine.devices], SAFE)
        return machine.without(self.record.out, LEFT_OUT)

    def died(self, spec: ModelSpec, words: str, machine: Hardware, *, too_often: bool) -> Measure:
        """An engine died with these last words on the `allowed` machine: what is to be done about it."""
        gpus = [(each.place, each.name) for each in machine.usable_devices] if spec.gpu_layers else []
        event = Event.DIED if not too_often else Event.GPU_TROUBLE if gpus else Event.FILE_TROUBLE
        return self._step(event, gpus=tuple(place for place, _ in gpus), blamed=suspect(words, gpus))

    def idle(self) -> Measure:
        """Nothing can be loaded: what is to be done."""
        return self._step(Event.IDLE)

    def calm(self) -> bool:
        """Whether a calm day is over and everything is to be tried anew."""
        if not is_calm(self.record, self.now()):
            return False
        return self._step(Event.CALM) is Measure.FORGET

    def _step(self, event: Event, *, gpus: tuple[str, ...] = (), blamed: str = "") -> Measure:
        allowed = {"supervised": self.supervised, "may_reboot": self.may_reboot}
        facts = Facts(now=self.now(), gpus=gpus, blamed=blamed, **allowed)
        self.record, measure = step(self.record, event, facts)
        self._keep()
        if measure not in {Measure.RESTART_ENGINE, Measure.QUARANTINE_FILE, Measure.WAIT}:
            self.say(f"watchdog: {measure.value}" + (f" ({blamed})" if measure is Measure.LEAVE_GPU_OUT else ""))
        return measure

    def _keep(self) -> None:
        draft = self.path.with_name(f".{self.path.name}.{secrets.token_hex(4)}")
        try:
            draft.write_bytes(msgspec.json.encode(self.record) + b"\n")
            draft.replace(self.path)
        except OSError as error:
            self.say(f"watchdog: this is forgotten when the worker stops: {error}")
