"""The list of what is in the image."""

import json

from imagebuild.bom import locked, spdx
from imagebuild.plan import ROOT

DEBIAN = "zlib1g\t1:1.3\tamd64\tzlib\t1:1.3\nbash\t5.2\tamd64\tbash\t5.2\n"


def test_it_is_spdx_and_the_same_for_the_same_packages() -> None:
    text = spdx("x", DEBIAN, [("rich", "15")])
    assert text == spdx("x", "\n".join(reversed(DEBIAN.splitlines())), [("rich", "15")])
    found = json.loads(text)
    assert found["spdxVersion"] == "SPDX-2.3" and [p["name"] for p in found["packages"]] == ["bash", "zlib1g", "rich"]
    assert found["packages"][1]["externalRefs"][0]["referenceLocator"] == "pkg:deb/debian/zlib1g@1:1.3?arch=amd64"
    assert len(found["relationships"]) == 3


def test_the_locks_name_what_the_image_has() -> None:
    pins = dict(locked(ROOT))
    assert "llama-cpp-python" in pins and "numpy" in pins and "sanic" not in pins
