"""Pure: the files that other programs read, made of settings."""

import json
import re
from collections.abc import Callable

from appliance.firstboot.settings import Settings

_PLAIN_SSID = re.compile(r"[A-Za-z0-9 _-]+")
_PASSWORD = re.compile(r"""^(?P<key>\s*password\s*=\s*)(?P<value>"(?:[^"\\\n]|\\.)*"|'[^'\n]*')""", re.MULTILINE)
_TABLE = re.compile(r"^\s*\[", re.MULTILINE)
_WIFI = re.compile(r"^\s*\[\s*wifi\s*\][^\n]*$", re.MULTILINE)
_MACHINE = re.compile(r"^\s*\[\s*machine\s*\][^\n]*$", re.MULTILINE)
_RECOVERY = re.compile(r"^(?P<key>[ \t]*recovery[ \t]*=[ \t]*)true\b", re.MULTILINE)


def worker_toml(settings: Settings, models_dir: str) -> str:
    """The agent's config."""
    said = {
        "pool": settings.pool,
        "pool_key": settings.pool_key,
        "name": settings.name,
        "model": settings.model,
        "max_tps": settings.max_tps,
        "slots": settings.slots,
        "models_dir": models_dir,
    }
    return "".join(f"{key} = {json.dumps(value)}\n" for key, value in said.items() if value)


def iwd_network(settings: Settings) -> tuple[str, str] | None:
    """Name and content of iwd's file for the Wi-Fi network; None without one (iwd.network(5))."""
    if not settings.wifi_ssid:
        return None
    ssid, password = settings.wifi_ssid, settings.wifi_password
    stem = ssid if _PLAIN_SSID.fullmatch(ssid) else "=" + ssid.encode().hex()
    lines = ["[Settings]", "AutoConnect=true", *(["Hidden=true"] if settings.wifi_hidden else [])]
    if password:  # backslash begins an escape, and so a leading space is kept
        escaped = password.replace("\\", "\\\\")
        escaped = "\\s" + escaped[1:] if escaped.startswith(" ") else escaped
        lines += ["[Security]", f"Passphrase={escaped}"]
    return f"{stem}.{'psk' if password else 'open'}", "\n".join(lines) + "\n"


def timesyncd_conf(settings: Settings) -> str:
    """A drop-in with the time servers; those of the network come first without it."""
    return f"[Time]\nNTP={' '.join(settings.ntp)}\n" if settings.ntp else ""


def blanked(text: str) -> str:
    """iamine.toml with an empty Wi-Fi password; everything else, comments too, as it was."""
    return _within(_WIFI, text, lambda table: _PASSWORD.sub(r'\g<key>""', table))


def without_recovery(text: str) -> str:
    """iamine.toml with `recovery = false`: a shell for everybody is for one start only."""
    return _within(_MACHINE, text, lambda table: _RECOVERY.sub(r"\g<key>false", table))


def _within(table: "re.Pattern[str]", text: str, change: Callable[[str], str]) -> str:
    """The text with the lines of one table changed."""
    start = table.search(text)
    if start is None:
        return text
    end = _TABLE.search(text, start.end())
    stop = end.start() if end else len(text)
    return text[: start.end()] + change(text[start.end() : stop]) + text[stop:]
