"""The workers' pages on fixed ports: 8321 is that of worker 1, 8322 that of worker 2, ...: `pages.py PROJECT`.

An engine gives replicas of one service any free ports of a range, in an order of its own.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys

FIRST, WORKERS = 8321, 6
NOBODY = (
    "HTTP/1.1 503 Service Unavailable\r\nContent-Type: text/plain\r\nConnection: close\r\n\r\n"
    "worker {number} does not answer; docker compose up -d --scale streamrnn={number}\n"
)


async def copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """All bytes, until one side closes."""
    with contextlib.suppress(OSError):
        while block := await reader.read(1 << 16):
            writer.write(block)
            await writer.drain()
    writer.close()


async def serve(project: str, number: int) -> asyncio.Server:
    """Pass connections on to worker `number`."""

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            opening = asyncio.open_connection(f"{project}-streamrnn-{number}", 8321)
            worker_reader, worker_writer = await asyncio.wait_for(opening, 3)
        except (OSError, TimeoutError):
            writer.write(NOBODY.format(number=number).encode())
            with contextlib.suppress(OSError):
                await writer.drain()
            writer.close()
            return
        await asyncio.gather(copy(reader, worker_writer), copy(worker_reader, writer))

    return await asyncio.start_server(connected, "0.0.0.0", FIRST + number - 1)


async def main(project: str) -> None:
    """Serve until stopped."""
    servers = [await serve(project, number) for number in range(1, WORKERS + 1)]
    await asyncio.gather(*(server.serve_forever() for server in servers))


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
