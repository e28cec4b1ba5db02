"""Effective rights and the one decision (SEMANTICS section 5).

`effective(user, contract?, target?, facts, at)`, in this order:

1. A user who is not active, or unknown, has nothing.
2. What the user holds: own grants, roles and teams, over rows valid at `at` and in scope; own limits wait for step 5.
3. Owners have the top of every permission and no restriction; settings untouched. An account owner has them everywhere,
   a contract's owner in that contract.
4. In a contract that is not in force, or to a person without a level in any of its products, no permission is left
   (account owners excepted). Nodes that name a product which the contract lacks are at nothing.
5. Limits on the user.
6. Requirements, in topological order: the largest value not above the present one whose enforced requirements hold on
   effective values. Unknown facts and targets are unknown: what holds with them read as false is certain, what holds
   with them read as true is possible.

Every door (check, lists, explanation, simulation) is a view of `Evaluation.effective`.
"""

from collections.abc import Iterable, Mapping
from copy import copy
from dataclasses import dataclass, field
from datetime import datetime
from enum import IntEnum, StrEnum

from app.domain.catalog import Operation, Permission, has_reach
from app.domain.compiled import NOTHING, Holding, Program
from app.domain.contracts import value_of_level
from app.domain.facts import KnownFacts, gather_facts
from app.domain.holders import Contract, ContractId, ContractStatus, RoleId, TeamId, TeamKind, User, UserId, UserStatus
from app.domain.requirements import AtLeast, Atom, FactHolds, TargetAtLeast, Truth
from app.domain.values import Reach, Scope, ScopeType, Switch, Value
from app.domain.world import World


class State(StrEnum):
    """How a right stands. Upper case, as the contract spells it."""

    ACTIVE = "ACTIVE"
    SUSPENDED = "SUSPENDED"
    LIMITED = "LIMITED"
    CONDITIONAL = "CONDITIONAL"
    NOT_GRANTED = "NOT_GRANTED"


class Stage(IntEnum):
    """The steps of the decision, numbered as in SEMANTICS section 5. Noun of what the step looks at."""

    ACTIVE_USER = 1
    GRANTS = 2
    OWNERSHIP = 3
    CONTRACT = 4
    LIMITS = 5
    REQUIREMENTS = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """Whom a question is about, and with whom: everything of it but the right and the moment."""

    user: UserId
    target: UserId | None = None
    target_subscriber: str | None = None
    facts: Mapping[str, str] = field(default_factory=dict, hash=False)
    assert_facts: bool = False  # the caller may assert facts: those sent go before those stored


@dataclass(frozen=True, slots=True)
class Effective:
    """Everything about one subject, after each step. After step 1 of an inactive user all but `granted` is nothing."""

    active: bool
    owner: bool
    held: Holding  # after step 2
    granted: Holding  # after step 3
    in_contract: Holding  # after step 4
    limited: Holding  # after step 5
    certain: Holding  # after step 6, unknown read as false: the effective rights
    possible: Holding  # after step 6, unknown read as true
    certain_atoms: int
    possible_atoms: int
    target_outside: bool  # the target has no part in the contract asked: every answer is no
    reaches: frozenset[Reach] | None  # how the subject reaches the target; None: no target
    target: "Effective | None" = None  # the rights of the target; None: no target, or nothing that asks for its rights


@dataclass(frozen=True, slots=True)
class Verdict:
    """The answer: `stage` is the step at which the right was lost, None for a yes."""

    state: State
    stage: Stage | None

    @property
    def allowed(self) -> bool:
        return self.state is State.ACTIVE


YES = Verdict(State.ACTIVE, None)


class Evaluation:
    """One world, seen at one moment and in one contract (None: in none). Values of roles and teams are kept."""

    def __init__(self, program: Program, world: World, *, contract: ContractId | None, at: datetime) -> None:
        self.program = program
        self.world = world
        self.contract_id = contract
        self.contract: Contract | None = None if contract is None else world.contracts[contract]
        self.at = at
        self._values: dict[str, Holding] = {}

    def moved(self, at: datetime) -> "Evaluation":
        """The same at another moment, at which no row of a role or team counts that does not count at this one."""
        other = copy(self)
        other.at = at
        return other

    def over(self, world: World) -> "Evaluation":
        """The same over another world with the same roles, teams and contracts."""
        other = copy(self)
        other.world = world
        return other

    # ------------------------------------------------------------------ step 2: value(holder)

    def value_of_role(self, role: RoleId) -> Holding:
        """What a role gives: its own limits over the closure of its grants and its parents. Archived: nothing."""
        if role not in self._values:
            self._values[role] = self.apply_limits(role, self.held_by_role(role))
        return self._values[role]

    def held_by_role(self, role: RoleId) -> Holding:
        """What a role gives before its own limits."""
        record = self.world.roles.get(role)
        if record is None or record.archived:
            return NOTHING
        return self._held(role, tuple(parent for parent in record.parents if not self._circular(role, parent)))

    def value_of_team(self, team: TeamId) -> Holding:
        """What a team gives: its own limits over the closure of its grants, roles and parent. Archived: nothing."""
        if team not in self._values:
            self._values[team] = self.apply_limits(team, self.held_by_team(team))
        return self._values[team]

    def held_by_team(self, team: TeamId) -> Holding:
        """What a team gives before its own limits."""
        record = self.world.teams.get(team)
        if record is None or record.archived:
            return NOTHING
        parents = () if record.parent is None or self._circular(team, record.parent) else (record.parent,)
        return self._held(team, parents)

    def _circular(self, holder: str, parent: str) -> bool:
        """Whether an inclusion is part of a circle: it then adds nothing, in whatever order questions are asked."""
        return holder in self.world.circular and parent in self.world.circular

    def held_by_user(self, user: UserId) -> Holding:
        """What a user holds by grants, roles, teams and access levels, before any limit on the user."""
        held = self._held(user, ())
        for row in self.world.rows_of(user).access:
            node = self.program.catalog.access_nodes.get(row.product)
            if node is not None and row.counts(self.contract_id, self.at):
                number = self.program.catalog.number_of[node.key]
                held = self.program.join(held, self.program.encode(number, value_of_level(row.level)))
        return held

    def held_by(self, holder: str) -> Holding:
        """What any holder has before its own limits."""
        if holder in self.world.roles:
            return self.held_by_role(RoleId(holder))
        if holder in self.world.teams:
            return self.held_by_team(TeamId(holder))
        return self.held_by_user(UserId(holder))

    def value_of(self, holder: str) -> Holding:
        """`value(holder)` of section 4: what a holder has and passes on, under its own limits."""
        if holder in self.world.roles:
            return self.value_of_role(RoleId(holder))
        if holder in self.world.teams:
            return self.value_of_team(TeamId(holder))
        return self.apply_limits(holder, self.held_by_user(UserId(holder)))

    def _held(self, holder: str, parents: tuple[RoleId, ...] | tuple[TeamId, ...]) -> Holding:
        program, rows = self.program, self.world.rows_of(holder)
        held, bits = NOTHING, 0  # a role has hundreds of grants: most of them are a bit or two
        for grant in rows.grants:
            number = program.catalog.number_of.get(grant.node)
            if number is not None and grant.counts(self.contract_id, self.at):
                given = program.encode(number, grant.value)
                bits |= given.bits
                if given.beside:
                    held = program.join(held, given)
        if bits:
            held = program.join(held, Holding(bits))
        for assignment in rows.assignments:
            if assignment.counts(self.contract_id, self.at):
                held = program.join(held, self.value_of_role(assignment.role))
        for membership in rows.memberships:
            if membership.counts(self.contract_id, self.at):
                held = program.join(held, self.value_of_team(membership.team))
        for parent in parents:
            held = program.join(held, self.value_of(parent))
        return program.close(held)

    def apply_limits(self, holder: str, held: Holding) -> Holding:
        """A holding under the limits on a holder that count."""
        for limit in self.world.rows_of(holder).limits:
            number = self.program.catalog.number_of.get(limit.node)
            if number is not None and limit.counts(self.contract_id, self.at):
                held = self.program.limit(held, number, limit.value)
        return held

    # ------------------------------------------------------------------ steps 1 to 6

    def effective(self, subject: Subject) -> Effective:
        """The rights of a subject after each step."""
        user = self.world.users.get(subject.user)
        target_outside = subject.target is not None and not self.is_inside(subject.target)
        reaches = None if subject.target is None else self.find_reach(subject.user, subject.target)
        if user is None:
            nothing = (NOTHING,) * 6
            return Effective(False, False, *nothing, 0, 0, target_outside, reaches)
        held = self.held_by_user(user.id)
        owner = self.owns(user)
        granted = self.program.own(held) if owner else held
        if user.status is not UserStatus.ACTIVE:
            return Effective(False, owner, held, granted, *(NOTHING,) * 4, 0, 0, target_outside, reaches)
        is_inside = user.is_owner or self.is_inside(user.id)
        in_contract = self.keep_in_contract(granted, is_owner=user.is_owner, is_inside=is_inside)
        limited = self.apply_limits(user.id, in_contract)
        target = self._effective_target(subject)
        certain_atoms, possible_atoms = self._atoms(subject, target)
        certain = self.program.settle(limited, certain_atoms)
        possible = certain if certain_atoms == possible_atoms else self.program.settle(limited, possible_atoms)
        return Effective(
            True, owner, held, granted, in_contract, limited, certain, possible, certain_atoms, possible_atoms,
            target_outside, reaches, target,
        )  # fmt: skip

    def effective_role(self, role: RoleId) -> Effective:
        """What a role gives by itself, requirements applied: no user, no contract's step, every fact unknown."""
        value = self.value_of_role(role)
        certain, possible = self.program.settle(value, 0), self.program.settle(value, self.program.met)
        return Effective(True, False, value, value, value, value, certain, possible, 0, self.program.met, False, None)

    def owns(self, user: User) -> bool:
        """Whether the user owns the account, or the contract asked."""
        return user.is_owner or (self.contract is not None and self.contract.owner == user.id)

    def is_inside(self, user: UserId) -> bool:
        """Whether a person has a level in any product that the contract asked has; outside every contract: yes."""
        if self.contract is None:
            return True
        return any(
            row.product in self.contract.products and row.counts(self.contract_id, self.at)
            for row in self.world.rows_of(user).access
        )

    def keep_in_contract(self, granted: Holding, *, is_owner: bool, is_inside: bool) -> Holding:
        """Step 4: of what was granted to an account owner, or to somebody inside or not, what the contract leaves."""
        if self.contract is None:
            return granted
        if not is_owner and (self.contract.status is not ContractStatus.ACTIVE or not is_inside):
            granted = self.program.keep_polarity(granted, permissions=False, restrictions=True)
        return self.program.without(granted, self.lacking_products())

    def lacking_products(self) -> frozenset[int]:
        """The numbers of the permissions that name a product which the contract asked lacks."""
        if self.contract is None:
            return frozenset()
        return frozenset(
            number
            for number, permission in enumerate(self.program.catalog.permissions)
            if permission.product is not None and permission.product not in self.contract.products
        )

    def known_facts(self, subject: Subject) -> KnownFacts:
        return gather_facts(
            self.program.catalog,
            self.world,
            contract=self.contract_id,
            user=subject.user,
            sent=subject.facts,
            asserted=subject.assert_facts,
            target_subscriber=subject.target_subscriber,
        )

    def _atoms(self, subject: Subject, target: Effective | None) -> tuple[int, int]:
        """The bits of the atoms that certainly hold, and of those that possibly hold."""
        if not self.program.atom_bits:
            return 0, 0
        facts = self.known_facts(subject)
        certain = possible = 0
        for atom, bit in self.program.atom_bits.items():
            truth = facts.truth_of(atom) if isinstance(atom, FactHolds) else self._target_truth(target, atom)
            certain |= bit if truth is True else 0
            possible |= bit if truth is not False else 0
        return certain, possible

    def _effective_target(self, subject: Subject) -> Effective | None:
        """The rights of the other person, who has no other in turn; of the facts sent, those of the contract count.

        Who asks about themselves is the other person too, and what was sent of a person is theirs.
        """
        if subject.target is None or not any(isinstance(atom, TargetAtLeast) for atom in self.program.atom_bits):
            return None
        known, itself = self.program.catalog.facts, subject.target == subject.user
        facts = {name: text for name, text in subject.facts.items() if itself or known[name].owner == "contract"}
        return self.effective(Subject(user=subject.target, facts=facts, assert_facts=subject.assert_facts))

    def _target_truth(self, target: Effective | None, atom: TargetAtLeast) -> Truth:
        if target is None:
            return None
        number = self.program.catalog.number_of[atom.node]
        value_type = self.program.types[number]
        if value_type.at_least(self.program.value(target.certain, number), atom.value):
            return True
        return None if value_type.at_least(self.program.value(target.possible, number), atom.value) else False

    # ------------------------------------------------------------------ targets

    def find_reach(self, user: UserId, target: UserId) -> frozenset[Reach]:
        """How the user reaches the target, by direct memberships that count; archived teams join nobody."""
        reaches = {Reach.ALL}
        if user == target:
            reaches.add(Reach.OWN)
        theirs = {row.team for row in self.world.rows_of(target).memberships if row.counts(self.contract_id, self.at)}
        for row in self.world.rows_of(user).memberships:
            team = self.world.teams.get(row.team)
            if team is None or team.archived or row.team not in theirs or not row.counts(self.contract_id, self.at):
                continue
            if team.kind is TeamKind.GROUP:
                reaches.add(Reach.SAME_GROUP)
            if team.kind is TeamKind.QUEUE:
                reaches.add(Reach.SAME_QUEUE)
            if row.supervisor:
                reaches.add(Reach.SUPERVISED)
        return frozenset(reaches)

    # ------------------------------------------------------------------ decisions

    def decide(self, effective: Effective, node: Permission | Operation, at_least: Value | None = None) -> Verdict:
        """Whether the subject has at least V (None: anything above nothing), and if not, at which step it was lost."""
        if isinstance(node, Operation):
            return self._decide_operation(effective, node)
        number = self.program.catalog.number_of[node.key]

        def satisfied(holding: Holding) -> bool:
            value = self.program.value(holding, number)
            return self._is_enough(node, value, at_least) and self.covers(node, value, effective)

        if not effective.active:
            return Verdict(State.LIMITED, Stage.ACTIVE_USER)
        if not satisfied(effective.granted):
            return Verdict(State.NOT_GRANTED, Stage.OWNERSHIP)
        if effective.target_outside or not satisfied(effective.in_contract):
            return Verdict(State.LIMITED, Stage.CONTRACT)
        if not satisfied(effective.limited):
            return Verdict(State.LIMITED, Stage.LIMITS)
        if satisfied(effective.certain):
            return YES
        return Verdict(State.CONDITIONAL if satisfied(effective.possible) else State.SUSPENDED, Stage.REQUIREMENTS)

    def _decide_operation(self, effective: Effective, operation: Operation) -> Verdict:
        """An operation is nothing but its requirement; facts and targets count only at the last step."""
        program, condition = self.program, self.program.operations[operation.key]
        if not effective.active:
            return Verdict(State.LIMITED, Stage.ACTIVE_USER)
        if not program.holds(condition, effective.granted, program.met):
            return Verdict(State.NOT_GRANTED, Stage.OWNERSHIP)
        lacking = self.contract is not None and operation.product not in {None, *self.contract.products}
        if effective.target_outside or lacking or not program.holds(condition, effective.in_contract, program.met):
            return Verdict(State.LIMITED, Stage.CONTRACT)
        if not program.holds(condition, effective.limited, program.met):
            return Verdict(State.LIMITED, Stage.LIMITS)
        if program.holds(condition, effective.certain, effective.certain_atoms):
            return YES
        possible = program.holds(condition, effective.possible, effective.possible_atoms)
        return Verdict(State.CONDITIONAL if possible else State.SUSPENDED, Stage.REQUIREMENTS)

    def is_enough(self, certain: Holding, atoms: int, node: Permission | Operation, at_least: Value | None) -> bool:
        """Whether `decide` says yes of somebody active, asked about nobody else: by the effective rights alone.

        Each step only takes away, so that what is left at last was there at all those before.
        """
        if isinstance(node, Permission):
            value = self.program.value(certain, self.program.catalog.number_of[node.key])
            return self._is_enough(node, value, at_least)
        if self.contract is not None and node.product not in {None, *self.contract.products}:
            return False
        return self.program.holds(self.program.operations[node.key], certain, atoms)

    def _is_enough(self, node: Permission, value: Value, at_least: Value | None) -> bool:
        if at_least is None:
            return value != node.value_type.bottom
        return node.value_type.at_least(value, at_least)

    def covers(self, node: Permission, value: Value, effective: Effective) -> bool:
        """Whether a value of a scope covers the target; true where there is none, or the node has no reach."""
        if effective.reaches is None or not has_reach(node):
            return True
        assert isinstance(value, Scope) and isinstance(node.value_type, ScopeType)
        if Reach.OWN in effective.reaches:
            return bool(value.names)
        return any(node.value_type.reach.get(name) in effective.reaches for name in value.names)

    def value_for(self, effective: Effective, node: Permission | Operation) -> Value:
        """The effective value: of an operation, whether it is open."""
        if isinstance(node, Operation):
            return Switch(self._decide_operation(effective, node).allowed)
        return self.program.value(effective.certain, self.program.catalog.number_of[node.key])

    def truth_of(self, effective: Effective, atom: Atom) -> Truth:
        """Whether an atom holds on effective values; None where that hangs on something unknown."""
        if isinstance(atom, AtLeast):
            number = self.program.catalog.number_of[atom.node]
            value_type = self.program.types[number]
            if value_type.at_least(self.program.value(effective.certain, number), atom.value):
                return True
            return None if value_type.at_least(self.program.value(effective.possible, number), atom.value) else False
        bit = self.program.atom_bits[atom]
        if effective.certain_atoms & bit:
            return True
        return None if effective.possible_atoms & bit else False


def list_rights(
    evaluation: Evaluation, effective: Effective, numbers: Iterable[int] | None = None
) -> list[tuple[Permission, Value, Value, Verdict]]:
    """Every permission (or those of these numbers), its effective value, what was granted, and how that stands.

    Granted is what is asked.
    """
    permissions = evaluation.program.catalog.permissions
    found = []
    for number in range(len(permissions)) if numbers is None else numbers:
        node = permissions[number]
        granted = evaluation.program.value(effective.granted, number)
        asked = None if granted == node.value_type.bottom else granted
        verdict = evaluation.decide(effective, node, asked)
        found.append((node, evaluation.program.value(effective.certain, number), granted, verdict))
    return found
