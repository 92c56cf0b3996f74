"""`python -m appliance.agent.probe PART`: ask one driver and print its answer as JSON (see child.py)."""

import sys

import msgspec


def main(part: str) -> int:
    """Write the part's answer."""
    answer: msgspec.Struct
    if part == "nvml":
        from appliance.agent.probe import nvidia

        answer = nvidia.ask()
    elif part in {"engine", "processor"}:
        from appliance.agent import backends
        from appliance.agent.probe import engine

        answer = engine.ask(backends.library_folder(), gpu=part == "engine")
    else:
        from appliance.agent.probe import udev

        answer = udev.ask()
    sys.stdout.buffer.write(msgspec.json.encode(answer))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
