"""The bounds and the age of a deficit."""

from pool.routing.deficit import AGE_EVERY_S, HALF_LIFE_S, LEVEL_EVERY_S, LIMIT_NS, Ageing, aged, clamped


def test_a_deficit_is_at_most_ten_minutes_and_half_as_large_after_a_day() -> None:
    assert [clamped(ns) for ns in (-LIMIT_NS - 1, 7, LIMIT_NS + 1)] == [-LIMIT_NS, 7, LIMIT_NS]
    assert (aged(HALF_LIFE_S), aged(0.0), aged(-5.0)) == (0.5, 1.0, 1.0)


def test_deficits_are_levelled_often_and_age_seldom() -> None:
    ageing = Ageing()
    assert ageing.due(0.0) is None
    assert ageing.due(LEVEL_EVERY_S - 0.1) is None
    assert ageing.due(LEVEL_EVERY_S) == 1.0
    assert ageing.due(LEVEL_EVERY_S + 0.1) is None
    assert ageing.due(AGE_EVERY_S) == aged(AGE_EVERY_S)
    assert ageing.due(AGE_EVERY_S + LEVEL_EVERY_S) == 1.0
