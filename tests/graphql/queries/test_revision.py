"""revision: the one that the document is answered from."""

import asyncio

from tests.factories import FIRST_REVISION, Gateway


async def test_grows_by_one_with_every_committed_change_and_with_nothing_else(gateway: Gateway) -> None:
    assert await gateway.revision() == FIRST_REVISION

    await gateway.create_user("ana")
    assert await gateway.revision() == FIRST_REVISION + 1

    await gateway.send("createUser", {"userName": "ana"})
    await gateway.send("createUser", {"userName": "ben", "dryRun": True})
    assert await gateway.revision() == FIRST_REVISION + 1


async def test_every_answer_says_its_own(gateway: Gateway) -> None:
    answer = await gateway.ask("{ revision systems { key } }")

    assert answer["extensions"] == {"revision": str(FIRST_REVISION)}
    assert answer["data"]["revision"] == str(FIRST_REVISION)


async def test_a_document_is_answered_from_one_revision_throughout(gateway: Gateway) -> None:
    """While documents are answered, people are being made: each answer is whole in itself."""
    document = "{ revision users(first: 100) { totalCount edges { node { userName } } } auditLog { totalCount } }"

    async def make() -> None:
        for number in range(10):
            await gateway.create_user(f"user{number}")

    making = asyncio.create_task(make())
    while not making.done():
        answer = await gateway.ask(document)
        data = answer["data"]
        revision = int(data["revision"])
        assert answer["extensions"]["revision"] == data["revision"]
        assert data["users"]["totalCount"] == len(data["users"]["edges"]) == 1 + revision - FIRST_REVISION
        assert data["auditLog"]["totalCount"] == revision
    await making
    assert await gateway.revision() == FIRST_REVISION + 10
