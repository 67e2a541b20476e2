"""A line to a server, on which somebody listens to what is asked."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from urllib.parse import urlsplit


class Line:
    def __init__(self, url: str) -> None:
        self._there = urlsplit(url)
        self.asked = b""

    @asynccontextmanager
    async def open(self) -> AsyncIterator[str]:
        """The address at which the same server is reached over this line."""
        async with await asyncio.start_server(self._connect, "127.0.0.1", 0) as door:
            port = door.sockets[0].getsockname()[1]
            yield self._there._replace(netloc=self._there.netloc.replace(str(self._there.port), str(port))).geturl()

    async def _connect(self, their_words: asyncio.StreamReader, to_them: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            answers, to_server = await asyncio.open_connection(self._there.hostname, self._there.port)
            await asyncio.gather(self._pass_on(their_words, to_server, heard=True), self._pass_on(answers, to_them))

    async def _pass_on(self, words: asyncio.StreamReader, to: asyncio.StreamWriter, *, heard: bool = False) -> None:
        with suppress(OSError):
            while said := await words.read(65536):
                self.asked += said if heard else b""
                to.write(said)
                await to.drain()
        to.close()
