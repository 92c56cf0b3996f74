"""Fetches the twin of a file as a worker would: FOLDER of its data, the FILE, and mirrors that its settings name."""

import hashlib
import sys
from pathlib import Path

from appliance.agent import fetching
from appliance.agent.config import FetchSettings
from appliance.agent.fetch import PlainProgress, Rung, Shelf
from appliance.agent.peers import peers
from iamine.ids import ModelId
from iamine.manifest import File, Model

if __name__ == "__main__":
    folder, wanted = Path(sys.argv[1]), Path(sys.argv[2]).read_bytes()
    digest = hashlib.sha256(wanted).hexdigest()
    model = Model(
        id=ModelId("wanted"), name="wanted", tier="small", license="MIT", parameters=1, context=1, repo="who/m",
        revision="cd" * 20, file=(File(path="wanted.gguf", bytes=len(wanted), sha256=digest),),
    )  # fmt: skip
    progress = PlainProgress(lambda line: print("said:", line, flush=True), lambda: 0.0)
    places = lambda: fetching.sources(FetchSettings(mirrors=tuple(sys.argv[3:])), peers=peers(progress.say))  # noqa: E731
    rung = Rung(model=model, reason="wanted")
    for _, path in fetching.run(lambda rate: (rung,), places, Shelf(folder=folder / "models"), progress):
        print("landed:", hashlib.sha256(path.read_bytes()).hexdigest() == digest, flush=True)
