"""A small, fast HTTP/1.1 client: many connections, each sending its next request when the last was answered."""

import asyncio
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from urllib.parse import urlsplit


@dataclass
class Result:
    """What was answered, and how fast. Latencies in seconds."""

    statuses: Counter = field(default_factory=Counter)
    latencies: list[float] = field(default_factory=list)
    seconds: float = 0.0

    def rate(self, *statuses: int) -> float:
        return sum(self.statuses[s] for s in statuses) / self.seconds

    def percentile(self, share: float) -> float:
        ordered = sorted(self.latencies)
        return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


@dataclass(frozen=True)
class Request:
    method: str
    path: str
    body: bytes = b""
    headers: str = ""


async def load(base_url: str, request: Callable[[], Request | None], *, clients: int, seconds: float) -> Result:
    """Run for `seconds`, or until `request` returns None."""
    result = Result()
    start = time.perf_counter()
    await asyncio.gather(*(_client(base_url, request, start + seconds, result) for _ in range(clients)))
    result.seconds = time.perf_counter() - start
    return result


async def get(base_url: str, path: str) -> tuple[int, bytes]:
    address = urlsplit(base_url)
    reader, writer = await asyncio.open_connection(address.hostname, address.port)
    try:
        return await _exchange(reader, writer, address.netloc, Request("GET", path))
    finally:
        writer.close()


async def _client(base_url: str, request: Callable[[], Request | None], end: float, result: Result) -> None:
    address = urlsplit(base_url)
    reader, writer = await asyncio.open_connection(address.hostname, address.port)
    try:
        while time.perf_counter() < end and (wanted := request()) is not None:
            start = time.perf_counter()
            status, _ = await _exchange(reader, writer, address.netloc, wanted)
            result.latencies.append(time.perf_counter() - start)
            result.statuses[status] += 1
    finally:
        writer.close()


async def _exchange(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, host: str, request: Request
) -> tuple[int, bytes]:
    head = f"{request.method} {request.path} HTTP/1.1\r\nHost: {host}\r\nAccept-Encoding: identity\r\n"
    head += request.headers
    if request.body:
        head += f"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {len(request.body)}\r\n"
    writer.write(head.encode() + b"\r\n" + request.body)
    answer = await reader.readuntil(b"\r\n\r\n")
    lines = answer.decode("latin-1").split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines[1:])}
    return int(lines[0].split(" ", 2)[1]), await _body(reader, headers)


async def _body(reader: asyncio.StreamReader, headers: dict[str, str]) -> bytes:
    if headers.get("transfer-encoding") != "chunked":
        return await reader.readexactly(int(headers.get("content-length", "0")))
    body = b""
    while size := int(await reader.readuntil(b"\r\n"), 16):
        body += (await reader.readexactly(size + 2))[:-2]
    await reader.readexactly(2)
    return body
