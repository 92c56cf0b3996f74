"""`python -m appliance.agent.doctor.selftest [--gpu] FOLDER`: an engine loads mote and counts; what came of it as JSON."""

import asyncio
import json
import sys
import time
from pathlib import Path

import msgspec

from appliance.agent.errors import EngineFailed
from appliance.agent.models import bundled_folder
from appliance.agent.plan import ALL_LAYERS
from appliance.agent.runner import Runner
from appliance.agent.types import ModelSpec
from iamine.ids import JobId
from iamine.manifest import load
from iamine.wire.messages import ChatWork, EngineOut, Failed, Finished, Job, Sampling, Step

QUESTION, ANSWER = "count from 3 to 7", "3 4 5 6 7"
ANSWER_S = 30.0
CONTEXT_TOKENS = 512


def spec(*, gpu: bool) -> ModelSpec:
    """How mote is loaded for the test."""
    (mote, *_) = (model for model in load().model if model.bundled and model.kind == "chat")
    path = bundled_folder() / Path(mote.file[0].path).name
    return ModelSpec(
        model=mote.id,
        path=path,
        file_sha256=mote.file_sha256,
        tool_format=mote.tool_format,
        slots=1,
        context_tokens=CONTEXT_TOKENS,
        gpu_layers=ALL_LAYERS if gpu else 0,
    )


async def answer(asked: ModelSpec, folder: Path) -> tuple[float, str]:
    """(seconds to load, what it says). Raises EngineFailed."""
    frames: asyncio.Queue[EngineOut] = asyncio.Queue()
    runner = Runner(on_frame=frames.put_nowait, on_offers=lambda offers: None, quarantine_dir=folder)
    began = time.monotonic()
    try:
        await runner.load(asked)
        took_s = time.monotonic() - began
        work = ChatWork(messages=msgspec.Raw(msgspec.json.encode([{"role": "user", "content": QUESTION}])))
        sampling = Sampling(max_tokens=32, temperature=0.0)
        runner.submit(
            Job(job=JobId("job_doctor"), epoch=1, file_sha256=asked.file_sha256, work=work, sampling=sampling, now=time.time())
        )
        return took_s, await asyncio.wait_for(_text(frames), ANSWER_S)
    except asyncio.TimeoutError as error:
        raise EngineFailed(f"no answer within {ANSWER_S:.0f} s") from error
    finally:
        await runner.close()


async def _text(frames: "asyncio.Queue[EngineOut]") -> str:
    text = ""
    while True:
        match await frames.get():
            case Step(sequences=sequences):
                text += "".join(each.text for each in sequences)
            case Finished(text=rest):
                return text + rest
            case Failed(code=code, message=message):
                raise EngineFailed(f"{code}: {message}")
            case _:
                pass


def main(arguments: list[str]) -> None:
    """Print one JSON object."""
    told = {"problem": "", "hint": "", "text": "", "load_s": 0.0}
    try:
        told["load_s"], told["text"] = asyncio.run(answer(spec(gpu="--gpu" in arguments), Path(arguments[-1])))
    except EngineFailed as error:
        told |= {"problem": error.message, "hint": error.hint}
    sys.stdout.write(json.dumps(told) + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
