"""The fixed ids."""

from pathlib import Path

from appliance.medium.ids import DATA_TYPE, NUMBERS, fixed_uuid


def test_ids_differ_and_stay() -> None:
    assert len({fixed_uuid(name) for name in (*NUMBERS, "disk", "system-fs")}) == len(NUMBERS) + 2
    assert fixed_uuid("disk") == "603E0158-B4F2-50E8-808D-D2C74420EC56"  # sticks in the field have it


def test_repart_makes_the_type_that_is_looked_for() -> None:
    conf = Path(__file__).parents[4] / "appliance/rootfs/usr/lib/iamine/repart.d/50-data.conf"
    assert f"Type={DATA_TYPE}\n" in conf.read_text()
