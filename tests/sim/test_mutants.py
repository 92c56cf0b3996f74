"""The mutants fit the source as it is now, and one of them dies here; `just mutate` tries them all."""

import pytest
from mutants import MUTANTS, ROOT, Mutant, attempt


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_it_fits(mutant: Mutant) -> None:
    assert mutant.edit.fits(ROOT), f"{mutant.edit.file} does not hold once: {mutant.edit.old!r}"
    assert mutant.edit.old != mutant.edit.new


def test_without_the_epoch_check_the_simulation_fails() -> None:
    _, fate, said, _ = attempt(next(one for one in MUTANTS if "epoch" in one.name))
    assert fate == "killed" and "seed" in said
