"""How the pool regards this worker, in words."""

from appliance.agent.regard import MAX_OWNER_CHARACTERS, Regard, standing_line
from iamine.ids import ModelId
from iamine.wire.messages import MAX_MODELS, Claim, Standing


def standing(model: str = "m", reason: str = "idle", owed_s: float = 0.0, text: str = "") -> Standing:
    return Standing(model=ModelId(model), deficit_s=owed_s, reason=reason, text=text)


def test_only_what_the_volunteer_can_change_is_said_aloud_and_once() -> None:
    regard = Regard()
    assert regard.stands(standing()) == ""
    assert regard.stands(standing(reason="slow")) == "no job for m (slow)"
    assert regard.stands(standing(reason="slow")) == ""
    assert regard.standing() == "no job for m (slow)"
    regard.linked()
    assert regard.standing() == ""


def test_a_pool_cannot_fill_the_memory_with_standings() -> None:
    regard = Regard()
    for number in range(MAX_MODELS + 5):
        regard.stands(standing(f"m{number}"))
    regard.stands(standing("m0", text="again"))
    assert regard.standing().count(";") == MAX_MODELS - 1 and "again" in regard.standing()


def test_what_is_owed_is_told() -> None:
    assert standing_line(standing(owed_s=12.4, text="others are owed more")) == "others are owed more (owed 12 s of work)"


def test_a_code_is_said_when_it_is_new_and_shown_while_it_counts() -> None:
    regard = Regard()
    assert regard.claimed(Claim(code="7KQ4-M2XN", valid_s=60.0), 10.0) == "to claim this worker: iamine claim 7KQ4-M2XN"
    assert regard.claimed(Claim(code="7KQ4-M2XN", valid_s=60.0), 10.0) == ""
    assert (regard.code(69.0), regard.code(70.0), regard.owner) == ("7KQ4-M2XN", "", "")


def test_an_owner_is_told_by_name_and_no_code_any_more() -> None:
    regard = Regard()
    regard.claimed(Claim(code="7KQ4-M2XN", valid_s=60.0), 0.0)
    assert regard.claimed(Claim(owner="Ann Lee"), 1.0) == "claimed by Ann Lee"
    assert regard.claimed(Claim(owner="Ann Lee"), 2.0) == ""
    assert (regard.owner, regard.code(2.0)) == ("Ann Lee", "")
    assert regard.claimed(Claim(owner="x" * 999), 3.0) == f"claimed by {'x' * MAX_OWNER_CHARACTERS}"
