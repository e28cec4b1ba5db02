"""One gateway over SQLite and one over PostgreSQL, told the same: they answer the same, in the same order."""

from collections.abc import AsyncIterator, Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest

from app.db.repositories.people import People
from app.domain.holders import Record, Role, Team, User
from tests.db.test_order import NAMES
from tests.factories import Clock, Gateway, Template, blur_ids, make_template, open_gateway

IDENTIFIERS = sorted({
    *NAMES, "Straße", "STRASSE", "strasse", "ÉCOLE", "école", "Ecole", "İstanbul", "istanbul", "ISTANBUL",
    "\u0131stanbul",
    "ΣΊΣΥΦΟΣ", "σίσυφος", "ﬁn", "fin", "a%b", "a_b", "a/b", "a\\b", "a'b", 'a"b', "ǅ", "Ω",
})  # fmt: skip  # names that collations sort and fold in their own ways
SEARCHES = [
    "a", "STRASSE", "straße", "école", "ECOLE", "istanbul", "İ", "i",
    "\u0131", "σίσυφος", "ΣΊΣΥΦΟΣ", "fi", "ﬁ", "%", "_",
    "/", "\\", "'", '"', "ss", "ä", "Ä", "\U0001f600", "Ω", "ω", "ǆ", "nobody",
]  # fmt: skip
LISTS = """query($search: String) {
  roles(first: 100, filter: {search: $search}) { edges { node { key } } }
  users(first: 100, filter: {search: $search}) { edges { node { userName email } } }
  teams(first: 100, filter: {search: $search}) { edges { node { key } } }
}"""


@pytest.fixture(scope="session")
def file_template(tmp_path_factory: pytest.TempPathFactory) -> Template:
    return make_template(tmp_path_factory.mktemp("template"))


@pytest.fixture
async def pair(
    template: Template, file_template: Template, tmp_path: Path, shared_schema: None
) -> AsyncIterator[tuple[Gateway, Gateway]]:
    """A gateway over each."""
    async with (
        open_gateway(file_template, tmp_path / "gateway.db", Clock()) as over_file,
        open_gateway(template, tmp_path / "no file", Clock()) as over_server,
    ):
        yield over_file, over_server


def make_records(gateway: Gateway, names: Iterable[str]) -> Iterator[Record]:
    """A person, a role and a team of each name."""
    for name in names:
        yield User(id=gateway.new_id(User), user_name=name, display_name=name[::-1])
        yield Role(id=gateway.new_id(Role), key=name, display_name=name)
        yield Team(id=gateway.new_id(Team), key=name, display_name=name)


async def test_the_same_identifiers_are_the_same_rows_in_the_same_order(pair: tuple[Gateway, Gateway]) -> None:
    """A19: none is taken for another, and each is found by the same searches."""
    assert len(IDENTIFIERS) > 40
    found: list[list[Any]] = []
    for gateway in pair:
        await gateway.plant([*make_records(gateway, reversed(IDENTIFIERS))])
        answers = [await gateway.gql(LISTS, {"search": search}) for search in (None, *SEARCHES)]
        async with gateway.services.database.reading() as unit:
            answers += [[user.user_name for user in await unit.users.find_by("user_name", [n])] for n in IDENTIFIERS]
            answers += [[user.user_name for user in await People(unit.reader).find_named(n)] for n in SEARCHES]
        found.append(answers)

    assert found[0] == found[1]
    assert [edge["node"]["key"] for edge in found[0][0]["roles"]["edges"]] == IDENTIFIERS
    assert found[0][len(SEARCHES) + 1 :][: len(IDENTIFIERS)] == [[name] for name in IDENTIFIERS]


async def test_the_same_changes_leave_the_same_log(pair: tuple[Gateway, Gateway]) -> None:
    """Ids and hashes aside, every entry is the same; and the rows of a holder stand in the order of the request."""
    logs = []
    for gateway in pair:
        await gateway.create_users("ana", "ben")
        keys = ["desk.staff.show_phone", "desk.reports.menu", "desk.calls.send_texts"]
        await gateway.mutate("grantPermissions", {
            "holder": {"user": {"userName": "ana"}}, "grants": [{"permission": key} for key in keys],
            "onMissingPrerequisites": "INCLUDE",
        })  # fmt: skip
        await gateway.mutate("updateUser", {"user": {"userName": "ana"}, "userName": "anna"})
        logs.append(
            await gateway.gql("""{
          auditLog(first: 50) { edges { node {
            revision at actor action reason changes { action row before after detail permission { key } }
          } } }
          user(ref: {userName: "anna"}) { grants { permission { key } createdAt revision } }
        }""")
        )

    assert blur_ids(logs[0]) == blur_ids(logs[1])


async def test_nothing_with_a_zero_in_it_reaches_either(pair: tuple[Gateway, Gateway]) -> None:
    """T32: PostgreSQL refuses such text, SQLite would keep it: it is refused before, with the same words."""
    answers = [
        [
            await gateway.send("createUser", {"userName": "a\x00b"}),
            await gateway.send("updateUser", {"user": {"userName": "a\x00b"}, "displayName": "x"}),
            await gateway.gql(LISTS, {"search": "o\x00l"}),
            await gateway.gql('{ user(ref: {id: "usr_\\u0000"}) { id } }'),
        ]
        for gateway in pair
    ]

    assert answers[0] == answers[1]
    assert [error["code"] for answer in answers[0][:2] for error in answer["errors"]] == ["INVALID_VALUE", "NOT_FOUND"]
