"""The number of statements that a document costs: the same for a page of 2 and for one of 24.

Each document says its number, the two of authentication included. It is taken with the directory of roles, teams and
contracts at hand, which is read once for each revision. An index saves some, and adds none for each item.
"""

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from app.domain.contracts import AccessLevel
from app.domain.holders import (
    Access,
    Assignment,
    Contract,
    Grant,
    Limit,
    Membership,
    Record,
    Role,
    StoredFact,
    SubscriberLink,
    Team,
    TeamKind,
    User,
    UserId,
)
from app.domain.values import Scope, Switch
from app.graphql import pieces
from app.settings import Limits, Settings
from tests.factories import Answer, Clock, Gateway, Template, fill_template, open_gateway
from tests.syncing import person, planned

FEW, MANY = 2, 24
pytestmark = pytest.mark.usefixtures("unindexed")  # statements are counted
AUTHENTICATION = 2 + 1  # the token, and whose it is; and what that one may see, in the snapshot
DIRECTORY = 7  # roles, teams, contracts, their grants, limits and assignments, the facts of contracts
PEOPLE = 8  # people, and their grants, limits, roles, teams, levels, links and facts


async def _fill(gateway: Gateway, count: int) -> None:
    """`count` of everything, each person with a row of every kind, each in a revision of its own.

    Everybody has the role `all`, belongs to the team `all` and has a level in the contract `all`.
    """
    everyone = (
        Role(id=gateway.new_id(Role), key="all", display_name="all"),
        Team(id=gateway.new_id(Team), key="all", display_name="all"),
        Contract(
            id=gateway.new_id(Contract), number="all", name="all", owner=UserId(gateway.owner),
            products=frozenset({"core"}),
        ),
    )  # fmt: skip
    await gateway.plant(everyone, action="prepare")
    for number in range(count):
        common: dict[str, Any] = {"created_at": gateway.clock()}
        user = User(id=gateway.new_id(User), user_name=f"user{number}", display_name=f"User {number}")
        base = Role(id=gateway.new_id(Role), key=f"base{number}", display_name="base")
        role = Role(id=gateway.new_id(Role), key=f"role{number}", display_name="role", parents=(base.id,))
        outer = Team(id=gateway.new_id(Team), key=f"outer{number}", display_name="outer")
        team = Team(
            id=gateway.new_id(Team), key=f"team{number}", display_name="t", kind=TeamKind.GROUP, parent=outer.id
        )
        contract = Contract(
            id=gateway.new_id(Contract), number=f"C-{number}", name="contract", owner=user.id,
            products=frozenset({"core", "pbx"}),
        )  # fmt: skip
        on = Switch(True)
        records: list[Record] = [
            user, base, role, outer, team, contract,
            Grant(id=gateway.new_id(Grant), holder=base.id, node="desk.reports.menu", value=on, **common),
            Grant(id=gateway.new_id(Grant), holder=role.id, node="desk.reports.real_time", value=on, **common),
            Grant(id=gateway.new_id(Grant), holder=user.id, node="desk.calls.send_texts", value=on, **common),
            Grant(
                id=gateway.new_id(Grant), holder=user.id, node="desk.calls.recordings",
                value=Scope(frozenset({"own", "same group"})), **common,
            ),
            Limit(id=gateway.new_id(Limit), holder=role.id, node="desk.reports.spy", value=Switch(), **common),
            Assignment(id=gateway.new_id(Assignment), holder=user.id, role=role.id, **common),
            Assignment(id=gateway.new_id(Assignment), holder=team.id, role=base.id, **common),
            Membership(id=gateway.new_id(Membership), user=user.id, team=team.id, **common),
            Access(
                id=gateway.new_id(Access), user=user.id, contract=contract.id, product="core", level=AccessLevel.OWNER,
                **common,
            ),
            SubscriberLink(
                id=gateway.new_id(SubscriberLink), user=user.id, contract=contract.id, subscriber="101", **common
            ),
            Assignment(id=gateway.new_id(Assignment), holder=user.id, role=everyone[0].id, **common),
            Membership(id=gateway.new_id(Membership), user=user.id, team=everyone[1].id, **common),
            Access(
                id=gateway.new_id(Access), user=user.id, contract=everyone[2].id, product="core",
                level=AccessLevel.USER, **common,
            ),
            StoredFact(id=gateway.new_id(StoredFact), user=user.id, name="trained", text="true", **common),
            StoredFact(
                id=gateway.new_id(StoredFact), contract=contract.id, name="credit_balance", text="5", **common
            ),
        ]  # fmt: skip
        await gateway.plant(records)
        await planned(gateway, source=f"source{number}", users=[person(f"new{number}"), person(f"next{number}")])
        await gateway.issue_token(f"user{number}", expires_at=gateway.clock() + timedelta(days=1))
        gateway.ids |= {
            f"{type(record).__name__} {number}": record.id
            for record in records
            if isinstance(record, User | Role | Team | Contract | Grant | Limit | Assignment | Membership | Access)
        }


@pytest.fixture(scope="module", params=[FEW, MANY])
def filled_template(
    request: pytest.FixtureRequest, template: Template, tmp_path_factory: pytest.TempPathFactory
) -> tuple[int, Template]:
    folder = tmp_path_factory.mktemp("filled")
    filled = fill_template(template, folder / "template.db", lambda gateway: _fill(gateway, request.param))
    return request.param, filled


@pytest.fixture
async def filled(
    filled_template: tuple[int, Template],
    tmp_path: Path,
    clock: Clock,
    shared_schema: None,
    monkeypatch: pytest.MonkeyPatch,
) -> AsyncIterator[tuple[int, Gateway]]:
    count, template = filled_template
    monkeypatch.setattr(pieces, "PIECE_S", 60)  # what rests in the midst of a batch asks for the other half later
    # Some ask for more of each than a frontend would.
    settings = Settings(limits=Limits(max_cost=10**9, caller_refill=10**9))
    async with open_gateway(template, tmp_path / "filled.db", clock, settings) as gateway:
        yield count, gateway


@dataclass(frozen=True)
class Document:
    """What a frontend sends, the statements it costs besides authentication, and where its items are counted."""

    text: str
    statements: int
    items: Callable[[Answer], int]
    variables: Callable[[Gateway, int], dict[str, Any]] = field(default=lambda gateway, count: {})
    most: int = MANY  # items it can ask for
    more: int = 0  # statements that an index adds


RIGHTS = """effectiveRights(states: [ACTIVE, SUSPENDED, CONDITIONAL]) {
  permission { key label } value { text } state missing { text }
  contributions { grant { id permission { key } } holders { id displayName } contract { number } impliedBy { key } }
}"""
DECISION = """allowed state missing { text } obligations { kind values }
  explanation { summary steps { detail } wouldAllow { grants { holder { displayName } } removals { id } other }
                wouldDeny { removals { id } } }"""

DOCUMENTS = {
    "people with everything about them": Document(
        f"""{{ users(first: 100, filter: {{search: "user"}}) {{ totalCount edges {{ node {{
          userName displayName status
          grants {{ permission {{ key }} value {{ text }} contract {{ number }} }} limits {{ permission {{ key }} }}
          roles {{ role {{ key parents {{ key }} }} }} teams {{ team {{ key parent {{ key }} }} supervisor }}
          contracts {{
            contract {{ number owner {{ userName }} facts {{ value }} }} levels {{ level settable }} subscriber
          }}
          facts {{ name value }} tokens {{ label prefix }}
          {RIGHTS}
          spy: can(node: "desk.reports.spy") {{ {DECISION} }}
          texts: can(node: "desk.calls.send_texts") {{ {DECISION} }}
          operations(allowed: true) {{ node {{ key }} state }}
        }} }} }} }}""",
        # the revision, the page, their number, the people, the owners of their contracts, their tokens
        statements=1 + 1 + 1 + PEOPLE + PEOPLE + 1,
        items=lambda data: len(data["users"]["edges"]),
    ),
    "roles with rights and members": Document(
        """{ roles(first: 100, filter: {search: "role"}) { totalCount edges { node {
          key parents { key grants { permission { key } } } grants { permission { key } } limits { permission { key } }
          rights { permission { key } state contributions { holders { displayName } } }
          members(first: 5) { totalCount edges { node { userName roles { role { key } } } } }
        } } } }""",
        # the revision, the page, their number, all members, all their numbers, the people
        statements=1 + 1 + 1 + 1 + 1 + PEOPLE,
        items=lambda data: len(data["roles"]["edges"]),
    ),
    "teams with members": Document(
        """{ teams(first: 100, filter: {search: "team"}) { totalCount edges { node {
          key kind parent { key } roles { role { key } }
          members(first: 5) { totalCount edges { node { userName status teams { team { key } supervisor } } } }
        } } } }""",
        statements=1 + 1 + 1 + 1 + 1 + PEOPLE,
        items=lambda data: len(data["teams"]["edges"]),
    ),
    "contracts with their tables": Document(
        """{ contracts(first: 100) { totalCount edges { node {
          number name status products { label } facts { name value }
          access(first: 5) { totalCount edges { node {
            user { userName } subscriber levels { product { key } level settable }
          } } }
        } } } }""",
        statements=1 + 1 + 1 + 1 + 1 + PEOPLE,
        items=lambda data: len(data["contracts"]["edges"]),
    ),
    "who holds a right": Document(
        """{ permissionNode(key: "desk.reports.real_time") { ... on Permission {
          holders(first: 100) { totalCount edges { node {
            userName roles { role { key } } teams { team { key } }
          } } }
        } } }""",
        # the revision, and everybody; by an index who they are, and their rows alone
        statements=1 + PEOPLE,
        more=1,
        items=lambda data: len(data["permissionNode"]["holders"]["edges"]) - 1,  # the account owner holds it, too
    ),
    "who holds each right of a system": Document(
        """{ system(key: "desk") { nodes(first: 100) { edges { node {
          key
          ... on Permission { holders(first: 1) { totalCount } }
          ... on Operation { holders(first: 1) { totalCount } }
        } } } } users { totalCount } }""",
        statements=1 + PEOPLE + 1 + 1,
        items=lambda data: data["users"]["totalCount"] - 1,
    ),
    "the audit log with what it is about": Document(
        """{ auditLog(first: 100, filter: {action: "plant"}) { totalCount edges { node {
          revision actor action
          subjects {
            __typename ... on User { userName } ... on Role { key } ... on Team { key } ... on Contract { number }
          }
          changes { detail holder { displayName } permission { label } role { key } team { key } contract { number } }
        } } } }""",
        statements=1 + 1 + 1 + PEOPLE,
        items=lambda data: len(data["auditLog"]["edges"]),
    ),
    "sync runs with their items": Document(
        """{ syncRuns(first: 100) { totalCount edges { node {
          source status creates brake
          items(first: 1) { totalCount edges { node { action subject path detail errors { code message } } } }
          created: items(action: CREATE) { totalCount edges { node { subject } } }
        } } } }""",
        # the revision, the page, their number, the blocks of items, what is in them, the blocks to count
        statements=1 + 1 + 1 + 2 + 1,
        items=lambda data: len(data["syncRuns"]["edges"]),
    ),
    "sync sources": Document(
        """{ syncSources { source manages drift lastAppliedAt lastChangedAt lastRun {
          status items(first: 1) { edges { node { detail } } }
        } } }""",
        # the revision, three runs of each, what they manage, kind by kind, the blocks of items, what is in them
        statements=1 + 3 + 8 + 2,
        items=lambda data: len(data["syncSources"]),
    ),
    "many checks": Document(
        f"query ($inputs: [CheckInput!]!) {{ checkMany(inputs: $inputs) {{ {DECISION} }} }}",
        # the revision, the people by name, by id, and their rows
        statements=1 + 1 + 1 + PEOPLE,
        items=lambda data: len(data["checkMany"]),
        variables=lambda gateway, count: {
            "inputs": [
                {
                    "user": {"userName": f"user{number}"}, "node": "desk.calls.recordings",
                    "contract": {"number": f"C-{number}"}, "target": {"id": gateway.ids[f"User {count - 1 - number}"]},
                }
                for number in range(count)
            ]
        },
    ),
    "things of every kind by id": Document(
        """query ($ids: [ID!]!) { nodes(ids: $ids) {
          __typename id
          ... on User { userName roles { role { key } } } ... on Role { key } ... on Team { key }
          ... on Contract { number } ... on Grant { permission { key } } ... on Limit { permission { key } }
          ... on RoleAssignment { role { key } } ... on TeamMembership { user { userName } team { key } }
          ... on ProductAccess { level }
        } }""",
        # the revision, the people, and a statement for each kind of row
        statements=1 + PEOPLE + 5,
        items=lambda data: sum(node is not None for node in data["nodes"]) // 9,
        variables=lambda gateway, count: {"ids": [one for key, one in gateway.ids.items() if int(key.split()[1]) < 11]},
        most=11,  # of each of nine kinds: 100 ids are taken at once
    ),
    "people through their teams": Document(
        """{ users(first: 100, filter: {search: "user"}) { edges { node {
          teams { team { members { edges { node {
            userName roles { role { members { edges { node { userName } } } } }
          } } } } }
        } } } }""",
        # the revision, the page, the people, members of teams, members of roles
        statements=1 + 1 + PEOPLE + 1 + 1,
        items=lambda data: len(data["users"]["edges"]),
    ),
    "the catalog": Document(
        """{ systems { key groups { key children { key } } }
          permissionNodes(first: 100) { totalCount edges { node {
            key path system { key } parent { key }
            ... on Permission {
              requirements { requirement { text } } dependents { key } implies { permission { key } }
            }
            ... on Operation { requirement { text } menuPath }
          } } }
          users { totalCount } }""",
        statements=1 + 1 + 1,
        items=lambda data: data["users"]["totalCount"] - 1,
    ),
    "one role, team and contract with all in them": Document(
        """{
          role(ref: {key: "all"}) { members(first: 100) { totalCount edges { node {
            userName roles { role { key } }
          } } } }
          team(ref: {key: "all"}) { members(first: 100) { totalCount edges { node {
            userName teams { team { key } }
          } } } }
          contract(ref: {number: "all"}) { access(first: 100) { totalCount edges { node {
            user { userName facts { value } } levels { level } subscriber
          } } } }
        }""",
        # the revision, a page and a number for each of the three, the people
        statements=1 + 3 + 3 + PEOPLE,
        items=lambda data: len(data["contract"]["access"]["edges"]),
    ),
    "a change for many people, tried": Document(
        """mutation ($users: [UserRef!]!) { addTeamMembers(input: {
          team: {key: "outer0"}, users: $users, dryRun: true
        }) {
          changes { detail holder { displayName } } errors { message } warnings { message }
        } }""",
        # the revision, the people by name, their rows, the number of owners; the revision of what is shown, who asks
        statements=1 + 1 + PEOPLE + 1 + 2,
        items=lambda data: len(data["addTeamMembers"]["changes"]),
        variables=lambda gateway, count: {"users": [{"userName": f"user{number}"} for number in range(count)]},
    ),
    "a change that reaches many people, simulated": Document(
        """{ simulate(changes: [
          {grant: {holder: {role: {key: "all"}}, grant: {permission: "desk.reports.export"}}}
        ]) {
          affectedUsers violations { message } warnings { message }
          differences(first: 100) { totalCount edges { node {
            user { userName roles { role { key } } } permission { label } before { text } after { text }
          } } }
        } }""",
        # the revision, who has the role or a team with it, their rows, the number of owners
        statements=1 + 2 + PEOPLE + 1,
        items=lambda data: len(data["simulate"]["differences"]["edges"]),
    ),
    "many changes, simulated": Document(
        """query ($changes: [ChangeInput!]!) { simulate(changes: $changes) {
          violations { message } warnings { message }
          differences(first: 100) { edges { node { user { userName } permission { key } } } }
        } }""",
        # the revision, the people by name, their rows, the number of owners
        statements=1 + 1 + PEOPLE + 1,
        items=lambda data: len(data["simulate"]["differences"]["edges"]),
        variables=lambda gateway, count: {
            "changes": [
                {
                    "grant": {
                        "holder": {"user": {"userName": f"user{number}"}},
                        "grant": {"permission": "desk.reports.export"},
                    }
                }
                for number in range(count)
            ]
        },
    ),
    "a change that reaches many people, tried": Document(
        """mutation { grantPermissions(input: {
          holder: {role: {key: "all"}}, grants: [{permission: "desk.reports.export"}], dryRun: true
        }) {
          changes { detail } errors { message } warnings { message }
          holder { ... on Role { members(first: 100) { edges { node {
            can(node: "desk.reports.export") { allowed }
          } } } } }
        } }""",
        # the revision, who has the role or a team with it, their rows, the number of owners; the revision, who asks,
        # the members
        statements=1 + 2 + PEOPLE + 1 + 2 + 1,
        items=lambda data: sum(
            edge["node"]["can"]["allowed"] for edge in data["grantPermissions"]["holder"]["members"]["edges"]
        ),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", DOCUMENTS)
async def test_the_number_of_statements_does_not_grow_with_the_page(name: str, filled: tuple[int, Gateway]) -> None:
    count, gateway = filled
    document = DOCUMENTS[name]
    variables = document.variables(gateway, count)
    await gateway.gql("{ roles { totalCount } }")  # reads the directory of this revision

    with gateway.counting() as statements:
        data = await gateway.gql(document.text, variables)

    assert document.items(data) >= min(count, document.most)
    assert len(statements) == AUTHENTICATION + document.statements, "\n\n".join(statements)


@pytest.mark.parametrize("name", DOCUMENTS)
async def test_an_index_adds_no_statement_for_each_item(name: str, filled: tuple[int, Gateway]) -> None:
    count, gateway = filled
    document = DOCUMENTS[name]
    variables = document.variables(gateway, count)
    await gateway.gql("{ roles { totalCount } }")
    await gateway.services.index.start()

    with gateway.counting() as statements:
        data = await gateway.gql(document.text, variables)

    assert document.items(data) >= min(count, document.most)
    assert len(statements) <= AUTHENTICATION + document.statements + document.more, "\n\n".join(statements)


async def test_the_directory_is_read_once_for_each_revision(filled: tuple[int, Gateway]) -> None:
    _, gateway = filled
    document = "{ roles(first: 100) { edges { node { key parents { key } grants { id } } } } }"

    counts = []
    for _ in range(2):
        with gateway.counting() as statements:
            await gateway.gql(document)
        counts.append(len(statements))
    await gateway.create_user("somebody")
    with gateway.counting() as statements:
        await gateway.gql(document)

    page = AUTHENTICATION + 1 + 1  # the revision, and the page
    assert counts == [page + DIRECTORY, page]
    assert len(statements) in {page, page + DIRECTORY}  # the write before may have read it already
