"""Mirrors come from the machine's own apt."""

import pytest
from imagebuild.errors import BuildError
from imagebuild.mirrors import Source, image_sources

DEB822 = """\
# comment
Types: deb deb-src
URIs: http://mirror.example/d
Suites: bookworm bookworm-updates
Components: main contrib
Signed-By: /x.gpg

Types: deb
URIs: http://mirror.example/s
Suites: bookworm-security
Components: main
"""
LINES = "deb [arch=amd64 signed-by=/x] https://m.example/debian trixie main\n#deb http://off.example trixie main\n"


def test_the_new_format() -> None:
    assert image_sources([DEB822], "bookworm") == [
        Source("http://mirror.example/d", "trixie"),
        Source("http://mirror.example/d", "trixie-updates"),
        Source("http://mirror.example/s", "trixie-security"),
    ]


def test_the_old_format_among_others() -> None:
    others = "deb https://other.example/apt stable main\n"
    assert image_sources([others, LINES], "trixie") == [Source("https://m.example/debian", "trixie")]
    assert Source("u", "trixie").line == "deb u trixie main non-free-firmware"


@pytest.mark.parametrize(
    "text", ["", DEB822.replace("Types: deb\n", "Enabled: no\nTypes: deb\n").replace("main contrib", "contrib")]
)
def test_without_a_mirror_it_says_where_one_is_written(text: str) -> None:
    with pytest.raises(BuildError, match="no mirror of Debian bookworm") as caught:
        image_sources([text], "bookworm")
    assert "sources.list" in caught.value.hint
