"""Who takes the room in a slot."""

from pathlib import Path

from imagebuild import sizes


def test_every_file_belongs_to_somebody_and_the_table_adds_up(tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    for name, content in {
        "var/lib/dpkg/info/big:amd64.list": b"/lib/big\n",
        "usr/lib/big": bytes(range(256)) * 400,
        "usr/lib/iamine/venv/lib/python3.13/site-packages/numpy/core.py": b"x = 1\n" * 50,
        "usr/lib/python3/__pycache__/a.pyc": b"compiled",
        "boot/vmlinuz": b"not in the squashfs",
    }.items():
        (tree / name).parent.mkdir(parents=True, exist_ok=True)
        (tree / name).write_bytes(content)
    sizes.write(tree, tmp_path / "sizes.json")
    found = sizes.read(tmp_path / "sizes.json")
    assert set(found) == {"big", "python: numpy", "compiled Python of Debian", "the rest (overlay, caches)"}
    assert found["big"][0] == 102_400
    told = sizes.report({"vmlinuz": 12_000_000, "filesystem.squashfs": 100_000_000, "iamine.img.zst": 1}, found)
    assert "112.0 MB  all of a slot" in told and told.index("  big") < told.index("numpy")
