"""put and its repeats: what is stored, under which claim, in how many copies, and what is refused."""

from __future__ import annotations

import asyncio
import io
from collections.abc import Sequence
from pathlib import Path
from typing import TypeVar

import pytest

from capsa.client.puts.jobs import Job, Stored, Wish
from capsa.client.puts.sources import StreamSource
from capsa.core.claims import ClaimItem, ReleaseNote, make_part, make_release
from capsa.core.commands import Commit, Committed, Done, EndClaims, Keep, Kept, Retire
from capsa.core.ids import BlockId, Buffer, ClaimId, NetworkId, block_id
from capsa.core.messages import Message
from capsa.core.signing import decode_signed
from capsa.errors import CapsaError, ChangedError, NotFoundError, RefusedError
from tests.node.liar import lying
from tests.node.network import Client, job_of, live, noise, until, write

M = TypeVar("M", bound=Message)


async def put_all(client: Client, jobs: list[Job]) -> dict[str, Stored]:
    return {stored.key: stored async for stored in client.files.put(jobs)}


async def keys_of(client: Client) -> list[str]:
    snapshot = await client.files.catalog.snapshot()
    return [view.key async for view in snapshot.scan()]


@pytest.mark.parametrize("size", [0, 1, 256, 257, 4096, 4097, 40_000])
async def test_a_file_of_any_size_comes_back_as_it_was(tmp_path: Path, size: int) -> None:
    source = write(tmp_path / "film.bin", noise(size))
    async with live(tmp_path, "ann") as network, network.client("ann") as ann:
        stored = await ann.put(source, "film.bin", copies=0)
        assert (stored.size, stored.durable, stored.wanted) == (size, 1, 1)
        assert await ann.get(stored, tmp_path / "out") == noise(size)


async def test_a_key_that_holds_other_bytes_is_refused_and_keeps_them(tmp_path: Path) -> None:
    first, second = write(tmp_path / "1", noise(9000)), write(tmp_path / "2", noise(9000, "other"))
    async with live(tmp_path, "ann") as network, network.client("ann") as ann:
        stored = await ann.put(first, "film.bin", copies=0)
        with pytest.raises(RefusedError, match=r"film\.bin is stored already, with other bytes"):
            await ann.put(second, "film.bin", copies=0)
        assert (await ann.put(first, "film.bin", copies=0)).cap == stored.cap


async def test_a_key_that_would_be_a_files_folder_is_refused(tmp_path: Path) -> None:
    source = write(tmp_path / "film.bin", noise(10))
    async with live(tmp_path, "ann") as network, network.client("ann") as ann:
        await ann.put(source, "a/b", copies=0)
        for key in ("a", "a/b/c"):
            with pytest.raises(RefusedError):
                await ann.put(source, key, copies=0)


async def test_one_bad_file_does_not_stop_the_rest(tmp_path: Path) -> None:
    small, large = write(tmp_path / "small", noise(10)), write(tmp_path / "large", noise(20_000))

    def missing() -> StreamSource:
        raise NotFoundError("It is not there.")

    def torn() -> StreamSource:
        class Torn(io.BytesIO):
            def readinto(self, buffer: object) -> int:
                raise ChangedError("It changed while it was read.")

        return StreamSource(Torn())

    async with live(tmp_path, "ann", copies=0) as network, network.client("ann") as ann:
        jobs = [job_of(small, "a"), Job("b", missing), Job("c", torn), job_of(large, "d")]
        stored = await put_all(ann, jobs)
        assert [type(stored[key].error) for key in "abcd"] == [type(None), NotFoundError, ChangedError, type(None)]
        assert await keys_of(ann) == ["a", "d"]


async def test_a_stream_gets_a_type_and_is_put_whole(tmp_path: Path) -> None:
    png = b"\x89PNG\r\n\x1a\n" + noise(30_000)
    async with live(tmp_path, "ann", copies=0) as network, network.client("ann") as ann:
        job = Job("picture", lambda: StreamSource(io.BytesIO(png)), repeatable=False)
        stored = (await put_all(ann, [job]))["picture"]
        assert stored.cap is not None
        root = await ann.reader.open(stored.cap)
        assert (root.name, root.media_type, root.size) == ("picture", "image/png", len(png))
        again = (await put_all(ann, [job]))["picture"]
        assert again.unchanged and again.cap == stored.cap


async def test_many_small_files_are_stored_together(tmp_path: Path) -> None:
    paths = [write(tmp_path / f"{n}.txt", noise(50, str(n))) for n in range(150)]
    async with live(tmp_path, "ann bob", copies=1) as network, network.client("ann") as ann:
        stored = await put_all(ann, [job_of(path, f"notes/{path.name}") for path in paths])
        assert all((one.durable, one.wanted) == (2, 2) for one in stored.values())
        assert await keys_of(ann) == sorted(stored)
        for path in paths[::50]:
            out = await ann.get(stored[f"notes/{path.name}"], tmp_path / f"out-{path.name}")
            assert out == noise(50, path.stem)


async def test_more_copies_make_a_new_claim_and_release_the_old(tmp_path: Path) -> None:
    source = write(tmp_path / "film.bin", noise(20_000))
    async with (
        live(tmp_path, "ann bob cid", copies=1) as network,
        lying(network, "eye", capacity=0) as eye,
        network.client("ann") as ann,
    ):
        await ann.put(source, "film.bin", copies=1)
        more = await ann.put(source, "film.bin", copies=2)
        assert (more.durable, more.wanted, more.unchanged, more.new_bytes) == (3, 3, False, 0)
        again = await ann.put(source, "film.bin", copies=2)
        assert again.unchanged and (again.durable, again.wanted) == (3, 3)
        parts = await eye.parts("ann")
        files = {item.claim: item for part in parts for item in part.items if len(item.ids) > 4}
        assert sorted(item.copies for item in files.values()) == [1, 2]
        blocks = list(next(iter(files.values())).ids)
        for holder in ("bob", "cid"):
            assert await eye.proven(holder, blocks) == len(blocks)
        [newest] = [claim for claim, item in files.items() if item.copies == 2]
        note = make_release(network.owner("ann").signing, eye.config.network, [newest])
        await ann.link.ask(EndClaims(note.signed), Done)

        async def unclaimed() -> bool:
            return not await eye.proven("bob", blocks) and not await eye.proven("cid", blocks)

        await until(unclaimed)  # so the first claim had ended too


async def test_an_old_claim_stays_until_the_new_one_has_as_many_copies(tmp_path: Path) -> None:
    source = write(tmp_path / "film.bin", noise(20_000))
    asked: list[Message] = []

    async def ask(message: Message, answer: type[M], payload: Sequence[Buffer] = ()) -> M:
        asked.append(message)
        return (await link.ask_where(message, answer, payload))[0]

    async with live(tmp_path, "ann bob", copies=1) as network, network.client("ann") as ann:
        stored = await ann.put(source, "film.bin", copies=1)
        [old] = [view.versions[0].claim async for view in (await ann.files.catalog.snapshot()).scan()]
        link = ann.link
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(link, "ask", ask)
            [more] = [each async for each in ann.files.put([job_of(source, "film.bin")], Wish(2, wait=False))]
        assert (stored.durable, more.durable) == (2, 1)
        ended = {bytes(claim) for message in asked if isinstance(message, EndClaims) for claim in _released(message)}
        assert old not in ended
        assert [message.claims for message in asked if isinstance(message, Retire)] == [(old,)]


def _released(message: EndClaims) -> Sequence[bytes]:
    return ReleaseNote.parse(message.release, NetworkId(decode_signed(message.release).network)).claims


async def test_a_released_claim_with_retention_keeps_its_blocks(tmp_path: Path) -> None:
    """An owner's release does not shorten what was promised; a holder cannot be made to drop them."""
    data = noise(500)
    block = block_id(data)
    async with live(tmp_path, "ann bob", copies=1) as network, lying(network, "eye", capacity=0) as eye:
        async with network.client("ann") as ann:
            claim = ClaimId(bytes(16))
            await ann.link.ask(Keep(claim, 1, (block,), (len(data),)), Kept, [data])
            item = ClaimItem(claim, 1, 2**40, (block,), (len(data),))
            key, home = network.owner("ann").signing, network.node("ann")
            part = make_part(key, eye.config.network, home, 0, [item])
            assert (await ann.link.ask(Commit(part.signed), Committed)).durable == (2,)
            await ann.link.ask(EndClaims(make_release(key, eye.config.network, [claim]).signed), Done)

            async def released() -> bool:
                return not await eye.proven("bob", [block])

            await until(released)
        await network.down("ann")
        await network.down("bob")
        await network.up("bob")
        assert await eye.held("bob", [BlockId(block)]) == {block}


async def test_two_commands_of_one_home_at_once_lose_nothing(tmp_path: Path) -> None:
    paths = [write(tmp_path / f"{n}.bin", noise(6000, str(n))) for n in range(8)]
    async with live(tmp_path, "ann bob", copies=1) as network:

        async def put(half: list[Path]) -> None:
            async with network.client("ann") as ann:
                for path in half:
                    await ann.put(path, path.name)

        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(put(paths[:4]))
            tasks.create_task(put(paths[4:]))
        async with network.client("ann") as ann:
            assert await keys_of(ann) == sorted(path.name for path in paths)


async def test_of_two_puts_of_one_key_at_once_one_wins_and_the_other_is_told(tmp_path: Path) -> None:
    paths = [write(tmp_path / f"{n}.bin", noise(6000, str(n))) for n in range(2)]
    async with live(tmp_path, "ann", copies=0) as network:

        async def put(path: Path) -> Stored | CapsaError:
            async with network.client("ann") as ann:
                try:
                    return await ann.put(path, "same")
                except CapsaError as error:
                    return error

        async with asyncio.TaskGroup() as tasks:
            puts = [tasks.create_task(put(path)) for path in paths]
        outcomes = [put.result() for put in puts]
        [won] = [outcome for outcome in outcomes if isinstance(outcome, Stored)]
        [lost] = [outcome for outcome in outcomes if not isinstance(outcome, Stored)]
        assert isinstance(lost, RefusedError)
        async with network.client("ann") as ann:
            winner = noise(6000, str(outcomes.index(won)))
            assert await ann.get(won, tmp_path / "out") == winner


async def test_the_same_bytes_put_twice_at_once_are_one_version(tmp_path: Path) -> None:
    path = write(tmp_path / "film.bin", noise(50_000))
    async with live(tmp_path, "ann", copies=0) as network:

        async def put() -> Stored:
            async with network.client("ann") as ann:
                return await ann.put(path, "same")

        async with asyncio.TaskGroup() as tasks:
            puts = [tasks.create_task(put()) for _ in range(2)]
        first, second = (put.result() for put in puts)
        assert first.cap == second.cap and first.error is None and second.error is None
