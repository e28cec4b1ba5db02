"""The engine: the domain and nothing else."""

from collections.abc import Sequence
from datetime import datetime
from itertools import count
from types import SimpleNamespace
from typing import Any

from app.domain.audit import describe_change
from app.domain.catalog import Permission
from app.domain.changes import MissingPrerequisites, Stamp, Wish, judge
from app.domain.contracts import AccessLevel
from app.domain.decisions import Decision, check, read_question, refuse_question
from app.domain.errors import DomainError, Refused
from app.domain.explanation import explain
from app.domain.guards import guard_owners
from app.domain.holders import (
    ContractId,
    ContractStatus,
    Grant,
    Limit,
    Record,
    RoleId,
    TeamId,
    TeamKind,
    UserId,
    UserStatus,
)
from app.domain.ids import PREFIX_OF, make_id
from app.domain.rights import Evaluation, Subject, list_rights
from app.domain.values import Quantity, QuantityType
from app.domain.wishes import contracts as contract_wishes
from app.domain.wishes import grants as grant_wishes
from app.domain.wishes import roles as role_wishes
from app.domain.wishes import teams as team_wishes
from app.domain.wishes import users as user_wishes
from app.domain.wishes.asking import Faults
from app.domain.wishes.roles import RoleAsked
from app.domain.wishes.teams import MembersAsked, TeamAsked
from app.domain.wishes.users import UNCHANGED
from app.domain.world import World
from tests import casefiles as form
from tests.casefiles import Ask, CaseFile, Do
from tests.casewords import Answer, Names, Outcome, word_change, word_decision, word_error
from tests.doors.door import (
    Snapshot,
    UnknownName,
    read_dependents,
    read_facts,
    read_patch,
    read_user,
    read_value,
)
from tests.oracle import HIGHEST_LISTED, Oracle, Who
from tests.suggestions import apply_suggestions


class EngineDoor:
    """The domain and nothing else: the whole world in memory, references looked up here."""

    name = "engine"

    def __init__(self, file: CaseFile, at: datetime) -> None:
        self.program = file.program()
        self.catalog = self.program.catalog
        self.world = World.of(file.records())
        self.at = at
        self.revision = 1
        self._ids = count()

    async def ask(self, ask: Ask) -> Answer:
        return word_decision(Names(self.catalog, self.world), self._decide(ask))

    def _decide(self, ask: Ask, world: World | None = None) -> Decision:
        """The decision on a question, in another world where one is given."""
        value = read_value(self.catalog, ask.node, ask.at_least)
        node, asked, errors = read_question(
            self.catalog, node=ask.node, at_least=value, has_target=ask.target is not None,
            has_target_subscriber=ask.target_subscriber is not None, facts=ask.facts,
        )  # fmt: skip
        if errors or node is None:
            return refuse_question(errors, node=node, at=ask.at or self.at)
        subject = self._subject(ask)
        evaluation = self._evaluation(ask, world)
        return check(evaluation, evaluation.effective(subject), subject, node, asked)

    def _evaluation(self, ask: Ask, world: World | None = None) -> Evaluation:
        contract = None if ask.contract is None else self.contract(ask.contract)
        return Evaluation(self.program, world or self.world, contract=contract, at=ask.at or self.at)

    def _subject(self, ask: Ask) -> Subject:
        return Subject(
            user=self.user(ask.user), target=None if ask.target is None else self.user(ask.target),
            target_subscriber=ask.target_subscriber, facts=ask.facts,
        )  # fmt: skip

    async def cross_check(self, ask: Ask, answer: Answer) -> None:
        if answer.errors:
            return
        self._try_suggestions(ask)
        self._ask_oracle(ask)
        node = self.catalog.nodes[ask.node]
        if ask.target is not None or ask.target_subscriber is not None:
            return
        if isinstance(node, Permission) and ask.at_least is None:
            evaluation, subject = self._evaluation(ask), self._subject(ask)
            listed = {p.key: value for p, value, _, _ in list_rights(evaluation, evaluation.effective(subject))}
            assert (listed[node.key] != node.value_type.bottom) is answer.allowed

    def _ask_oracle(self, ask: Ask) -> None:
        """The slow, obvious evaluator says the same, and loses the right at the same step."""
        if not all(map(self._is_listed, list_records(self.world))):
            return
        decision, subject = self._decide(ask), self._subject(ask)
        contract = None if ask.contract is None else self.contract(ask.contract)
        who = Who(
            user=subject.user, target=subject.target, target_subscriber=subject.target_subscriber, facts=subject.facts
        )
        answer = Oracle(self.catalog, self.world, contract=contract, at=ask.at or self.at).check(
            who, ask.node, decision.asked
        )
        assert (answer.state, answer.step) == (decision.state, decision.stage and int(decision.stage))

    def _is_listed(self, row: Record) -> bool:
        """Whether the oracle, which looks through all amounts, gets as far as that of a row."""
        if not isinstance(row, Grant | Limit):
            return True
        kind = self.catalog.require_permission(row.node).value_type
        if not isinstance(kind, QuantityType) or kind.maximum is not None:
            return True
        assert isinstance(row.value, Quantity)
        return (row.value.amount or 0) <= HIGHEST_LISTED

    def _try_suggestions(self, ask: Ask) -> None:
        """Every suggested set turns the answer round, and does not without any one of its changes (law 4)."""
        decision = self._decide(ask)
        found = explain(decision)
        records = SimpleNamespace(records=list_records(self.world))
        for fix in (*found.would_allow, *found.would_deny):
            for left_out in (None, *fix):
                chosen = fix - {left_out}
                turned = self._decide(ask, apply_suggestions(records, chosen)).allowed is not decision.allowed
                assert turned is (left_out is None), f"{fix} without {left_out}"

    async def look(self) -> Snapshot:
        return Snapshot(self.revision, str(self.revision), frozenset(list_records(self.world)))

    async def do(self, do: Do, *, dry: bool = False) -> Outcome:
        dry = dry or do.dry_run
        stamp = Stamp(actor="the case", at=self.at, new_id=self._new_id, reason=do.reason)
        try:
            wish, warnings = self._wish(do.deed, stamp)
            outcome = judge(self.program, self.world, wish, stamp)
            owners = [user for user in self.world.users.values() if user.is_owner and user.status is UserStatus.ACTIVE]
            errors = [
                *outcome.errors,
                *guard_owners(self.world, outcome.after, outcome.changes, active_owners=len(owners)),
                *grant_wishes.find_owner_limits(outcome.after, outcome.changes),
            ]
            if errors:
                raise Refused(errors)
        except Refused as refused:
            names = Names(self.catalog, self.world)
            return Outcome(
                errors=tuple(word_error(names, error) for error in refused.errors), warnings=(), changes=(),
                revision=None,
            )  # fmt: skip
        # Of what is ended and what is new: both worlds know names that the other does not; an old name goes first.
        names = Names(self.catalog, outcome.after)
        names.of |= Names(self.catalog, self.world).of
        records = tuple(describe_change(self.catalog, change) for change in outcome.changes)
        if not dry:
            self.world = outcome.after
            self.revision += bool(outcome.changes)
        return Outcome(
            errors=(),
            warnings=tuple(word_error(names, warning) for warning in (*outcome.warnings, *warnings)),
            changes=tuple(word_change(names, record) for record in records),
            revision=None if dry else self.revision,
        )

    def _new_id(self, kind: type) -> str:
        return make_id(PREFIX_OF[kind], self.at, next(self._ids).to_bytes(10, "big"))

    # ------------------------------------------------------------------ names

    def user(self, name: str) -> UserId:
        return UserId(self._find(self.world.users, "user_name", name))

    def role(self, key: str) -> RoleId:
        return RoleId(self._find(self.world.roles, "key", key))

    def team(self, key: str) -> TeamId:
        return TeamId(self._find(self.world.teams, "key", key))

    def contract(self, number: str) -> ContractId:
        return ContractId(self._find(self.world.contracts, "number", number))

    def holder(self, holder: form.HolderName) -> Any:
        return {"user": self.user, "role": self.role, "team": self.team}[holder.noun](holder.name)

    @staticmethod
    def _find(records: Any, attribute: str, name: str) -> str:
        found = [record.id for record in records.values() if getattr(record, attribute) == name]
        if not found:
            raise UnknownName(name)
        return found[0]

    def _scope(self, contract: str | None) -> ContractId | None:
        return None if contract is None else self.contract(contract)

    # ------------------------------------------------------------------ wishes

    def _grants(self, rights: Sequence[form.Right]) -> list[grant_wishes.GrantAsked]:
        return [
            grant_wishes.GrantAsked(
                node=right.right, value=read_value(self.catalog, right.right, right.value),
                contract=self._scope(right.contract), valid_from=right.from_, valid_until=right.until,
            )
            for right in rights
        ]  # fmt: skip

    def _revokes(self, rights: Sequence[form.Ended]) -> list[grant_wishes.RevokeAsked]:
        names = Names(self.catalog, self.world)
        return [
            grant_wishes.RevokeAsked(
                id=row.id if row.row is None else names.find_row(row.row), node=row.right,
                contract=self._scope(row.contract), source=row.source or "manual",
            )
            for row in rights
        ]  # fmt: skip

    def _assigned(self, roles: Sequence[form.AssignedRole]) -> list[grant_wishes.AssignAsked]:
        return [
            grant_wishes.AssignAsked(
                role=self.role(item.role), contract=self._scope(item.contract), valid_from=item.from_,
                valid_until=item.until,
            )
            for item in roles
        ]  # fmt: skip

    def _members(self, deed: form.AddMembers | form.RemoveMembers) -> MembersAsked:
        return MembersAsked(
            users=tuple(self.user(name) for name in deed.users), supervisor=deed.supervisor,
            contract=self._scope(deed.contract), valid_from=deed.from_, valid_until=deed.until,
        )  # fmt: skip

    def _wish(self, deed: form.Deed, stamp: Stamp) -> tuple[Wish, list[DomainError]]:
        catalog, world, faults = self.catalog, self.world, Faults()
        match deed:
            case form.Grant():
                return grant_wishes.wish_grants(
                    catalog, world, self.holder(deed.to), self._grants(deed.rights), stamp,
                    on_missing=MissingPrerequisites(deed.on_missing), faults=faults,
                ), []  # fmt: skip
            case form.Revoke() | form.Lift():
                return grant_wishes.wish_revokes(
                    catalog, world, self.holder(deed.from_), self._revokes(deed.rights),
                    field="limits" if isinstance(deed, form.Lift) else "revokes", on_dependents=read_dependents(deed),
                    faults=faults,
                )  # fmt: skip
            case form.Limit():
                return grant_wishes.wish_limits(
                    catalog, world, self.holder(deed.on_), self._grants(deed.rights), stamp,
                    on_dependents=read_dependents(deed), faults=faults,
                ), []  # fmt: skip
            case form.Assign():
                return grant_wishes.wish_assignments(
                    world, self.holder(deed.to), self._assigned(deed.roles), stamp, faults=faults
                ), []  # fmt: skip
            case form.Unassign():
                return grant_wishes.wish_unassignments(
                    world, self.holder(deed.from_), self._assigned(deed.roles), source="manual",
                    on_dependents=read_dependents(deed), faults=faults,
                )  # fmt: skip
            case form.AddMembers():
                return team_wishes.wish_members(
                    world, self.team(deed.team), self._members(deed), stamp, faults=faults
                ), []  # fmt: skip
            case form.RemoveMembers():
                return team_wishes.wish_leaving(
                    world, self.team(deed.team), self._members(deed), source="manual",
                    on_dependents=read_dependents(deed), faults=faults,
                )  # fmt: skip
            case form.CreateRole() | form.UpdateRole() | form.CloneRole() | form.ArchiveRole():
                return self._wish_role(deed, stamp, faults), []
            case form.CreateTeam() | form.UpdateTeam() | form.ArchiveTeam():
                return self._wish_team(deed, stamp, faults), []
            case form.CreateUser() | form.UpdateUser() | form.SetStatus() | form.SetOwner():
                return self._wish_user(deed, stamp, faults), []
        return self._wish_contract(deed, stamp, faults)

    def _wish_role(self, deed: form.Deed, stamp: Stamp, faults: Faults) -> Wish:
        world = self.world
        match deed:
            case form.CreateRole():
                asked = RoleAsked(parents=tuple(self.role(key) for key in deed.parents))
                return role_wishes.wish_role(
                    self.catalog, world, deed.key, asked, self._grants(deed.rights), stamp,
                    on_missing=MissingPrerequisites(deed.on_missing), faults=faults,
                )  # fmt: skip
            case form.CloneRole():
                return role_wishes.wish_role_copy(
                    world, self.role(deed.role), deed.key, None, stamp, faults=faults
                )  # fmt: skip
            case form.ArchiveRole():
                asked = RoleAsked(archived=True)
            case form.UpdateRole():
                parents = None if deed.parents is None else tuple(self.role(key) for key in deed.parents)
                asked = RoleAsked(
                    display_name=read_patch(deed, "label"), description=read_patch(deed, "description"),
                    parents=UNCHANGED if parents is None else parents,
                    archived=UNCHANGED if deed.archived is None else deed.archived,
                )  # fmt: skip
        return role_wishes.wish_role_attributes(
            world, self.role(deed.role), asked, on_dependents=read_dependents(deed), faults=faults
        )

    def _wish_team(self, deed: form.Deed, stamp: Stamp, faults: Faults) -> Wish:
        match deed:
            case form.CreateTeam():
                asked = TeamAsked(parent=None if deed.parent is None else self.team(deed.parent))
                return team_wishes.wish_team(self.world, deed.key, TeamKind(deed.kind), asked, stamp, faults=faults)
            case form.ArchiveTeam():
                asked = TeamAsked(archived=True)
            case form.UpdateTeam():
                parent = None if deed.parent is None else self.team(deed.parent)
                asked = TeamAsked(
                    display_name=read_patch(deed, "label"),
                    parent=parent if "parent" in deed.model_fields_set else UNCHANGED,
                )  # fmt: skip
        return team_wishes.wish_team_attributes(
            self.world, self.team(deed.team), asked, on_dependents=read_dependents(deed), faults=faults
        )

    def _wish_user(self, deed: form.Deed, stamp: Stamp, faults: Faults) -> Wish:
        world = self.world
        match deed:
            case form.CreateUser() | form.UpdateUser():
                who = self.user(deed.user) if isinstance(deed, form.UpdateUser) else None
                for attribute, given in (("user_name", deed.user_name), ("external_id", deed.external_id)):
                    taken = {getattr(user, attribute) for user in world.users.values() if user.id != who}
                    if given is not None and given in taken:
                        faults.add(user_wishes.refuse_taken(given, CAMEL[attribute]))
                if who is None:
                    return user_wishes.wish_user(read_user(deed), stamp, faults=faults)
                return user_wishes.wish_user_attributes(world, who, read_user(deed), faults=faults)
            case form.SetStatus():
                return user_wishes.wish_status(world, self.user(deed.user), UserStatus(deed.status))
            case form.SetOwner():
                wish = Wish(changes=())
                with faults.catching():
                    wish = user_wishes.wish_account_owner(world, self.user(deed.user), is_owner=deed.owner)
                faults.refuse()
                return wish
        raise UnknownName(type(deed).__name__)

    def _wish_contract(self, deed: form.Deed, stamp: Stamp, faults: Faults) -> tuple[Wish, list[DomainError]]:
        catalog, world = self.catalog, self.world
        match deed:
            case form.Register():
                return contract_wishes.wish_contract(
                    catalog, world, number=deed.number, name=deed.name, owner=self.user(deed.owner),
                    products=deed.products, stamp=stamp, faults=faults,
                ), []  # fmt: skip
            case form.UpdateContract():
                return contract_wishes.wish_contract_attributes(
                    catalog, world, self.contract(deed.contract), name=deed.name,
                    status=None if deed.status is None else ContractStatus(deed.status), products=deed.products,
                    on_dependents=read_dependents(deed), stamp=stamp, faults=faults,
                )  # fmt: skip
            case form.SetLevels():
                levels = [
                    contract_wishes.LevelAsked(
                        user=self.user(item.user), product=item.product,
                        level=None if item.level is None else AccessLevel(item.level),
                    )
                    for item in deed.levels
                ]  # fmt: skip
                return contract_wishes.wish_levels(
                    catalog, world, self.contract(deed.contract), levels, stamp=stamp, faults=faults
                )
            case form.Transfer():
                return contract_wishes.wish_transfer(
                    world, self.contract(deed.contract), self.user(deed.to), stamp=stamp, faults=faults
                ), []  # fmt: skip
            case form.Link():
                return contract_wishes.wish_link(
                    world, self.contract(deed.contract), self.user(deed.user), deed.subscriber, stamp=stamp
                ), []  # fmt: skip
            case form.SetFacts():
                return contract_wishes.wish_facts(
                    catalog, world, contract=self._scope(deed.contract),
                    user=None if deed.user is None else self.user(deed.user), facts=read_facts(deed), stamp=stamp,
                    faults=faults,
                ), []  # fmt: skip
        raise UnknownName(type(deed).__name__)


CAMEL = {"user_name": "userName", "external_id": "externalId"}


def list_records(world: World) -> list[Record]:
    """Everything in a world."""
    entities = (world.users, world.roles, world.teams, world.contracts)
    records: list[Record] = [record for kind in entities for record in kind.values()]
    records += [row for rows in world.rows.values() for row in rows]
    return records
