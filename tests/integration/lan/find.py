"""Finds a pool as a worker does that keeps its data in FOLDER."""

import json
import sys
from pathlib import Path

from appliance.agent.config import Options, settings
from appliance.agent.finding import home
from iamine.errors import IamineError

if __name__ == "__main__":
    try:
        found = home(settings(Options(), {}, Path(sys.argv[1])), lambda line: print("said:", line, flush=True))
    except IamineError as error:
        print("error:", error.message, "\nhint:", error.hint, flush=True)
    else:
        print("home:", json.dumps([found.base, found.pool_key]), flush=True)
