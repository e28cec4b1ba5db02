"""The oracle itself, on examples worked out by hand from SEMANTICS: whoever judges others is judged first."""

from datetime import datetime, timedelta

import pytest

from app.domain.catalog import Catalog, Polarity
from app.domain.catalog_building import DraftGrant, DraftRule
from app.domain.contracts import AccessLevel
from app.domain.holders import (
    Access,
    Assignment,
    Contract,
    ContractId,
    ContractStatus,
    Grant,
    HolderId,
    Limit,
    Membership,
    Record,
    Role,
    RoleId,
    RowId,
    StoredFact,
    Team,
    TeamId,
    TeamKind,
    User,
    UserId,
)
from app.domain.values import (
    Level,
    LevelType,
    Members,
    MembersType,
    Quantity,
    QuantityType,
    Reach,
    Scope,
    Switch,
    Value,
)
from app.domain.world import World
from tests.drafts import catalog_of, every, fact, operation, permission, some, subject, target
from tests.oracle import Answer, Oracle, Who, largest, values_up_to, violations
from tests.worlds import NOON, scope_type

ANN, BOB = UserId("ann"), UserId("bob")
ROLE, PARENT, TEAM = RoleId("role"), RoleId("parent"), TeamId("team")
C = ContractId("c")
ON = Switch(True)
LEVELS = LevelType(("none", "view", "modify", "delete"))
REACHING = scope_type("own group all", "own<group group<all",
                      {"own": Reach.OWN, "group": Reach.SAME_GROUP, "all": Reach.ALL})  # fmt: skip
ROWS = iter(range(10**6))


def common(contract: ContractId | None = None) -> dict[str, object]:
    return {"id": RowId(f"row{next(ROWS)}"), "contract": contract, "created_at": NOON}


def grant(holder: HolderId, node: str, value: Value = ON, contract: ContractId | None = None) -> Grant:
    return Grant(holder=holder, node=node, value=value, **common(contract))  # type: ignore[arg-type]


def limit(holder: HolderId, node: str, value: Value, contract: ContractId | None = None) -> Limit:
    return Limit(holder=holder, node=node, value=value, **common(contract))  # type: ignore[arg-type]


def assign(holder: HolderId, role: RoleId) -> Assignment:
    return Assignment(holder=holder, role=role, **common())  # type: ignore[arg-type]


def join_team(user: UserId, *, supervisor: bool = False) -> Membership:
    return Membership(user=user, team=TEAM, supervisor=supervisor, **common())  # type: ignore[arg-type]


def level(user: UserId) -> Access:
    return Access(user=user, product="tel", level=AccessLevel.USER, **common(C))  # type: ignore[arg-type]


def user(id_: UserId, **more: bool) -> User:
    return User(id=id_, user_name=id_, display_name=id_, **more)  # type: ignore[arg-type]


PEOPLE: tuple[Record, ...] = (
    user(ANN), user(BOB),
    Role(id=PARENT, key="parent", display_name="parent"),
    Role(id=ROLE, key="role", display_name="role", parents=(PARENT,)),
    Team(id=TEAM, key="team", display_name="team", kind=TeamKind.GROUP),
    Contract(id=C, number="1", name="c", owner=UserId("owner"), products=frozenset({"tel"})),
)  # fmt: skip


def oracle(catalog: Catalog, *rows: Record, contract: ContractId | None = None, at: datetime = NOON) -> Oracle:
    known = {record.id: record for record in (*PEOPLE, *rows)}
    return Oracle(catalog, World.of(known.values()), contract=contract, at=at)


def ask(reader: Oracle, node: str, asked: Value | None = None, **who: object) -> Answer:
    return reader.check(Who(**({"user": ANN, "facts": {}} | who)), node, asked)  # type: ignore[arg-type]


ACTIVE = Answer("ACTIVE", None)


def test_a_limit_narrows_the_holder_that_carries_it_and_what_passes_through_it() -> None:
    catalog = catalog_of(permission("alfa.p", LEVELS))
    rows = (grant(PARENT, "alfa.p", Level(3)), limit(ROLE, "alfa.p", Level(1)), assign(ANN, ROLE))
    reader = oracle(catalog, *rows)
    assert [reader.value(h).get("alfa.p") for h in (PARENT, ROLE, ANN)] == [Level(3), Level(1), Level(1)]
    wide = oracle(catalog, *rows, grant(ANN, "alfa.p", Level(2)))
    assert wide.value(ANN) == {"alfa.p": Level(2)}


def test_implications_are_closed_at_every_holder_and_limits_come_last() -> None:
    catalog = catalog_of(
        permission("alfa.p", implies=(DraftGrant("q"),)), permission("alfa.q", implies=(DraftGrant("r"),)),
        permission("alfa.r"),
    )  # fmt: skip
    reader = oracle(catalog, grant(ROLE, "alfa.p"), limit(ROLE, "alfa.q", Switch()), assign(ANN, ROLE))
    assert reader.value(ROLE) == {"alfa.p": ON, "alfa.r": ON}
    assert reader.value(ANN) == {"alfa.p": ON, "alfa.q": ON, "alfa.r": ON}


def test_rows_count_from_their_first_instant_up_to_their_last_and_in_their_scope() -> None:
    catalog = catalog_of(permission("alfa.p"))
    later = NOON + timedelta(days=1)
    window = Grant(holder=ANN, node="alfa.p", value=ON, valid_from=NOON, valid_until=later, **common(C))  # type: ignore[arg-type]
    assert oracle(catalog, window, contract=C).value(ANN) == {"alfa.p": ON}
    assert oracle(catalog, window).value(ANN) == {}
    assert oracle(catalog, window, contract=C, at=later).value(ANN) == {}
    assert oracle(catalog, window, contract=C, at=NOON - timedelta(seconds=1)).value(ANN) == {}


def test_each_step_takes_what_it_takes() -> None:
    catalog = catalog_of(permission("alfa.p", None, subject("q")), permission("alfa.q"))
    rows = (grant(ANN, "alfa.p"), level(ANN))
    assert ask(oracle(catalog, *rows, contract=C), "alfa.q") == Answer("NOT_GRANTED", 3)
    assert ask(oracle(catalog, *rows, contract=C), "alfa.p") == Answer("SUSPENDED", 6)
    assert ask(oracle(catalog, *rows, grant(ANN, "alfa.q"), contract=C), "alfa.p") == ACTIVE
    assert ask(oracle(catalog, rows[0], contract=C), "alfa.p") == Answer("LIMITED", 4)
    assert ask(oracle(catalog, *rows, limit(ANN, "alfa.p", Switch()), contract=C), "alfa.p") == Answer("LIMITED", 5)
    assert ask(oracle(catalog, *rows, contract=C), "alfa.p", user=UserId("nobody")) == Answer("LIMITED", 1)
    ended = Contract(id=C, number="1", name="c", owner=ANN, status=ContractStatus.ENDED, products=frozenset({"tel"}))
    assert ask(oracle(catalog, *rows, ended, contract=C), "alfa.p") == Answer("LIMITED", 4)


def test_owners_have_the_top_of_permissions_no_restriction_and_settings_as_they_are() -> None:
    catalog = catalog_of(
        permission("alfa.p", LEVELS), permission("alfa.r", polarity=Polarity.RESTRICTION),
        permission("alfa.s", QuantityType("s", 0, 5), polarity=Polarity.SETTING),
    )  # fmt: skip
    rows = (user(ANN, is_owner=True), grant(ANN, "alfa.r"), grant(ANN, "alfa.s", Quantity(2)))
    granted = oracle(catalog, *rows).steps(Who(user=ANN, facts={})).granted
    assert granted == {"alfa.p": Level(3), "alfa.s": Quantity(2), "core.access.tel": Level(4)}


def test_a_requirement_leaves_the_largest_value_that_it_allows() -> None:
    catalog = catalog_of(permission("alfa.p", LEVELS, DraftRule(fact("trained"), "modify")))
    steps = oracle(catalog, grant(ANN, "alfa.p", Level(3))).steps(Who(user=ANN, facts={}))
    assert (steps.certain, steps.possible) == ({"alfa.p": Level(1)}, {"alfa.p": Level(3)})


def test_unknown_is_conditional_and_any_of_unknown_and_true_is_true() -> None:
    catalog = catalog_of(
        permission("alfa.q"), operation("alfa.both", every(subject("q"), fact("trained"))),
        operation("alfa.either", some(subject("q"), fact("trained"))),
    )  # fmt: skip
    reader = oracle(catalog, grant(ANN, "alfa.q"))
    assert ask(reader, "alfa.both") == Answer("CONDITIONAL", 6)
    assert ask(reader, "alfa.both", facts={"trained": "false"}) == Answer("SUSPENDED", 6)
    assert ask(reader, "alfa.both", facts={"trained": "true"}) == ACTIVE
    assert ask(reader, "alfa.either") == ACTIVE


def test_a_stored_fact_goes_before_one_that_was_sent_unless_it_is_asserted() -> None:
    catalog = catalog_of(operation("alfa.o", fact("trained")))
    reader = oracle(catalog, StoredFact(user=ANN, name="trained", text="false", **common()))  # type: ignore[arg-type]
    assert ask(reader, "alfa.o", facts={"trained": "true"}) == Answer("SUSPENDED", 6)
    assert ask(reader, "alfa.o", facts={"trained": "true"}, assert_facts=True) == ACTIVE


@pytest.mark.parametrize(("held", "answer"), [("own", Answer("NOT_GRANTED", 3)), ("group", ACTIVE), ("all", ACTIVE)])
def test_a_scope_covers_whom_it_reaches(held: str, answer: Answer) -> None:
    catalog = catalog_of(permission("alfa.p", REACHING))
    rows = (grant(ANN, "alfa.p", REACHING.down([held])), join_team(ANN), join_team(BOB))
    assert ask(oracle(catalog, *rows), "alfa.p", target=BOB) == answer
    assert ask(oracle(catalog, *rows), "alfa.p", target=ANN) == ACTIVE


def test_a_target_outside_the_contract_is_a_no() -> None:
    catalog = catalog_of(permission("alfa.p", REACHING))
    rows = (grant(ANN, "alfa.p", REACHING.top), level(ANN))
    assert ask(oracle(catalog, *rows, contract=C), "alfa.p", target=BOB) == Answer("LIMITED", 4)
    assert ask(oracle(catalog, *rows, level(BOB), contract=C), "alfa.p", target=BOB) == ACTIVE


def test_the_right_of_the_other_person_is_asked_of_that_person() -> None:
    catalog = catalog_of(permission("alfa.heard"), operation("alfa.listen", target("heard")))
    reader = oracle(catalog, grant(BOB, "alfa.heard"))
    assert ask(reader, "alfa.listen") == Answer("CONDITIONAL", 6)
    assert ask(reader, "alfa.listen", target=BOB) == ACTIVE
    assert ask(reader, "alfa.listen", target=ANN) == Answer("SUSPENDED", 6)


def test_violations_are_judged_on_values_scope_by_scope() -> None:
    catalog = catalog_of(permission("alfa.q"), permission("alfa.p", None, subject("q")))
    reader = {
        "unmet": (grant(ANN, "alfa.p"),),
        "met in the contract alone": (grant(ANN, "alfa.p"), grant(ANN, "alfa.q", contract=C)),
        "met": (grant(ANN, "alfa.p"), grant(ANN, "alfa.q")),
        "held back by a limit on the person": (
            grant(ANN, "alfa.p"), grant(ANN, "alfa.q"), limit(ANN, "alfa.q", Switch())
        ),
        "cut by a limit on the role": (
            grant(ROLE, "alfa.p"), grant(ROLE, "alfa.q"), limit(ROLE, "alfa.q", Switch(), C), assign(ANN, ROLE)
        ),
        "met by another role": (grant(ROLE, "alfa.p"), assign(ANN, ROLE), grant(ANN, "alfa.q")),
    }  # fmt: skip
    found = {name: violations(catalog, World.of([*PEOPLE, *rows]), at=NOON) for name, rows in reader.items()}
    assert found == {
        "unmet": {(ANN, "alfa.p", None), (ANN, "alfa.p", C)},
        "met in the contract alone": {(ANN, "alfa.p", None)},
        "met": set(),
        "held back by a limit on the person": set(),
        "cut by a limit on the role": {(ROLE, "alfa.p", C), (ANN, "alfa.p", C)},
        "met by another role": {(ROLE, "alfa.p", None), (ROLE, "alfa.p", C)},
    }


def test_facts_targets_and_access_levels_count_as_met_in_violations() -> None:
    needs = every(fact("trained"), target("q"), subject("core.access.tel", "Owner"))
    catalog = catalog_of(permission("alfa.q"), permission("alfa.p", None, needs))
    assert violations(catalog, World.of([*PEOPLE, grant(ANN, "alfa.p")]), at=NOON) == set()


def test_all_values_up_to_one_are_listed() -> None:
    own, group = REACHING.down(["own"]), REACHING.down(["group"])
    assert values_up_to(REACHING, group) == [Scope(), own, group]
    turned = QuantityType("s", 1, 4, descending=True)
    assert values_up_to(turned, Quantity(3)) == [Quantity(), Quantity(3), Quantity(4)]
    pair = Members(frozenset("ab"))
    assert len(values_up_to(MembersType(None), pair)) == 4
    with pytest.raises(AssertionError, match="no largest"):
        largest(MembersType(None), [Members(frozenset("a")), Members(frozenset("b"))])
