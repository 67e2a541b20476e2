"""What is happening and for how long, in a few calm lines. Standard library only: it speaks while we install."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

Tick = Callable[[str], None]

_LINE_EVERY = 15.0


def say(text: str = "") -> None:
    print(text, flush=True)


@contextmanager
def step(words: str) -> Iterator[Tick]:
    """Show one step: a living line on a terminal, a line at the beginning and the end elsewhere.

    The value is called while waiting, with a few words about how far it is.
    """
    line = _Line(words)
    line.begin()
    try:
        yield line.tick
    except BaseException:
        line.finish("✗")
        raise
    line.finish("✓")


class _Line:
    def __init__(self, words: str) -> None:
        self.words = words
        self.living = sys.stdout.isatty()
        self.started = time.monotonic()
        self.spoken = self.started

    def begin(self) -> None:
        if self.living:
            self._paint("·", "")

    def tick(self, detail: str = "") -> None:
        if self.living:
            self._paint("·", detail)
        elif time.monotonic() - self.spoken > _LINE_EVERY:
            self.spoken = time.monotonic()
            say(f"  · {self.words} … {detail} {self._seconds()}")

    def finish(self, sign: str) -> None:
        if self.living:
            self._paint(sign, "")
            say()
        else:
            say(f"  {sign} {self.words}  {self._seconds()}")

    def _paint(self, sign: str, detail: str) -> None:
        text = f"  {sign} {self.words}  {self._seconds()}  {detail}"
        # Clears what a longer text left behind, without knowing the terminal's width.
        print(f"\r{text}\x1b[K", end="", flush=True)

    def _seconds(self) -> str:
        return f"{time.monotonic() - self.started:.1f} s"
