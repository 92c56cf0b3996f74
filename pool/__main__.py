"""`python -m pool` runs the pool: `iamine pool` without the other commands."""

import sys

from iamine.cli import main

sys.exit(main(["pool", *sys.argv[1:]]))
