"""`python -m appliance.agent`: the agent's commands alone, for a machine that has nothing else of IAMINE."""

import sys

from appliance.agent.cli import main

if __name__ == "__main__":
    sys.exit(main())
