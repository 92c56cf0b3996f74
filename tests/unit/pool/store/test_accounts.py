"""Names of accounts; the rest needs a database and is in tests/integration/store."""

import pytest

from pool.store.accounts import checked_name
from pool.store.errors import AccountNameInvalid


@pytest.mark.parametrize("name", ["a", "Ann Lee", "x" * 64, "Ünïcode", "名前"])
def test_a_name_that_is_fine_stays(name: str) -> None:
    assert checked_name(name) == name


def test_a_name_is_composed() -> None:
    assert checked_name("e\u0301") == "é"


@pytest.mark.parametrize("name", ["", "x" * 65, " a", "a ", "a\nb", "a\x00b", "a\u200eb"])
def test_a_name_that_is_not_fine_is_refused_with_an_example(name: str) -> None:
    with pytest.raises(AccountNameInvalid) as caught:
        checked_name(name)
    assert caught.value.param == "name"
    assert "alice" in caught.value.hint
