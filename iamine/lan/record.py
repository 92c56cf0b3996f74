"""What a pool, or a folder of models, says of itself on the local network (DNS-SD, RFC 6763): written here, and read here.

Pure. Whoever is on the network can say anything here, so what is read is checked and bounded, and nothing of it is trusted:
a pool must still prove its key, a file its hash.
"""

import ipaddress
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

POOL_TYPE = "_iamine-pool._tcp.local."
MODELS_TYPE = "_iamine-models._tcp.local."
MAX_NAME_BYTES = 63  # RFC 6763, 4.1.1
MAX_ADDRESSES = 8
_FINGERPRINT = re.compile(r"([0-9a-f]{4}-){7}[0-9a-f]{4}")
_PATH = re.compile(r"(/[\w.~-]{1,64}){0,8}")
_VERSION = re.compile(r"[\w.+-]{1,32}")
_UNSHOWN = re.compile(r"[^\x20-\x7e\u00a1-\uffff]|[\u0600-\u0605\u200b-\u200f\u2028-\u202e\u2060-\u206f\ud800-\uf8ff\ufeff]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Who announced something under which name, at which IPv4 addresses and port."""

    name: str
    addresses: tuple[str, ...]
    port: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolRecord:
    """A pool as it is announced. `path` is that of its API ("/v1"), `fingerprint` what its key should show."""

    place: Place
    path: str
    fingerprint: str
    version: str

    @property
    def urls(self) -> tuple[str, ...]:
        """Its API's addresses, those that it named first coming first."""
        return tuple(f"http://{address}:{self.place.port}{self.path}" for address in self.place.addresses)


def pool_text(*, fingerprint: str, version: str, path: str = "/v1") -> dict[str, str]:
    """The TXT record of a pool (RFC 6763, 6.7: the version of the record itself comes first)."""
    return {"txtvers": "1", "path": path, "fp": fingerprint, "version": version}


def pool_record(place: Place, text: Mapping[bytes, bytes | None]) -> PoolRecord | None:
    """The pool that a place with this TXT record announces; None when it makes no sense."""
    said = {key.decode("ascii", "replace"): (value or b"").decode("utf-8", "replace") for key, value in text.items()}
    path, fingerprint, version = said.get("path", ""), said.get("fp", ""), said.get("version", "")
    if said.get("txtvers") != "1" or not _FINGERPRINT.fullmatch(fingerprint) or not _PATH.fullmatch(path):
        return None
    return PoolRecord(
        place=place, path=path, fingerprint=fingerprint, version=version if _VERSION.fullmatch(version) else "unknown"
    )


def place(name: str, kind: str, addresses: Sequence[str], port: int | None) -> Place | None:
    """Where something of this kind lies; None without a port or an address on a local network."""
    local = lan_only(addresses)
    if not port or not local:
        return None
    return Place(name=shown(name.removesuffix(f".{kind}")), addresses=tuple(local[:MAX_ADDRESSES]), port=port)


def lan_only(addresses: Iterable[str]) -> list[str]:
    """The IPv4 addresses among them that are of a local network (RFC 1918, 3927, 6598), each once, in their order.

    Link-local ones come last: they are there beside better ones.
    """
    found = [ipaddress.ip_address(each) for each in dict.fromkeys(addresses)]
    local = [
        each for each in found if each.version == 4 and not each.is_global and not each.is_loopback and not each.is_multicast
    ]
    return [str(each) for each in sorted(local, key=lambda each: each.is_link_local) if not each.is_unspecified]


def shown(name: str) -> str:
    """A stranger's name, safe to write on a terminal and short."""
    return _UNSHOWN.sub("?", name)[:MAX_NAME_BYTES] or "?"


def instance(name: str, kind: str) -> str:
    """The full name of what is announced: a label of at most 63 bytes and the kind."""
    label = shown(name).replace(".", " ").encode()[:MAX_NAME_BYTES].decode("utf-8", "ignore").strip()
    return f"{label or 'iamine'}.{kind}"


def models_text() -> dict[str, str]:
    """The TXT record of a models folder."""
    return {"txtvers": "1"}


def models_place(where: Place, text: Mapping[bytes, bytes | None]) -> Place | None:
    """Where models are shared; None for a record of a kind that is not known here."""
    return where if text.get(b"txtvers") == b"1" else None
