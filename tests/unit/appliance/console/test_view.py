"""The picture and the serial line, from what is known."""

from dataclasses import replace

from appliance.console.view import Line, Machine, footer, picture, plain, qr, with_clock

MACHINE = Machine(
    version="1.0", hostname="box", addresses=("10.0.2.15",), memory_used_bytes=210_000_000, memory_bytes=1_000_000_000,
    uptime_s=125.0, slot="a", firmware="BIOS", synchronized=True,
)  # fmt: skip
START = {"pool": "http://p", "kept": True, "problems": []}
JOINED = {
    "linked": True, "link": "linked to P as wrk_1", "models": ["mote, 8 x 1024 tokens"], "running": 1, "done": 2, "failed": 0,
    "tokens": 30, "rate_tps": 4.5, "draining": False, "lines": ["12:00:00 loaded mote"],
}  # fmt: skip


def texts(lines: tuple[Line, ...]) -> str:
    return "\n".join(f"{line.label}: {line.text}" for line in lines)


def test_a_worker_at_work() -> None:
    shown = picture(MACHINE, START, JOINED)
    assert Line("pool", "linked to P as wrk_1", "good") in shown
    assert Line("work", "1 running, 2 done, 30 tokens, 4.5 tokens/s") in shown
    assert "machine: box, 210 of 1000 MB in use" in texts(shown)
    assert "12:00:00 loaded mote" in texts(shown) and "memory only" not in texts(shown)
    assert plain(MACHINE, START, JOINED) == (
        "IAMINE worker joined: linked to P as wrk_1 | model mote, 8 x 1024 tokens | done 2 | address 10.0.2.15"
        " | memory 210 MB | BIOS | slot a | claim code none | problems none"
    )


def test_nothing_is_known_yet() -> None:
    shown = picture(replace(MACHINE, addresses=()), {}, {})
    assert Line("network", "no address yet: is the cable in?", "bad") in shown
    assert Line("pool", "the worker is starting", "dim") in shown and Line("model", "none loaded yet", "dim") in shown
    assert plain(replace(MACHINE, addresses=()), {}, {}).startswith("IAMINE not linked: the worker is starting | model none")


def test_problems_are_shown_with_their_advice_and_their_codes_on_the_line() -> None:
    problem = {"code": "E-POOL", "message": "no pool is set", "advice": "write one"}
    start = {"pool": "", "kept": False, "problems": [{"code": "E-X", "message": "old"}, problem]}
    shown = picture(MACHINE, start, {})
    assert Line("pool", "none is set: looking for one on the local network", "bad") in shown
    assert shown[-2:] == (Line("E-POOL", "no pool is set", "bad"), Line("", "try: write one", "dim"))
    assert Line("memory only", "nothing is kept when this machine goes off", "dim") in shown
    assert plain(MACHINE, start, {}).endswith("problems E-X,E-POOL")


def test_a_report_of_another_shape_breaks_nothing() -> None:
    assert picture(MACHINE, {"problems": "x", "kept": True}, {"models": 3, "lines": None, "link": ""})
    assert plain(MACHINE, {"problems": [3]}, {"models": "x"}).endswith("problems none")


def test_the_footer_says_when_the_clock_is_a_guess() -> None:
    assert footer(MACHINE) == "IAMINE 1.0, BIOS, slot a, up 2 min"
    assert "clock not checked" in footer(replace(MACHINE, synchronized=False))


def test_what_was_found_out_about_the_clock_is_one_problem_more() -> None:
    clock = {"by": "pool", "code": "E-CLOCK", "message": "it was 3 days behind", "advice": "the battery"}
    assert with_clock(START, {}) is START and with_clock(START, {"by": "pool", "message": ""}) is START
    assert plain(MACHINE, with_clock(START, clock), JOINED).endswith("problems E-CLOCK")
    assert "the clock is the pool's" in footer(replace(MACHINE, synchronized=False), "pool")


def test_a_stick_that_may_go_and_an_open_shell_are_told() -> None:
    start = {**START, "in_memory": True, "disk": "/dev/sdb", "recovery": True}
    assert {"stick", "recovery"} <= {line.label for line in picture(MACHINE, start, JOINED)}
    assert "stick" not in {line.label for line in picture(MACHINE, {**start, "disk": ""}, JOINED)}, "it is gone already"


def test_a_pool_that_was_found_is_shown_with_its_key_and_is_no_problem_any_more() -> None:
    start = {"pool": "", "kept": True, "problems": [{"code": "E-POOL", "message": "no pool is set"}]}
    found = {**JOINED, "fingerprint": "ab12-cd34"}
    assert Line("pool's key", "ab12-cd34", "dim") in picture(MACHINE, start, found)
    assert plain(MACHINE, start, found).endswith("problems none") and plain(MACHINE, start, {}).endswith("problems E-POOL")


def test_how_to_claim_the_worker_is_shown_until_somebody_has() -> None:
    said = {"owner": "", "code": "7KQ4-M2XN", "page": "http://p/claim", "qr": ["##", " #"]}
    status = JOINED | {"claim": said}
    assert Line("claim", "code 7KQ4-M2XN at http://p/claim") in picture(MACHINE, START, status)
    assert qr(status) == ("##", " #") and "| claim code 7KQ4-M2XN |" in plain(MACHINE, START, status)
    taken = JOINED | {"claim": {"owner": "Ann", "code": "", "page": "", "qr": []}}
    assert Line("claim", "claimed by Ann", "good") in picture(MACHINE, START, taken)
    assert qr(taken) == () and "| claimed by Ann |" in plain(MACHINE, START, taken)
    assert qr(JOINED | {"claim": None}) == () == qr({"claim": "x"})
