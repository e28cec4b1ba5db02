"""The smallest worlds in which a law was once broken, each named for what it proves.

Random worlds found them (`test_laws`); here they are looked at every time.
"""

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from app.domain.catalog import Catalog, Polarity
from app.domain.catalog_building import DraftGrant, DraftRule
from app.domain.contracts import AccessLevel
from app.domain.decisions import Decision, check
from app.domain.explanation import explain
from app.domain.fixes import EndRow, Fix, GiveRight, GiveRole, SetFact, SetLevel
from app.domain.holders import (
    Access,
    Assignment,
    Contract,
    ContractId,
    Grant,
    HolderId,
    Record,
    Role,
    RoleId,
    RowId,
    StoredFact,
    User,
    UserId,
)
from app.domain.requirements import Requirement, evaluate
from app.domain.rights import Stage, State, Subject
from app.domain.values import Members, MembersType, Reach, Switch, SwitchType, Value
from tests.drafts import catalog_of, every, fact, operation, permission, subject, target
from tests.worlds import NOON, Case, scope_type

ANN, BOB = UserId("ann"), UserId("bob")
C = ContractId("c")
ROLE = RoleId("role")
SWITCH = SwitchType()
ON = Switch(True)
REACHING = scope_type("own group all", "own<group group<all",
                      {"own": Reach.OWN, "group": Reach.SAME_GROUP, "all": Reach.ALL})  # fmt: skip


def person(user: UserId, **more: bool) -> User:
    return User(id=user, user_name=user, display_name=user, **more)  # type: ignore[arg-type]


def level(user: UserId, *, valid_from: datetime | None = None, row: str = "") -> Access:
    return Access(
        id=RowId(row or f"level of {user}"), user=user, product="tel", level=AccessLevel.USER, contract=C,
        valid_from=valid_from, created_at=NOON,
    )  # fmt: skip


def grant(holder: HolderId, node: str, value: Value = ON) -> Grant:
    return Grant(id=RowId(f"{node} of {holder}"), holder=holder, node=node, value=value, created_at=NOON)


def assigned(user: UserId) -> Assignment:
    return Assignment(id=RowId(f"role of {user}"), holder=user, role=ROLE, created_at=NOON)


CONTRACT = Contract(id=C, number="1", name="c", owner=UserId("owner"), products=frozenset({"tel"}))
A_ROLE = Role(id=ROLE, key="role", display_name="role")


@dataclass(frozen=True, kw_only=True)
class Asking:
    """One question, of Ann unless it says otherwise, about nobody, in no contract."""

    catalog: Catalog
    node: str
    records: tuple[Record, ...] = ()
    at_least: Value | None = None
    contract: ContractId | None = None
    target: UserId | None = None
    facts: dict[str, str] = field(default_factory=dict)
    assert_facts: bool = False

    @property
    def decision(self) -> Decision:
        asked = Subject(user=ANN, target=self.target, facts=self.facts, assert_facts=self.assert_facts)
        people = (person(ANN), person(BOB), CONTRACT, A_ROLE)
        known = {record.id: record for record in (*people, *self.records)}
        case = Case(self.catalog, tuple(known.values()), asked, self.contract, NOON)
        evaluation = case.evaluate()
        node = next(n for n in case.askable() if n.key == self.node)
        return check(evaluation, evaluation.effective(asked), asked, node, self.at_least)

    @property
    def would_allow(self) -> set[Fix]:
        return set(explain(self.decision).would_allow)

    @property
    def would_deny(self) -> set[Fix]:
        return set(explain(self.decision).would_deny)


def sets_of(*sets: Fix | set[object]) -> set[frozenset[object]]:
    return {frozenset(each) for each in sets}


# ---------------------------------------------------------------------- step 4


def test_an_access_level_that_has_not_begun_opens_no_contract() -> None:
    tomorrow = level(ANN, valid_from=NOON + timedelta(days=1))
    asking = Asking(
        catalog=catalog_of(permission("alfa.p")), node="alfa.p", contract=C, records=(grant(ANN, "alfa.p"), tomorrow)
    )
    assert (asking.decision.state, asking.decision.stage) == (State.LIMITED, Stage.CONTRACT)
    assert replace(asking, records=(grant(ANN, "alfa.p"), level(ANN))).decision.allowed


def test_a_target_whose_access_level_has_not_begun_is_outside() -> None:
    tomorrow = level(BOB, valid_from=NOON + timedelta(days=1))
    asking = Asking(
        catalog=catalog_of(permission("alfa.p", REACHING)), node="alfa.p", contract=C, target=BOB,
        records=(grant(ANN, "alfa.p", REACHING.top), level(ANN), tomorrow),
    )  # fmt: skip
    assert (asking.decision.state, asking.decision.stage) == (State.LIMITED, Stage.CONTRACT)


# ---------------------------------------------------------------------- law 4: would allow


def test_what_is_given_along_need_not_be_granted_beside() -> None:
    # `p` needs `q` and gives it along, so that granting `p` alone is enough, and granting both is no smallest set.
    catalog = catalog_of(permission("alfa.q"), permission("alfa.p", None, subject("q"), implies=(DraftGrant("q"),)))
    asking = Asking(catalog=catalog, node="alfa.p")
    assert asking.would_allow == sets_of({GiveRight(ANN, "alfa.p", ON, None)})


def test_what_an_operation_needs_may_come_along_with_another_need() -> None:
    catalog = catalog_of(
        permission("alfa.q"), permission("alfa.p", implies=(DraftGrant("q"),)),
        operation("alfa.o", every(subject("p"), subject("q"))),
    )  # fmt: skip
    asking = Asking(catalog=catalog, node="alfa.o")
    assert asking.would_allow == sets_of({GiveRight(ANN, "alfa.p", ON, None)})


def test_storing_a_fact_does_not_help_against_one_that_was_asserted() -> None:
    catalog = catalog_of(operation("alfa.o", fact("score", 5)))
    asking = Asking(catalog=catalog, node="alfa.o", facts={"score": "1"}, assert_facts=True)
    assert asking.decision.state is State.SUSPENDED
    assert asking.would_allow == set()
    asked = next(iter(replace(asking, assert_facts=False).would_allow))
    assert {type(change) for change in asked} == {SetFact}


def test_a_role_that_brings_some_member_brings_something() -> None:
    # The list of members is open, so there is no least name to look for but the one that the role has.
    catalog = catalog_of(permission("alfa.tags", MembersType(None)))
    asking = Asking(catalog=catalog, node="alfa.tags", records=(grant(ROLE, "alfa.tags", Members(frozenset({"vip"}))),))
    assert GiveRole(ANN, ROLE, None) in {change for fix in asking.would_allow for change in fix}
    assert replace(asking, records=(*asking.records, assigned(ANN))).decision.allowed


# ---------------------------------------------------------------------- law 4: asking about oneself


def test_an_access_level_lets_one_in_as_a_target_of_ones_own() -> None:
    catalog = catalog_of(permission("alfa.p", REACHING))
    own = REACHING.down(["own"])
    asking = Asking(
        catalog=catalog, node="alfa.p", contract=C, target=ANN, records=(grant(ANN, "alfa.p", own),), at_least=own
    )
    assert (asking.decision.state, asking.decision.stage) == (State.LIMITED, Stage.CONTRACT)
    assert asking.would_allow == sets_of({SetLevel(ANN, C, "tel", AccessLevel.WITHOUT_ACCESS)})
    assert replace(asking, records=(*asking.records, level(ANN))).decision.allowed


def test_a_role_of_ones_own_gives_what_is_asked_of_the_target() -> None:
    catalog = catalog_of(permission("alfa.heard"), operation("alfa.listen", target("heard")))
    asking = Asking(catalog=catalog, node="alfa.listen", target=ANN, records=(grant(ROLE, "alfa.heard"),))
    assert asking.would_allow == sets_of({GiveRight(ANN, "alfa.heard", ON, None)}, {GiveRole(ANN, ROLE, None)})


def test_ending_a_row_of_ones_own_takes_what_is_asked_of_the_target() -> None:
    catalog = catalog_of(permission("alfa.heard"), operation("alfa.listen", target("heard")))
    row = grant(ANN, "alfa.heard")
    asking = Asking(catalog=catalog, node="alfa.listen", target=ANN, records=(row,))
    assert asking.decision.allowed
    assert asking.would_deny == sets_of({EndRow(row)})


def test_whoever_ends_their_last_level_is_no_target_any_more() -> None:
    # A setting stays with a person who has no level, but a target outside the contract is a no.
    catalog = catalog_of(permission("alfa.s", REACHING, polarity=Polarity.SETTING))
    row, entry = grant(ANN, "alfa.s", REACHING.down(["own"])), level(ANN)
    asking = Asking(catalog=catalog, node="alfa.s", contract=C, target=ANN, records=(row, entry))
    assert asking.decision.allowed
    assert asking.would_deny == sets_of({EndRow(row)}, {EndRow(entry)})
    assert not replace(asking, records=(row,)).decision.allowed


def test_a_fact_sent_of_the_subject_counts_where_the_subject_is_the_target() -> None:
    catalog = catalog_of(permission("alfa.heard", None, fact("trained")), operation("alfa.listen", target("heard")))
    asking = Asking(
        catalog=catalog, node="alfa.listen", target=ANN, records=(grant(ANN, "alfa.heard"),), facts={"trained": "true"}
    )
    assert asking.decision.state is State.ACTIVE
    assert replace(asking, target=BOB, records=(grant(BOB, "alfa.heard"),)).decision.state is State.CONDITIONAL


# ---------------------------------------------------------------------- what is missing, what is unknown


def is_held(decision: Decision, requirement: Requirement) -> bool:
    evaluation, effective = decision.evaluation, decision.effective
    assert evaluation is not None
    assert effective is not None
    return evaluate(requirement, lambda atom: evaluation.truth_of(effective, atom)) is True


def test_a_scope_that_is_held_is_not_missing_because_it_does_not_reach_the_target() -> None:
    catalog = catalog_of(permission("alfa.p", REACHING))
    asking = Asking(catalog=catalog, node="alfa.p", target=BOB, records=(grant(ANN, "alfa.p", REACHING.down(["own"])),))
    assert asking.decision.state is State.NOT_GRANTED
    assert [part for part in asking.decision.missing if is_held(asking.decision, part)] == []


def test_a_conditional_answer_about_a_target_names_the_fact_that_the_wider_scope_needs() -> None:
    catalog = catalog_of(permission("alfa.p", REACHING, DraftRule(fact("trained"), "all")))
    asking = Asking(catalog=catalog, node="alfa.p", target=BOB, records=(grant(ANN, "alfa.p", REACHING.top),))
    assert asking.decision.state is State.CONDITIONAL
    assert asking.decision.missing_facts == ("trained",)


def test_a_conditional_answer_names_the_fact_of_the_target_however_far_down() -> None:
    catalog = catalog_of(
        permission("alfa.deep", None, fact("trained")), permission("alfa.heard", None, subject("deep")),
        operation("alfa.listen", target("heard")),
    )  # fmt: skip
    rows = (grant(BOB, "alfa.heard"), grant(BOB, "alfa.deep"))
    asking = Asking(catalog=catalog, node="alfa.listen", target=BOB, records=rows)
    assert asking.decision.state is State.CONDITIONAL
    assert asking.decision.missing_facts == ("trained",)


def test_a_conditional_answer_names_no_fact_of_the_target_that_is_known() -> None:
    catalog = catalog_of(
        permission("alfa.heard", None, every(fact("score", 5), fact("trained"))),
        operation("alfa.listen", target("heard")),
    )
    known = StoredFact(id=RowId("f"), created_at=NOON, user=BOB, name="score", text="7")
    asking = Asking(catalog=catalog, node="alfa.listen", target=BOB, records=(grant(BOB, "alfa.heard"), known))
    assert asking.decision.state is State.CONDITIONAL
    assert asking.decision.missing_facts == ("trained",)
