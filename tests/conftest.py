"""Fakes are found as the package `fakes`."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
