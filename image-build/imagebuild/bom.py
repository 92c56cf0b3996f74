"""Pure but for reading the locks: the list of what is in the image, as SPDX 2.3 JSON, the same for the same packages."""

import hashlib
import json
import re
from collections.abc import Iterable
from pathlib import Path

from imagebuild.locks import only, words

_PIN = re.compile(r"^([A-Za-z0-9][A-Za-z0-9._-]*)==([^\s;\\]+)", re.MULTILINE)


def locked(root: Path) -> list[tuple[str, str]]:
    """(name, version) of the Python packages in the image; the first pin for this Python when there are two."""
    names = words((root / "image-build/packages/python.txt").read_text())
    lock = only((root / "requirements/runtime.txt").read_text(), names) + (root / "requirements/llama.txt").read_text()
    pins = dict(_PIN.findall(lock))  # the later one is for the newer Python
    return sorted(pins.items())


def spdx(name: str, debian: str, python: Iterable[tuple[str, str]]) -> str:
    """The document; `debian` has a line of package, version, architecture, source and its version for each."""
    packages = [_debian(*line.split("\t")) for line in sorted(debian.splitlines()) if line]
    packages += [_package("pypi", name, version, f"pkg:pypi/{name}@{version}") for name, version in python]
    sha = hashlib.sha256(json.dumps(packages).encode()).hexdigest()
    document = {
        "spdxVersion": "SPDX-2.3",
        "dataLicense": "CC0-1.0",
        "SPDXID": "SPDXRef-DOCUMENT",
        "name": name,
        "documentNamespace": f"urn:sha256:{sha}",
        "creationInfo": {"created": "1970-01-01T00:00:00Z", "creators": ["Tool: imagebuild"]},
        "packages": packages,
        "relationships": [
            {"spdxElementId": "SPDXRef-DOCUMENT", "relationshipType": "DESCRIBES", "relatedSpdxElement": each["SPDXID"]}
            for each in packages
        ],
    }
    return json.dumps(document, indent=1) + "\n"


def _debian(name: str, version: str, architecture: str, source: str, source_version: str) -> dict[str, object]:
    package = _package("deb", name, version, f"pkg:deb/debian/{name}@{version}?arch={architecture}")
    return {**package, "sourceInfo": f"built from {source} {source_version}"}


def _package(kind: str, name: str, version: str, purl: str) -> dict[str, object]:
    return {
        "SPDXID": f"SPDXRef-{kind}-{re.sub('[^A-Za-z0-9.-]', '-', name)}",
        "name": name,
        "versionInfo": version,
        "downloadLocation": "NOASSERTION",
        "externalRefs": [{"referenceCategory": "PACKAGE-MANAGER", "referenceType": "purl", "referenceLocator": purl}],
    }
