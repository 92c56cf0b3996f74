"""The version that the source says."""

import re
from pathlib import Path


def version(root: Path) -> str:
    """`__version__` of the package iamine."""
    found = re.search(r'^__version__ = "([^"]+)"', (root / "iamine" / "__init__.py").read_text(), re.MULTILINE)
    assert found, "iamine/__init__.py has a version"
    return found[1]
