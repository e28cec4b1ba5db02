"""`changes`: every revision once and in order, to whoever may see it and for as long as they may."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from app.db.unit_of_work import Database
from app.services import listening as follow
from app.services.callers import revoke_token
from app.services.context import Services
from app.web import sockets
from app.web.connections import Ending
from tests.factories import CURSOR_KEY, Gateway, holder
from tests.sockets import PROMPTLY, Client, connecting, known, listening, serving

VIEW = "gateway.history.view"
IN_C1 = {"permission": VIEW, "contract": {"number": "C-1"}}


def changes(after: int | None = None, select: str = "revision action") -> str:
    given = "" if after is None else f'(after: "{after}")'
    return f"subscription {{ changes{given} {{ {select} }} }}"


async def revisions(client: Client, count: int) -> list[int]:
    return [int((await client.next())["changes"]["revision"]) for _ in range(count)]


async def test_an_event_is_the_entry_of_its_revision(world: Gateway, address: str) -> None:
    before = await world.revision()
    whole = """revision at actor source action reason hash previousHash subjects { id }
               changes { action detail holder { id } permission { key } after }"""
    async with known(address, world.token) as client:
        await client.subscribe(changes(before, whole))
        await world.grant(holder(user="cleo"), "desk.reports.menu", reason="she asked")
        message = await client.receive()

    (entry,) = (await world.gql(f"{{ auditLog(first: 1) {{ edges {{ node {{ {whole} }} }} }} }}"))["auditLog"]["edges"]
    assert message["payload"]["extensions"].pop("cost")["requested"] > 0
    assert message == {
        "type": "next", "id": "1",
        "payload": {"data": {"changes": entry["node"]}, "extensions": {"revision": str(before + 1)}},
    }  # fmt: skip
    assert entry["node"]["reason"] == "she asked"
    assert entry["node"]["changes"][0]["holder"] == {"id": world.ids["cleo"]}


async def test_left_alone_it_begins_now(world: Gateway, address: str) -> None:
    async with known(address, world.token) as client:
        before = await world.revision()
        await client.subscribe(changes())
        await listening(world.services)
        await world.create_users("zoe", "zita")

        assert await revisions(client, 2) == [before + 1, before + 2]
        await client.quiet(world.services)


async def test_it_resumes_after_a_revision_without_a_gap_and_goes_on(world: Gateway, address: str) -> None:
    """While others write, and over two sockets: what comes is each revision once."""
    before = await world.revision()
    await world.create_users(*(f"early{number}" for number in range(10)))

    async def write(writer: int) -> None:
        for number in range(10):
            await world.create_user(f"w{writer}x{number}")

    async with known(address, world.token) as client:
        await client.subscribe(changes(before))
        writing = asyncio.gather(*(write(writer) for writer in range(3)))
        first = await revisions(client, 17)
    async with known(address, world.token) as client:
        await client.subscribe(changes(first[-1]))
        second = await revisions(client, 23)
        await writing

        assert first + second == list(range(before + 1, before + 41))
        await client.quiet(world.services)


async def test_a_revision_to_come_is_none_to_resume_after(world: Gateway, address: str) -> None:
    now = await world.revision()
    async with known(address, world.token) as client:
        await client.subscribe(changes(now + 1))

        message = f"after: `{now + 1}` is still to come; expected a revision that was handed out: at most `{now}`"
        assert await client.error() == ("BAD_USER_INPUT", message)
        assert await client.ask("{ __typename }") == {"__typename": "Query"}


async def test_who_may_not_is_told_so_and_goes_on_with_other_things(world: Gateway, address: str) -> None:
    _, secret = await world.issue_token("ana")
    async with known(address, secret) as client:
        await client.subscribe(changes(0))

        assert await client.error() == ("FORBIDDEN", f"you may not see this. Needs the right `{VIEW}`.")
        assert await client.ask("{ viewer { user { userName } } }") == {"viewer": {"user": {"userName": "ana"}}}


async def test_a_right_in_one_contract_shows_that_contract_alone(world: Gateway, address: str) -> None:
    await world.register_contract("C-2")
    await world.grant(holder(user="ana"), IN_C1)
    _, secret = await world.issue_token("ana")
    before = await world.revision()
    async with known(address, secret) as client:
        await client.subscribe(changes(before, "revision changes { contract { number } }"))
        await world.set_level("C-2", "ben")
        await world.create_user("zoe")
        await world.set_level("C-1", "cleo", "chatbots", "ADMINISTRATOR")
        await world.grant(holder(user="ben"), "desk.reports.menu")
        await world.set_level("C-1", "cleo", "chatbots", None)

        scoped = [{"contract": {"number": "C-1"}}]
        assert await client.next() == {"changes": {"revision": str(before + 3), "changes": scoped}}
        assert await client.next() == {"changes": {"revision": str(before + 5), "changes": scoped}}
        await client.quiet(world.services)


async def test_it_hears_what_another_process_commits(world: Gateway, address: str) -> None:
    other = Services(
        Database(f"sqlite+aiosqlite:///{world.path}"), world.services.program, cursor_key=CURSOR_KEY, clock=world.clock
    )
    elsewhere = Gateway(other, world.client, world.path, world.clock, world.owner, world.token)
    before = await world.revision()
    async with known(address, world.token) as client:
        await client.subscribe(changes(before))
        await listening(world.services)
        await elsewhere.issue_token("ana")
        await elsewhere.issue_token("ben")

        assert await revisions(client, 2) == [before + 1, before + 2]
    await other.close()


# ---------------------------------------------------------------------- for as long as they may


async def test_a_lost_right_ends_it_though_nothing_comes_to_be_told(world: Gateway, address: str) -> None:
    """T25. The very revision that takes the right is not shown any more."""
    (row,) = await world.grant(holder(user="ana"), VIEW)
    _, secret = await world.issue_token("ana")
    before = await world.revision()
    async with known(address, secret) as client:
        await client.subscribe(changes(before))
        await world.create_user("zoe")
        assert await revisions(client, 1) == [before + 1]

        asked = {"holder": holder(user="ana"), "revokes": [{"id": row}]}
        await world.mutate("revokePermissions", asked)

        assert await client.error() == ("FORBIDDEN", f"you may not see this. Needs the right `{VIEW}`.")
        assert await client.closed() == (4403, "Forbidden")


async def test_a_right_that_ends_by_itself_ends_it(world: Gateway, address: str) -> None:
    ends = world.clock() + timedelta(hours=1)
    await world.grant(holder(user="ana"), {"permission": VIEW, "validUntil": ends.isoformat()})
    _, secret = await world.issue_token("ana")
    async with known(address, secret) as client:
        await client.subscribe(changes(await world.revision()))
        await listening(world.services)
        world.clock.advance(hours=1)

        assert await client.error() == ("FORBIDDEN", f"you may not see this. Needs the right `{VIEW}`.")
        assert await client.closed() == (4403, "Forbidden")


@pytest.mark.parametrize("how", ["revoked", "suspended", "expired"])
async def test_the_end_of_a_token_ends_it(world: Gateway, address: str, how: str) -> None:
    """T25, closed without an event; nothing of the revision that did it is shown."""
    await world.grant(holder(user="ana"), VIEW)
    token, secret = await world.issue_token("ana", expires_at=world.clock() + timedelta(hours=1))
    async with known(address, secret) as client:
        await client.subscribe(changes(await world.revision()))
        await listening(world.services)
        if how == "revoked":
            await revoke_token(world.services, "test", token)
        elif how == "suspended":
            await world.mutate("setUserStatus", {"user": {"userName": "ana"}, "status": "SUSPENDED"})
        else:
            world.clock.advance(hours=1)

        assert await client.closed() == (4403, "Forbidden")
        assert [message["type"] for message in client.passed] in ([], ["error"])


async def test_what_an_event_shows_is_what_is_so_now(world: Gateway, address: str) -> None:
    """No loader outlives its event: a right that was revoked is not shown as held by the next."""
    asked = 'subjects { ... on User { can(node: "desk.reports.menu") { allowed } } }'
    before = await world.revision()
    async with known(address, world.token) as client:
        await client.subscribe(changes(before, asked))
        (row,) = await world.grant(holder(user="cleo"), "desk.reports.menu")
        assert await client.next() == {"changes": {"subjects": [{"can": {"allowed": True}}]}}
        await world.mutate("revokePermissions", {"holder": holder(user="cleo"), "revokes": [{"id": row}]})
        assert await client.next() == {"changes": {"subjects": [{"can": {"allowed": False}}]}}


# ---------------------------------------------------------------------- slow readers


async def test_a_slow_reader_is_told_to_resume_and_nothing_is_kept_for_it(
    world: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    """F31. With small buffers on the way a reader that takes nothing stops the reading of entries, not the gateway."""
    total, wide = 60, " ".join(f"a{number}: changes {{ detail before after }}" for number in range(40))
    before = await world.revision()
    for number in range(total):
        await world.create_user(f"user{number}", displayName="x" * 80)
    read, told = list[int](), asyncio.Event()
    find_next_entry, leave = follow.find_next_entry, sockets._Socket.leave

    async def find(reading, revision):  # type: ignore[no-untyped-def]
        read.append(revision)
        return await find_next_entry(reading, revision)

    def tell(socket: sockets._Socket, why: Ending) -> None:
        told.set()
        leave(socket, why)

    monkeypatch.setattr(follow, "find_next_entry", find)
    monkeypatch.setattr(sockets._Socket, "leave", tell)
    monkeypatch.setattr(sockets, "SEND_TIMEOUT_S", 0.3)
    async with serving(world.services, send_buffer=4096) as address:
        async with known(address, world.token, max_queue=1, receive_buffer=4096) as client:
            await client.subscribe(changes(before, f"revision {wide}"))
            async with asyncio.timeout(PROMPTLY):
                await told.wait()
            assert len(read) < total - 10
            assert await world.revision() == before + total  # everybody else is answered
            code, reason = await client.closed()
            taken = [int(message["payload"]["data"]["changes"]["revision"]) for message in client.passed]
            assert (code, reason) == (1013, f"too slow: resume after revision {taken[-1]}")
        async with known(address, world.token) as client:
            await client.subscribe(changes(taken[-1]))
            rest = await revisions(client, total - len(taken))

    assert taken + rest == list(range(before + 1, before + total + 1))


async def test_a_reader_who_leaves_leaves_nothing_behind(world: Gateway, address: str) -> None:
    """Wherever it is in its turn: no connection of the pool is lost, and nobody is listened for."""
    before = await world.revision()
    for number in range(12):
        async with connecting(address) as client:
            await client.init(world.token)
            for one in range(8):
                await client.subscribe(changes(0 if one % 2 else before), id=str(one))
            await asyncio.sleep(number * 0.004)

    pool: Any = world.services.database.engine.pool
    for _ in range(100):
        if not pool.checkedout() and not world.services.feed._waiting:
            break
        await asyncio.sleep(PROMPTLY / 100)
    assert (pool.checkedout(), world.services.feed._waiting) == (0, {})
    assert await world.revision() == before
