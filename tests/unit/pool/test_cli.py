"""The pool's commands, as far as they go without a database: the rest is in tests/integration/store."""

import argparse
import socket
from pathlib import Path

import pytest

from iamine.local import AddressUnusable
from pool import cli
from pool.config import ConfigError


def parse(*arguments: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    cli.register(parser.add_subparsers())
    return parser.parse_args(arguments)


def test_a_port_in_use_is_told_before_anything_is_started(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        options = parse("pool", "--data-dir", str(tmp_path / "d"), "--port", str(port))
        with pytest.raises(AddressUnusable, match=f"port {port} is in use"):
            options.run(options)
    assert not (tmp_path / "d" / "postgres").exists()


def test_a_wrong_setting_is_told(tmp_path: Path) -> None:
    (tmp_path / "c.toml").write_text("hots = 'x'")
    options = parse("account", "create", "ann", "--config", str(tmp_path / "c.toml"))
    with pytest.raises(ConfigError, match="hots"):
        options.run(options)


def test_an_account_needs_a_name() -> None:
    with pytest.raises(SystemExit):
        parse("account", "create")
