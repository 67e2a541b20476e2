"""The promises about money, of the house as it stands. Each has its mutants in test_payment_mutants.py."""

import pytest

from tests.faults import money


@pytest.mark.usefixtures("database")
@pytest.mark.parametrize("story", money.STORIES, ids=lambda story: story.__name__)
async def test_it_is_kept(stripe, story):
    await story(stripe)
