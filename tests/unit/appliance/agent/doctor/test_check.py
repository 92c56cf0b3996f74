"""The verdict over all checks."""

from appliance.agent.doctor.check import fail, ok, warn, worst


def test_the_verdict_is_the_worst() -> None:
    good, bad, worse = ok("n", ""), warn("n", "", ""), fail("n", "", "")
    assert [worst(checks) for checks in ([], [good], [good, bad], [bad, worse, good])] == ["ok", "ok", "warn", "fail"]
