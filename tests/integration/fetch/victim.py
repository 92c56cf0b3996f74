"""Fetches a file in a forked child for each line on stdin and tells its pid; after the next line it tells how it ended.

python victim.py ADDRESS FOLDER BYTES SHA256
"""

import os
import sys
from pathlib import Path

from appliance.agent.fetch import Fetcher, FetchFailed, PlainProgress, Shelf, mirror
from appliance.agent.fetch.sources import trust
from iamine.ids import ModelId
from iamine.manifest import File, Model


def main(address: str, folder: str, size: str, sha256: str) -> None:
    file = File(path="m.gguf", bytes=int(size), sha256=sha256)
    model = Model(id=ModelId("m"), name="m", tier="small", license="MIT", parameters=1, context=1, file=(file,))
    trust()  # before the forks: each would take longer for it than for the file
    while sys.stdin.readline():
        pid = os.fork()
        if not pid:
            progress = PlainProgress(lambda line: None, lambda: 0.0)
            try:
                Fetcher(shelf=Shelf(folder=Path(folder)), sources=(mirror(address),), progress=progress).fetch(model)
            except FetchFailed:
                os._exit(1)
            os._exit(0)
        print(pid, flush=True)
        sys.stdin.readline()  # until then the pid belongs to the child, running or not
        print(os.waitpid(pid, 0)[1], flush=True)


main(*sys.argv[1:])
