"""Looking together: shared, and never begun before somebody asked."""

import asyncio

import pytest

from web.together import Together


class Window:
    """Counts who looks, and lets each look take as long as the test wants."""

    def __init__(self) -> None:
        self.looks = 0
        self.open = asyncio.Event()

    async def look(self, key: str) -> tuple[str, int]:
        self.looks += 1
        seen = self.looks
        await self.open.wait()
        return key, seen


async def settled() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def test_a_thousand_visitors_who_come_while_one_is_looking_share_the_next_look():
    window = Window()
    together = Together(window.look)
    first = asyncio.create_task(together("a"))
    await settled()
    crowd = [asyncio.create_task(together("a")) for _ in range(1000)]
    await settled()
    window.open.set()
    assert await first == ("a", 1)
    assert set(await asyncio.gather(*crowd)) == {("a", 2)}
    assert window.looks == 2


async def test_nobody_gets_a_look_that_was_begun_before_they_asked():
    window = Window()
    window.open.set()
    together = Together(window.look)
    assert [await together("a") for _ in range(3)] == [("a", 1), ("a", 2), ("a", 3)]


async def test_different_things_are_looked_at_side_by_side():
    window = Window()
    together = Together(window.look)
    both = [asyncio.create_task(together(key)) for key in "ab"]
    await settled()
    assert window.looks == 2
    window.open.set()
    assert {key for key, _ in await asyncio.gather(*both)} == {"a", "b"}


async def test_a_visitor_who_leaves_does_not_take_the_look_away_from_the_others():
    window = Window()
    together = Together(window.look)
    leaving, staying = (asyncio.create_task(together("a")) for _ in range(2))
    await settled()
    leaving.cancel()
    await settled()
    window.open.set()
    assert await staying == ("a", 1)


async def test_what_goes_wrong_is_told_to_everybody_and_forgotten():
    calls = []

    async def look(key: str) -> str:
        calls.append(key)
        if len(calls) == 1:
            raise LookupError(key)
        return key

    together = Together(look)
    answers = await asyncio.gather(together("a"), together("a"), return_exceptions=True)
    assert [type(a) for a in answers] == [LookupError, LookupError]
    assert await together("a") == "a"
    with pytest.raises(KeyError):
        together._looking["a"]
