"""The builder's package lies beside the project's own ones."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[3] / "image-build"))
