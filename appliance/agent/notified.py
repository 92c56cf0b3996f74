"""A screen that tells systemd, too, what goes on: `systemctl status` shows it."""

from appliance.agent.notify import Notify
from appliance.agent.screen import Screen
from appliance.agent.types import Status
from appliance.agent.view import counts, link_line


class Notified:
    """Passes everything on to another screen."""

    def __init__(self, inner: Screen, told: Notify) -> None:
        self.every_s, self.progress_every_s, self.board = inner.every_s, inner.progress_every_s, inner.board
        self._inner, self._told, self._last = inner, told, ""

    def say(self, line: str) -> None:
        """An event."""
        self._told.tell(f"STATUS={line}")
        self._inner.say(line)

    def show(self, status: Status) -> None:
        """The state of things."""
        line = f"{link_line(status.link)[0]}; {counts(status)}"
        if line != self._last:
            self._told.tell(f"STATUS={line}")
            self._last = line
        self._inner.show(status)

    def close(self) -> None:
        """Nothing is open."""
        self._inner.close()
