"""What happens to a slot on trial."""

import pytest

from appliance.slots.verdict import PATIENCE_S, Seen, Verdict, verdict


@pytest.mark.parametrize(
    ("accepted", "engine", "reached", "link_s", "said"),
    [
        (True, False, True, None, Verdict.KEEP),
        (False, True, True, None, Verdict.WATCH),
        (False, True, True, PATIENCE_S, Verdict.WATCH),
        (False, True, True, PATIENCE_S + 1, Verdict.GIVE_UP),
        (False, True, False, 0.0, Verdict.KEEP),
        (False, False, False, 10.0, Verdict.WATCH),
        (False, False, False, PATIENCE_S + 1, Verdict.GIVE_UP),
        (False, False, False, None, Verdict.WATCH),
    ],
)
def test_only_the_pool_or_a_pool_that_was_never_there_keeps_it(
    accepted: bool, engine: bool, reached: bool, link_s: float | None, said: Verdict
) -> None:
    assert verdict(Seen(accepted=accepted, engine_ready=engine, pool_reached_before=reached, link_s=link_s)) is said
