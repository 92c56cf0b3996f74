"""Pure: the image's apt sources, made of the mirrors that this machine's own sources name."""

import re
from dataclasses import dataclass

from imagebuild.errors import BuildError

RELEASE = "trixie"
COMPONENTS = "main non-free-firmware"
_ONE_LINE = re.compile(r"^deb\s+(?:\[[^]]*\]\s*)?(\S+)\s+(\S+)\s+(.+)$")


@dataclass(frozen=True, slots=True)
class Source:
    """One mirror and the suite taken from it."""

    uri: str
    suite: str

    @property
    def line(self) -> str:
        """As it stands in a sources.list."""
        return f"deb {self.uri} {self.suite} {COMPONENTS}"


def image_sources(texts: list[str], codename: str) -> list[Source]:
    """Release, updates and security of RELEASE from the mirrors that have these of `codename`. Raises BuildError."""
    found = [pair for text in texts for pair in _pairs(text)]
    sources = []
    for ending in ("", "-updates", "-security"):
        uri = next((uri for uri, suite in found if suite == codename + ending), None)
        if uri is not None:
            sources.append(Source(uri, RELEASE + ending))
    if not sources or sources[0].suite != RELEASE:
        hint = "name a Debian mirror in /etc/apt/sources.list or sources.list.d; the image is built from the same one"
        raise BuildError(f"this machine's apt has no mirror of Debian {codename}", hint=hint)
    return sources


def _pairs(text: str) -> list[tuple[str, str]]:
    """(URI, suite) of every enabled binary source, in both of apt's formats."""
    pairs = [(m[1], m[2]) for line in text.splitlines() if (m := _ONE_LINE.match(line.strip())) and "main" in m[3].split()]
    for stanza in re.split(r"\n\s*\n", text):
        fields = {
            key.strip().lower(): value.split()
            for key, colon, value in (line.partition(":") for line in stanza.splitlines() if not line.startswith(("#", " ")))
            if colon
        }
        usable = "deb" in fields.get("types", []) and "main" in fields.get("components", []) and fields.get("enabled") != ["no"]
        if usable:
            pairs += [(uri, suite) for uri in fields.get("uris", []) for suite in fields.get("suites", [])]
    return pairs
