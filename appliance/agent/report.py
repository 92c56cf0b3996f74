"""What `iamine probe` shows: the machine, each device used or not and why, and what fits it."""

from collections.abc import Mapping, Sequence

from appliance.agent.fit import LEAST_TPS, Budget, Choice, Fit, gigabytes
from appliance.agent.machine import Battery, Device, Hardware
from iamine.terminal import Terminal

DEVICE_COLUMNS = ("device", "driver", "memory", "used", "why not")
FIT_COLUMNS = ("model", "fits", "needs", "slots x context", "tokens/s", "why not")


def show(out: Terminal, machine: Hardware, disk: str) -> None:
    """The machine for people."""
    for line in lines(machine):
        out.line(line)
    out.line(disk)
    if machine.devices:
        out.table(DEVICE_COLUMNS, [device_row(device) for device in machine.devices])
    for problem in machine.problems:
        out.line(problem, "yellow")


def lines(machine: Hardware) -> list[str]:
    """Processor, memory, surroundings and engine, a line each."""
    cpu, memory, engine = machine.cpu, machine.memory, machine.engine
    cores = f"{cpu.cores_physical} cores" + (f" ({cpu.cores_fast} fast)" if cpu.cores_fast != cpu.cores_physical else "")
    nodes = f", {cpu.numa_nodes} NUMA nodes" if cpu.numa_nodes > 1 else ""
    copy = f", copies {cpu.copy_bytes_per_s / 1e9:.0f} GB/s" if cpu.copy_bytes_per_s else ""
    limit = f", limited by the group {memory.limit}" if memory.limit else ""
    around = ", ".join(each for each in (machine.virtual, machine.container, power(machine.battery)) if each)
    variant = f", CPU variant {engine.variant}" if engine.variant else ""
    return [
        f"cpu      {cpu.name}: {cores}, {cpu.threads} threads, {cpu.cores_usable:g} usable{nodes}{copy}",
        f"memory   {gigabytes(memory.available_bytes)} of {gigabytes(memory.total_bytes)} free{limit}",
        f"system   {machine.os}{'; ' + around if around else ''}",
        f"engine   llama.cpp with {', '.join(engine.backends) or 'no backend'}{variant}",
    ]


def power(battery: Battery | None) -> str:
    """The battery in words; "" without one."""
    if battery is None:
        return ""
    level = "battery" if battery.percent is None else f"battery {battery.percent:.0f} %"
    return level if battery.plugged is None else f"{level}, {'plugged in' if battery.plugged else 'not plugged in'}"


def device_row(device: Device) -> tuple[str, ...]:
    """A device as a line of a table."""
    size = f"{gigabytes(device.memory_bytes)}{' shared' if device.shared else ''}" if device.memory_bytes else ""
    return device.name, device.driver or "none", size, "yes" if device.usable else "no", device.reason


def show_fits(out: Terminal, room: Budget, fits: Sequence[Fit], choice: Choice) -> None:
    """Every model, and the best at hand, with its reason."""
    out.table(FIT_COLUMNS, [fit_row(each) for each in fits])
    out.line(f"{room.device} can give {gigabytes(room.bytes)}; speeds are expected for one answer, not measured", "dim")
    out.line(f"best at hand: {choice.model.id if choice.model else 'none'} ({choice.reason})")


def as_json(
    machine: Hardware, disk: int | None, room: Budget, fits: Sequence[Fit], choices: Mapping[str, Choice]
) -> dict[str, object]:
    """The same as JSON values."""
    chosen = {
        name: {"model": choice.model.id if choice.model else None, "reason": choice.reason} for name, choice in choices.items()
    }
    found = [fit_json(each) for each in fits]
    return {"hardware": machine, "disk_free_bytes": disk, "budget_bytes": room.bytes, "fits": found, **chosen}


def fit_json(found: Fit) -> dict[str, object]:
    """Whether a model fits, as JSON values."""
    return {
        "model": found.model.id,
        "fits": found.fits,
        "need_bytes": found.need_bytes,
        "slots": found.slots,
        "context_tokens": found.context_tokens,
        "speed_tps": round(found.speed_tps, 1),
        "reason": found.reason,
    }


def fit_row(found: Fit) -> tuple[str, ...]:
    """Whether a model fits, as a line of a table."""
    name, need = found.model.id, gigabytes(found.need_bytes)
    if not found.fits:
        return name, "no", need, "", "", found.reason
    slow = f"slower than {LEAST_TPS:.0f} tokens/s" if found.speed_tps < LEAST_TPS else ""
    return name, "yes", need, f"{found.slots} x {found.context_tokens}", f"{found.speed_tps:.0f}", slow
