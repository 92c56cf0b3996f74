"""The partitions."""

from itertools import pairwise

from imagebuild.layout import MIB_SECTORS, partitions, sfdisk_script, total_sectors


def test_settings_come_first_and_nothing_overlaps() -> None:
    parts = partitions()
    assert [part.name for part in parts] == ["settings", "bios", "esp", "system"]
    assert parts[0].start == MIB_SECTORS and parts[0].type.startswith("EBD0A0A2")
    for one, two in pairwise(parts):
        assert one.start + one.size == two.start
    assert all(part.offset_bytes % (1 << 20) == 0 and part.size_bytes >= 1 << 20 for part in parts)
    assert total_sectors() >= parts[-1].start + parts[-1].size + 34


def test_the_script_names_every_partition() -> None:
    lines = sfdisk_script().splitlines()
    assert lines[0] == "label: gpt" and len([line for line in lines if line.startswith("start=")]) == 4
