"""Where announcing a pool makes sense."""

import pytest

from iamine.identity import Identity
from pool.beacon import beacon

KEY = Identity.from_seed(bytes(32)).public_key


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "::", "8.8.8.8"])
def test_a_pool_that_the_local_network_cannot_reach_is_not_announced(host: str) -> None:
    assert beacon(name="Lab", host=host, port=8000, public_key=KEY, version="1") is None


@pytest.mark.parametrize("host", ["0.0.0.0", "192.168.1.2"])
def test_one_that_it_can_reach_is(host: str) -> None:
    assert beacon(name="Lab", host=host, port=8000, public_key=KEY, version="1") is not None
