"""How PostgreSQL's programs are run."""

from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

from pool.store import postgres_commands as commands
from pool.store.postgres_commands import NOBODY, Users, fits_socket, run_as, socket_folders

HERE = Path("/data/iamine")


PLAIN = run_as(Users(euid=1000, has_name=True, somebody=NOBODY), user_namespaces=True)
ROOT = Users(euid=0, has_name=True, somebody=NOBODY)
NAMELESS = Users(euid=1234, has_name=False, somebody=NOBODY)


def test_a_plain_user_runs_it_as_itself() -> None:
    assert (PLAIN.prefix, PLAIN.owner) == ((), None)


def test_root_runs_it_in_a_user_namespace_and_keeps_the_files() -> None:
    who = run_as(ROOT, user_namespaces=True)
    assert who.prefix[:3] == ("unshare", "--user", "--map-user=65534")
    assert who.owner == 0


def test_root_without_namespaces_becomes_somebody_else() -> None:
    who = run_as(ROOT, user_namespaces=False)
    assert (who.prefix[:2], who.owner) == (("setpriv", "--reuid=65534"), NOBODY)


def test_a_user_without_a_name_gets_one_in_a_user_namespace() -> None:
    who = run_as(NAMELESS, user_namespaces=True)
    assert (who.prefix[0], who.owner) == ("unshare", None)
    assert run_as(NAMELESS, user_namespaces=False).prefix == ()


def test_the_death_signal_is_set_after_the_change_of_user() -> None:
    who = run_as(ROOT, user_namespaces=True)
    command = commands.postgres(Path("/b"), HERE / "postgres", HERE / "socket", who)
    assert command[: len(who.prefix)] == who.prefix
    assert any("prctl" in word for word in command[len(who.prefix) :])


def test_it_listens_on_no_network() -> None:
    command = commands.postgres(Path("/b"), HERE / "postgres", HERE / "socket", PLAIN)
    assert {"--listen_addresses=", "--unix_socket_permissions=0700", "--fsync=on"} <= set(command)


def test_connections_need_a_password() -> None:
    command = commands.initdb(Path("/b"), HERE / "new", HERE / "password", PLAIN)
    assert {"--auth=scram-sha-256", f"--pwfile={HERE}/password"} <= set(command)


def test_the_socket_lies_in_the_data_folder() -> None:
    assert socket_folders(HERE, {}, 7)[0] == HERE / "socket"


def test_a_long_data_folder_has_its_socket_elsewhere() -> None:
    long = Path("/" + "x" * 100)
    found = socket_folders(long, {"XDG_RUNTIME_DIR": "/run/user/7", "TMPDIR": "relative"}, 7)
    assert [folder.parent for folder in found] == [Path("/run/user/7"), Path("/tmp")]
    assert all(fits_socket(folder) for folder in found)
    assert found[0].name != socket_folders(Path("/" + "y" * 100), {}, 7)[0].name


def test_the_longest_socket_path_is_107_bytes() -> None:
    base = len(f"/{commands.SOCKET_NAME}")
    assert fits_socket(Path("/" + "x" * (107 - base - 1)))
    assert not fits_socket(Path("/" + "x" * (107 - base)))
    assert not fits_socket(Path("/" + "é" * 50))


def test_the_dsn_can_hold_any_path() -> None:
    parts = urlsplit(commands.dsn(Path("/a b/ü?&"), "p/w@"))
    assert unquote(parts.password or "") == "p/w@"
    assert parse_qs(parts.query)["host"] == ["/a b/ü?&"]


def test_the_last_lines_make_one() -> None:
    assert commands.last_lines("a\n\n b\nc\n", 2) == "b / c"
