"""`just lock` for node: package-lock.json from package.json, with hashes and without a word of where things come from."""

import json
import subprocess
from pathlib import Path

FOLDER = Path(__file__).parents[2] / "requirements" / "accept"
LOCK = FOLDER / "package-lock.json"

LOCK.unlink(missing_ok=True)
command = ["npm", "install", "--package-lock-only", "--omit-lockfile-registry-resolved", "--no-audit", "--no-fund"]
subprocess.run(command, cwd=FOLDER, check=True)
lock = json.loads(LOCK.read_text())
for package in lock["packages"].values():
    package.pop("funding", None)
    package.pop("resolved", None)
LOCK.write_text(json.dumps(lock, indent=2) + "\n")
