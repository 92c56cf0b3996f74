"""Pure: whether the processor can run what the engine is built of; asked before anything loads it."""

FLOOR = ("cx16", "lahf_lm", "popcnt", "pni", "sse4_1", "sse4_2", "ssse3")  # x86-64-v2 as /proc/cpuinfo writes it; numpy's floor


def missing(cpuinfo: str, machine: str) -> tuple[str, ...]:
    """What the processor lacks of x86-64-v2; nothing on other machines, or when its flags are not told."""
    if machine != "x86_64":
        return ()
    for line in cpuinfo.splitlines():
        name, _, flags = line.partition(":")
        if name.strip() == "flags":
            return tuple(flag for flag in FLOOR if flag not in flags.split())
    return ()
