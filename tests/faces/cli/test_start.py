"""Start-up: a command finds its home's node, becomes one, or says why it cannot; and commands share a home."""

from __future__ import annotations

import asyncio
import os
from argparse import Namespace
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from capsa.client.puts.jobs import Stored, Wish
from capsa.core.inquiries import Status, StatusTold
from capsa.errors import HomeError, HomeInUseError
from capsa.faces.cli.keys.passphrases import unlock_of
from capsa.faces.cli.start import HomeContext, UpOptions, at_home, run_node
from capsa.node.app import Ready
from capsa.node.home import Home
from tests.node.network import job_of, live, noise, write

UP = UpOptions(("tcp://127.0.0.1:0",), (), 10**12, "")


async def lay_out(root: Path, name: str = "ann") -> Home:
    """The home of a network's founder, with no node running."""
    async with live(root, "", copies=0) as network:
        return network.home(name)


unlock = unlock_of(Namespace(passphrase_file=None, no_passphrase=True))


async def put(context: HomeContext, path: Path) -> Stored:
    [stored] = [stored async for stored in context.files().put([job_of(path, path.name)], Wish(copies=0))]
    return stored


@asynccontextmanager
async def up(root: Path) -> AsyncIterator[Ready]:
    """`capsa up` in a task of its own."""
    ready: asyncio.Future[Ready] = asyncio.get_running_loop().create_future()
    running = asyncio.ensure_future(run_node(root, UP, ready.set_result))
    running.add_done_callback(lambda _: ready.cancel())
    await asyncio.wait([ready])
    try:
        if running.done():
            await running
        yield ready.result()
    finally:
        running.cancel()
        await asyncio.wait([running])


async def test_a_command_without_a_node_becomes_one_and_leaves_nothing_behind(tmp_path: Path) -> None:
    home = await lay_out(tmp_path)
    source = write(tmp_path / "note.bin", noise(100))
    for _ in range(2):
        async with at_home(home.root, unlock=unlock) as context:
            assert not (await context.link.ask(Status(), StatusTold)).serving
            assert (await put(context, source)).error is None
        assert not (home.root / "control.sock").exists()
        with home.locked():
            pass


async def test_a_command_talks_to_the_node_that_is_up(tmp_path: Path) -> None:
    home = await lay_out(tmp_path)
    async with up(home.root), at_home(home.root, unlock=unlock) as context:
        assert (await context.link.ask(Status(), StatusTold)).serving


async def test_an_absent_home_is_said_at_once(tmp_path: Path) -> None:
    with pytest.raises(HomeError, match="There is no home"):
        async with at_home(tmp_path, unlock=unlock):
            pass


async def test_what_fails_in_a_command_comes_out_as_itself(tmp_path: Path) -> None:
    home = await lay_out(tmp_path)
    with pytest.raises(ZeroDivisionError):
        async with at_home(home.root, unlock=unlock):
            raise ZeroDivisionError


async def test_a_node_that_cannot_start_is_the_commands_error(tmp_path: Path) -> None:
    home = await lay_out(tmp_path)
    write(home.root / "state.db", b"no database" * 1000)
    with pytest.raises(HomeError, match="damaged"):
        async with at_home(home.root, unlock=unlock):
            pass


async def test_a_command_goes_on_when_the_one_it_had_joined_is_done(tmp_path: Path) -> None:
    """The first command is the node; the second has joined it, and still has work when the first ends."""
    home = await lay_out(tmp_path)
    source = write(tmp_path / "note.bin", noise(100))
    first_is_up, second_is_up = asyncio.Event(), asyncio.Event()

    async def first() -> None:
        async with at_home(home.root, unlock=unlock):
            first_is_up.set()
            await second_is_up.wait()

    async with asyncio.TaskGroup() as tasks:
        host = tasks.create_task(first())
        await first_is_up.wait()
        async with at_home(home.root, unlock=unlock) as context:
            second_is_up.set()
            await asyncio.wait([host], timeout=0.2)
            assert (await put(context, source)).error is None


async def test_a_command_takes_over_when_the_one_it_had_joined_is_killed(tmp_path: Path) -> None:
    home = await lay_out(tmp_path)
    source = write(tmp_path / "note.bin", noise(100))
    first_is_up = asyncio.Event()

    async def first() -> None:
        async with at_home(home.root, unlock=unlock):
            first_is_up.set()
            await asyncio.get_running_loop().create_future()

    host = asyncio.ensure_future(first())
    await first_is_up.wait()
    async with at_home(home.root, unlock=unlock) as context:
        host.cancel()
        await asyncio.wait([host])
        assert (await put(context, source)).error is None


@pytest.mark.parametrize("count", [2, 5])
async def test_commands_that_start_at_once_share_one_node(tmp_path: Path, count: int) -> None:
    home = await lay_out(tmp_path)
    sources = [write(tmp_path / f"{number}.bin", noise(9000, str(number))) for number in range(count)]

    async def command(source: Path) -> None:
        async with at_home(home.root, unlock=unlock) as context:
            assert (await put(context, source)).error is None

    async with asyncio.TaskGroup() as tasks:
        for source in sources:
            tasks.create_task(command(source))
    async with at_home(home.root, unlock=unlock) as context:
        snapshot = await context.snapshot()
        assert [view.key async for view in snapshot.scan()] == sorted(source.name for source in sources)


async def test_up_waits_for_a_command_that_holds_the_home(tmp_path: Path) -> None:
    home = await lay_out(tmp_path)
    async with asyncio.TaskGroup() as tasks:
        async with at_home(home.root, unlock=unlock):
            starting = tasks.create_task(up(home.root).__aenter__())
            await asyncio.wait([starting], timeout=0.2)
            assert not starting.done()
        ready = await starting
        assert ready.node == home.node


async def test_up_says_once_whom_it_waits_for(tmp_path: Path) -> None:
    home = await lay_out(tmp_path)
    said: list[str] = []
    async with at_home(home.root, unlock=unlock):
        starting = asyncio.ensure_future(
            run_node(home.root, UP, lambda _: None, lambda held: said.append(held.message))
        )
        await asyncio.wait([starting], timeout=0.3)
        starting.cancel()
        await asyncio.wait([starting])
    [sentence] = said
    assert f"process {os.getpid()}" in sentence


async def test_a_second_up_is_refused_at_once(tmp_path: Path) -> None:
    home = await lay_out(tmp_path)
    async with up(home.root):
        with pytest.raises(HomeInUseError):
            async with up(home.root):
                pass


async def test_a_command_outlives_a_restart_of_the_node(tmp_path: Path) -> None:
    home = await lay_out(tmp_path)
    source = write(tmp_path / "note.bin", noise(100))
    async with up(home.root):
        context_of = at_home(home.root, unlock=unlock)
        context = await context_of.__aenter__()
    async with up(home.root):
        assert (await put(context, source)).error is None
    await context_of.__aexit__(None, None, None)
