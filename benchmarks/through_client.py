"""What the command line cannot do yet, through the client: a range of a file, and many files by one process.

`python -m benchmarks.through_client range HOME START STOP TARGET` with a cap on stdin, or `many HOME FOLDER` with a
line `NAME CAP` for each file. Talks to the home's running node and prints the seconds as JSON.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from capsa.client.gets.reading import Reader
from capsa.core.caps import Cap, parse_cap
from capsa.faces.cli.start import at_home

_TOGETHER = 16
"""Files that are fetched at once."""


async def _range(home: Path, start: int, stop: int, target: Path) -> float:
    cap = parse_cap(sys.stdin.read().strip())
    async with at_home(home) as context:
        reader = context.reader()
        began = time.perf_counter()
        root = await reader.open(cap)
        with target.open("wb") as file:
            await reader.read(root, file, start=start, stop=stop)
        return time.perf_counter() - began


async def _many(home: Path, folder: Path) -> float:
    wanted = iter([(name, parse_cap(cap)) for name, cap in (line.split() for line in sys.stdin)])
    async with at_home(home) as context:
        reader = context.reader()
        began = time.perf_counter()
        async with asyncio.TaskGroup() as group:
            for _ in range(_TOGETHER):
                group.create_task(_fetch(reader, wanted, folder))
        return time.perf_counter() - began


async def _fetch(reader: Reader, wanted: Iterator[tuple[str, Cap]], folder: Path) -> None:
    for name, cap in wanted:
        await reader.fetch_to(cap, await reader.open(cap), folder / name)


def main() -> None:
    """Be that process."""
    match sys.argv[1:]:
        case ["range", home, start, stop, target]:
            seconds = asyncio.run(_range(Path(home), int(start), int(stop), Path(target)))
        case ["many", home, folder]:
            seconds = asyncio.run(_many(Path(home), Path(folder)))
        case _:
            sys.exit("usage: python -m benchmarks.through_client range|many …")
    print(json.dumps({"seconds": seconds}))


if __name__ == "__main__":
    main()
