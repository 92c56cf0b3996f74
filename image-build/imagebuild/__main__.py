"""`python -m imagebuild`: build the disk image."""

import sys

from imagebuild.cli import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
