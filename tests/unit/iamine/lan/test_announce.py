"""Where something that listens on an address can be found."""

from iamine.lan.announce import announced_at, own_addresses


def test_what_listens_everywhere_is_found_at_every_local_address() -> None:
    own = ["127.0.0.1", "192.168.1.2", "203.0.113.9", "10.0.0.1", "8.8.8.8"]
    assert announced_at("0.0.0.0", lambda: own)[:1] == ["192.168.1.2"]
    assert not {"127.0.0.1", "8.8.8.8"} & set(announced_at("0.0.0.0", lambda: own))


def test_what_listens_on_one_address_is_found_there_only_if_it_is_a_local_networks() -> None:
    assert announced_at("192.168.1.2", lambda: ["10.0.0.1"]) == ["192.168.1.2"]
    assert announced_at("127.0.0.1") == []
    assert announced_at("8.8.8.8") == []


def test_this_machine_has_addresses() -> None:
    assert "127.0.0.1" in own_addresses()
