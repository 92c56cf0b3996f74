"""Pure: iamine.toml as people write it -> settings and what is wrong with it; never nothing because of one wrong line."""

import re
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

if sys.version_info >= (3, 11):
    import tomllib
else:  # pragma: no cover (only 3.10 comes here)
    import tomli as tomllib

FILE_NAME = "iamine.toml"
MAX_BYTES = 64 * 1024
MAX_WRONG_LINES = 20
CODE = "E-SETTINGS"
_AT_LINE = re.compile(r"at line (\d+)")
_HOSTNAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """Something a person should know: a code to look up, what is wrong, what to do."""

    code: str
    message: str
    advice: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What holds; "" and None and 0 mean: not said."""

    pool: str = ""
    pool_key: str = ""
    name: str = ""
    model: str = ""
    max_tps: float | None = None
    slots: int = 0
    wifi_ssid: str = ""
    wifi_password: str = ""
    wifi_hidden: bool = False
    hostname: str = ""
    ntp: tuple[str, ...] = ()
    keep_secrets: bool = False
    recovery: bool = False
    to_memory: bool | None = None  # None: when the machine has plenty


@dataclass(frozen=True, slots=True)
class Read:
    """The settings of a file and its problems."""

    settings: Settings
    problems: tuple[Problem, ...] = ()


_KEYS: Mapping[tuple[str, str], str] = {  # table and key in the file -> field
    ("pool", "url"): "pool",
    ("pool", "key"): "pool_key",
    ("worker", "name"): "name",
    ("worker", "model"): "model",
    ("worker", "max_tps"): "max_tps",
    ("worker", "slots"): "slots",
    ("wifi", "ssid"): "wifi_ssid",
    ("wifi", "password"): "wifi_password",
    ("wifi", "hidden"): "wifi_hidden",
    ("machine", "hostname"): "hostname",
    ("machine", "ntp"): "ntp",
    ("machine", "keep_secrets"): "keep_secrets",
    ("machine", "recovery"): "recovery",
    ("machine", "to_memory"): "to_memory",
}


def file_named(names: Iterable[str]) -> str | None:
    """Of the files on the stick the one that is meant: Windows hides endings, so iamine.toml.txt counts too."""
    there = sorted(names)
    for wanted in (FILE_NAME, f"{FILE_NAME}.txt", "iamine.txt"):
        for name in there:
            if name.lower() == wanted:
                return name
    return None


def read(data: bytes) -> Read:
    """Everything in the file that can be understood; wrong lines and keys become problems."""
    if len(data) > MAX_BYTES:
        return Read(Settings(), (Problem(code=CODE, message=f"{FILE_NAME} is larger than {MAX_BYTES} bytes: nothing is read"),))
    text = _decoded(data).replace("\r\n", "\n").replace("\r", "\n").replace("\0", "")
    document, problems = _parsed(text)
    settings = Settings()
    for table, content in document.items():
        if not isinstance(content, dict):
            problems.append(_unknown(table, str(table)))
            continue
        for key, value in content.items():
            settings = _taken(settings, table, key, value, problems)
    return Read(settings, tuple(problems))


def with_remembered(settings: Settings, remembered: Mapping[str, object]) -> Settings:
    """The password that was blanked in the file, as long as the file names the same network."""
    password = remembered.get("wifi_password")
    same = settings.wifi_ssid != "" and settings.wifi_ssid == remembered.get("wifi_ssid")
    if same and not settings.wifi_password and isinstance(password, str):
        return replace(settings, wifi_password=password)
    return settings


def with_baked(settings: Settings, baked: Mapping[str, object]) -> Settings:
    """The image's own pool when the file names none. A fingerprint belongs to its pool: it never goes with another one."""
    pool, key = baked.get("pool"), baked.get("pool_key")
    if settings.pool or not isinstance(pool, str):
        return settings
    return replace(settings, pool=pool, pool_key=settings.pool_key or (key if isinstance(key, str) else ""))


def _decoded(data: bytes) -> str:
    """UTF-8 with or without its mark, UTF-16 with one, else what old Windows editors write."""
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return data.decode("utf-16", "replace")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.decode("cp1252", "replace")


def _parsed(text: str) -> tuple[dict[str, object], list[Problem]]:
    """The document without the lines that are no TOML."""
    lines, problems = text.split("\n"), list[Problem]()
    while len(problems) < MAX_WRONG_LINES:
        try:
            return tomllib.loads("\n".join(lines)), problems
        except tomllib.TOMLDecodeError as error:
            found = _AT_LINE.search(str(error))
            written = [number for number, line in enumerate(lines) if line.strip(" \t")]
            wrong = int(found[1]) - 1 if found else written[-1]  # without a number it is the end of the text
            if wrong not in written:
                wrong = max((number for number in written if number < wrong), default=written[0])
            advice = f"correct line {wrong + 1}; texts stand in double quotes"
            problems.append(Problem(code=CODE, message=f"{FILE_NAME} line {wrong + 1} is not understood", advice=advice))
            lines[wrong] = ""
        except RecursionError:
            return {}, [*problems, Problem(code=CODE, message=f"{FILE_NAME} has brackets without end: nothing of it is used")]
    return {}, [*problems, Problem(code=CODE, message=f"{FILE_NAME} has too many wrong lines: nothing of it is used")]


def _taken(settings: Settings, table: str, key: str, value: object, problems: list[Problem]) -> Settings:
    """The settings with this key, or with a problem more."""
    field = _KEYS.get((table, key))
    if field is None:
        problems.append(_unknown(table, f"[{table}] {key}"))
        return settings
    wanted = _wanted(field, value)
    if isinstance(wanted, str):
        message = f"{FILE_NAME}: [{table}] {key} must be {wanted}; it is left out"
        problems.append(Problem(code=CODE, message=message, advice="correct it and start again"))
        return settings
    changed: dict[str, Any] = {field: wanted[0]}
    return replace(settings, **changed)


def _unknown(table: str, shown: str) -> Problem:
    known = ", ".join(key for name, key in _KEYS if name == table) or ", ".join(sorted({f"[{name}]" for name, _ in _KEYS}))
    return Problem(code=CODE, message=f"{FILE_NAME}: {shown} is unknown and left out", advice=f"known here: {known}")


def _wanted(field: str, value: object) -> tuple[object] | str:
    """The value as its field has it (in a tuple), or what it should have been."""
    kind = {each.name: each.type for each in fields(Settings)}[field]
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if kind in (bool, bool | None):
        return (value,) if isinstance(value, bool) else "true or false"
    if field == "slots":
        return (value,) if number and isinstance(value, int) and 0 <= value <= 64 else "a whole number up to 64"
    if field == "max_tps":
        return (float(value),) if number and isinstance(value, int | float) and value > 0 else "a number above 0"
    if field == "ntp":
        good = isinstance(value, list) and all(isinstance(each, str) and each and not re.search(r"\s", each) for each in value)
        return (tuple(value),) if good and isinstance(value, list) else 'a list of names, as in ["ntp.example"]'
    if not isinstance(value, str):
        return 'a text in quotes, as in "..."'
    return _text(field, value)


def _text(field: str, value: str) -> tuple[str] | str:
    if not value.isprintable() or len(value) > 512:
        return "a short text in one line"
    if field == "hostname" and value and not _HOSTNAME.fullmatch(value):
        return "letters, digits and -"
    if field == "wifi_ssid" and len(value.encode()) > 32:
        return "the network's name, 32 bytes at most"
    if field == "wifi_password" and value and not 8 <= len(value.encode()) <= 63:
        return "8 to 63 characters"
    return (value,)
