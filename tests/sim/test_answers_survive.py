"""200 seeded worlds: whatever happens to workers, every client sees token index rise by one, and every slot comes back."""

from worlds import check_totals, run, storm

SEEDS = range(200)


def test_answers_survive_their_workers() -> None:
    seen = run(SEEDS, rare=25)  # `just sim` has them more often
    print(dict(seen))
    check_totals(seen)
    assert seen["kill"] > 500 and seen["rest"] > 100 and seen["leave"] > 50
    assert seen["zombies (slow)"] > 50 and seen["given_back (owners)"] > 20 and seen["moved (owners)"] > 4


def test_the_same_seed_gives_the_same_world() -> None:
    assert storm(7) == storm(7)
