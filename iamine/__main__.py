"""`python -m iamine` is the command `iamine`."""

import sys

from iamine.cli import main

sys.exit(main())
