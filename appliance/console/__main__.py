"""`python -m appliance.console [--serial DEVICE]`: the picture on stdout, a line every few seconds on the serial line."""

import argparse
import os
import sys
import time

from appliance.console.screen import Picture
from appliance.console.seen import CLOCK, START, STATUS, machine, report
from appliance.console.view import footer, picture, plain, qr, with_clock

DRAWN_EVERY_S = 1.0
SERIAL_EVERY, SHELL_EVERY = 5, 60  # drawings; somebody types there while a shell is open


def main() -> None:
    """Until the service manager ends it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--serial", default="", help="the serial line for plain lines")
    device = parser.parse_args().serial
    serial = open_serial(device)
    screen, count, told = Picture(), 0, ""
    while True:
        now, status, clock = machine(), report(STATUS), report(CLOCK)
        start = with_clock(report(START), {} if now.synchronized else clock)
        screen.show(picture(now, start, status), footer(now, clock.get("by")), qr(status))
        line = plain(now, start, status)
        every = SHELL_EVERY if start.get("recovery") else SERIAL_EVERY
        due = count % every == 0 or bool(status.get("linked")) != told.startswith("IAMINE worker")
        if serial is not None and due:
            serial, told = written(serial, device, line), line
        count += 1
        time.sleep(DRAWN_EVERY_S)


def written(serial: int, device: str, line: str) -> int | None:
    """The serial line after the line was told; opened anew when the beginning of a shell has hung it up."""
    try:
        os.write(serial, line.encode("ascii", "replace") + b"\r\n")
    except BlockingIOError:
        return serial  # nobody reads: the line is lost, the picture goes on
    except OSError:
        os.close(serial)
        return open_serial(device)
    return serial


def open_serial(device: str) -> int | None:
    """The serial line, when there is one; writing to it never waits."""
    try:
        return os.open(device, os.O_WRONLY | os.O_NONBLOCK | os.O_NOCTTY) if device else None
    except OSError as error:
        sys.stderr.write(f"{device}: {error.strerror}\n")
        return None


if __name__ == "__main__":
    main()
