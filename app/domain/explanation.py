"""Why an answer is what it is, and the smallest changes that would make it another (SEMANTICS section 5).

All of it is data; doors put it into words. The sets in `would_allow` and `would_deny` are exact: each makes the
difference, and no part of it does. They hold changes nearest to the person: rights, roles, teams and access levels for
that person, limits on them, facts, and the target's own rights where the question asks about the target.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from app.domain.catalog import FactOwner, Operation, Permission, Polarity, has_reach
from app.domain.compiled import NOTHING, Holding
from app.domain.contracts import AccessLevel, level_of_value, value_of_level
from app.domain.decisions import Decision, applicable_rules
from app.domain.fixes import (
    FREE,
    IMPOSSIBLE,
    EndRow,
    Families,
    Family,
    Fix,
    GiveRight,
    GiveRole,
    JoinTeam,
    LinkSubscriber,
    Lowering,
    Means,
    Raising,
    Rows,
    SetFact,
    SetLevel,
    Suggestion,
    Trial,
)
from app.domain.holders import AnyRow, ContractStatus, Limit, TeamId, TeamKind, UserId
from app.domain.requirements import AtLeast, FactHolds, Requirement, TargetAtLeast, iterate_atoms
from app.domain.rights import Effective, Evaluation
from app.domain.values import Level, MembersType, Reach, ScopeType, Value


@dataclass(frozen=True, slots=True)
class Explanation:
    """Sets of changes, smallest first. `complete` is false where the search was cut off."""

    would_allow: tuple[Fix, ...]
    would_deny: tuple[Fix, ...]
    complete: bool


def explain(decision: Decision) -> Explanation:
    """The changes that would turn a decision round; none on a question that was wrong itself."""
    if decision.evaluation is None or decision.effective is None or decision.node is None:
        return Explanation((), (), True)
    search = _Denying(decision) if decision.allowed else _Allowing(decision)
    families = Families()
    found = search.solve(families)
    if not families.complete:
        # A set may have been joined out of what was left while a smaller one had been cut off.
        found = families.absorb(families.reduce(fix, lambda made: search.solve(Trial(made)) == FREE) for fix in found)
    found = families.sort(found)
    return Explanation((), found, families.complete) if decision.allowed else Explanation(found, (), families.complete)


class _Allowing:
    """From a no to a yes."""

    def __init__(self, decision: Decision) -> None:
        assert decision.evaluation and decision.effective and decision.subject and decision.node
        self.decision = decision
        self.evaluation: Evaluation = decision.evaluation
        self.effective: Effective = decision.effective
        self.subject = decision.subject
        self.program = self.evaluation.program
        self.families = Families()
        # Who asks about themselves is the target too: whatever may be changed for them may be changed for the target.
        self.itself = self.subject.target == self.subject.user
        self.demands = _Demands(self.evaluation, itself=self.itself)
        self._known_means: dict[bool, Means] = {}  # of the one who asks (true), and of the target

    def solve(self, families: Families) -> Family:
        self.families = families
        if not self.effective.active:
            return IMPOSSIBLE
        node = self.decision.node
        assert node is not None
        for demanded in self._demanded(node):
            self.demands.add(demanded)
        return families.all_of([self._entry_of_target(), self._solve(node)])

    def _solve(self, node: Permission | Operation) -> Family:
        effective = self.effective
        raising = Raising(self._means(self.subject.user, effective, whole=True), self.families)
        if isinstance(node, Operation):
            contract = self.evaluation.contract
            if contract is not None and node.product not in {None, *contract.products}:
                return IMPOSSIBLE
            return raising.requirement(node.requirement)
        number = self.program.catalog.number_of[node.key]
        if effective.reaches is None or not has_reach(node):
            asked = self.decision.asked
            return raising.any_value(number) if asked is None else raising.right(number, asked)
        return self.families.any_of(
            self.families.all_of([raising.right(number, value), self._reach(reach)])
            for value, reach in self._covering(node)
        )

    def _demanded(self, node: Permission | Operation) -> Iterator[Requirement]:
        if isinstance(node, Operation):
            yield node.requirement
        elif self.effective.reaches is not None and has_reach(node):
            for value, _ in self._covering(node):
                yield AtLeast(node.key, value)
        elif self.decision.asked is not None:
            yield AtLeast(node.key, self.decision.asked)
        else:
            number = self.program.catalog.number_of[node.key]
            limits = self._own_limits(self.subject.user)
            raising = Raising(self._means_without_offers(limits), self.families)
            for value in raising.smallest_values(number):
                yield AtLeast(node.key, value)

    def _covering(self, node: Permission) -> Iterator[tuple[Value, Reach]]:
        """Values that hold what was asked and one name more, with the reach by which that name covers the target."""
        value_type = node.value_type
        assert isinstance(value_type, ScopeType)
        asked = self.decision.asked or value_type.bottom
        for name in value_type.names:
            reach = Reach.OWN if self.itself else value_type.reach.get(name)
            if reach is not None:
                yield value_type.join(asked, value_type.down([name])), reach

    def _reach(self, reach: Reach) -> Family:
        assert self.effective.reaches is not None and self.subject.target is not None
        if reach in self.effective.reaches:
            return FREE
        kind = {Reach.SAME_GROUP: TeamKind.GROUP, Reach.SAME_QUEUE: TeamKind.QUEUE}.get(reach)
        if kind is None and reach is not Reach.SUPERVISED:
            return IMPOSSIBLE
        ways: list[Fix] = []
        supervisor = (True,) if kind is None else (False, True) if self._supervision_helps() else (False,)
        for team in self._teams_of_target():
            if kind is None or self.evaluation.world.teams[team].kind is kind:
                ways += [frozenset([self._join(team, lead)]) for lead in supervisor]
        return self.families.absorb(ways)

    def _supervision_helps(self) -> bool:
        """Whether leading a team of the target's could matter, so that there is more to offer than membership."""
        node = self.decision.node
        if not isinstance(node, Permission) or not isinstance(node.value_type, ScopeType):
            return False
        return self.subject.target is not None and Reach.SUPERVISED in node.value_type.reach.values()

    def _teams_of_target(self) -> list[TeamId]:
        assert self.subject.target is not None
        world = self.evaluation.world
        rows = world.rows_of(self.subject.target).memberships
        return list(
            dict.fromkeys(
                row.team
                for row in rows
                if row.counts(self.evaluation.contract_id, self.evaluation.at)
                and row.team in world.teams
                and not world.teams[row.team].archived
            )
        )

    def _join(self, team: TeamId, supervisor: bool) -> JoinTeam:
        return JoinTeam(self.subject.user, team, supervisor, self.evaluation.contract_id)

    # ------------------------------------------------------------------ means

    def _own_limits(self, user: UserId) -> tuple[Limit, ...]:
        rows = self.evaluation.world.rows_of(user).limits
        return tuple(row for row in rows if row.counts(self.evaluation.contract_id, self.evaluation.at))

    def _means_without_offers(self, limits: tuple[Limit, ...]) -> Means:
        return Means(
            program=self.program, held=self.effective.granted, limits=limits, liftable=True,
            sources=(), gate=lambda permission: FREE, atom=lambda atom: IMPOSSIBLE,
        )  # fmt: skip

    def _means(self, user: UserId, effective: Effective, *, whole: bool) -> Means:
        """What may be changed for the subject (`whole`), or for the target: there only rights, limits and facts."""
        asking = effective is self.effective
        if asking not in self._known_means:
            sources: Iterable[tuple[Suggestion, Holding]] = self._sources(user, effective, whole=whole)
            if effective.owner:  # a restriction imposed on an owner is none
                sources = ((change, self._without_restrictions(brings)) for change, brings in sources)
            self._known_means[asking] = Means(
                program=self.program,
                held=effective.granted,
                limits=self._own_limits(user),
                liftable=True,
                sources=tuple(sources),
                gate=lambda permission: self._gate(user, permission, whole=whole),
                atom=lambda atom: self._atom(user, effective, atom, whole=whole),
            )
        return self._known_means[asking]

    def _without_restrictions(self, holding: Holding) -> Holding:
        return self.program.keep_polarity(holding, permissions=True, restrictions=False)

    def _sources(self, user: UserId, effective: Effective, *, whole: bool) -> Iterator[tuple[Suggestion, Holding]]:
        """What the person could be given, each with all it would bring."""
        demands = self.demands if whole else self.demands.of_target
        for number, values in demands.values.items():
            permission = self.program.catalog.permissions[number]
            for value in values:
                brings = self.program.encode(number, value)
                if not permission.access_level:
                    yield (
                        GiveRight(user, permission.key, value, self.evaluation.contract_id),
                        self.program.close(brings),
                    )
                elif whole:
                    yield from ((change, brings) for change in self._level(permission, value))
        if whole:
            yield from self._role_and_team_sources()

    def _level(self, permission: Permission, value: Value) -> Iterator[SetLevel]:
        assert isinstance(value, Level) and permission.product is not None
        level = level_of_value(value)
        contract = self.evaluation.contract
        if contract is None or level is None or level is AccessLevel.OWNER:  # nobody appoints an OWNER
            return
        if permission.product in contract.products:
            yield SetLevel(self.subject.user, contract.id, permission.product, level)

    def _gate(self, user: UserId, permission: Permission, *, whole: bool) -> Family:
        """What must change before a permission counts in the contract asked."""
        contract = self.evaluation.contract
        if contract is None:
            return FREE
        if permission.product is not None and permission.product not in contract.products:
            return IMPOSSIBLE
        record = self.evaluation.world.users[user]
        if permission.polarity is not Polarity.PERMISSION or record.is_owner:
            return FREE
        if contract.status is not ContractStatus.ACTIVE:
            return IMPOSSIBLE
        if self.evaluation.is_inside(user):
            return FREE
        return self._entry() if whole else IMPOSSIBLE

    def _entry_of_target(self) -> Family:
        """What must change before the target is one of the contract asked."""
        if not self.effective.target_outside:
            return FREE
        return self._entry() if self.itself else IMPOSSIBLE

    def _entry(self) -> Family:
        """Any level in any product lets the subject into the contract."""
        contract = self.evaluation.contract
        assert contract is not None
        ways: list[Fix] = []
        for product in sorted(contract.products):
            node = self.program.catalog.access_nodes.get(product)
            if node is not None:
                number = self.program.catalog.number_of[node.key]
                for value in {value_of_level(AccessLevel.WITHOUT_ACCESS), *self.demands.of(number)}:
                    ways += [frozenset([offer]) for offer in self._level(node, value)]
        return self.families.absorb(ways)

    def _atom(self, user: UserId, effective: Effective, atom: FactHolds | TargetAtLeast, *, whole: bool) -> Family:
        if effective.certain_atoms & self.program.atom_bits[atom]:
            return FREE
        if isinstance(atom, TargetAtLeast):
            return self._target_atom(atom)
        owner = self.program.catalog.facts[atom.fact].owner
        contract = self.evaluation.contract_id
        if owner is FactOwner.SUBSCRIBER_LINK:
            if contract is None:
                return IMPOSSIBLE
            return (frozenset([LinkSubscriber(user, contract, self.subject.target_subscriber)]),)
        of_contract = owner is FactOwner.CONTRACT
        if self._is_asserted(atom, user, of_contract=of_contract) or (of_contract and contract is None):
            return IMPOSSIBLE
        # A fact of the contract serves both people, so what either of them leans on is one offer.
        demanded = dict(self.demands.facts if whole else self.demands.of_target.facts)
        demanded |= self.demands.of_target.facts | self.demands.facts if of_contract else {}
        place = (contract, None if of_contract else user)
        return self.families.absorb(frozenset([SetFact(fact, *place)]) for fact in demanded if _covers_fact(fact, atom))

    def _is_asserted(self, atom: FactHolds, user: UserId, *, of_contract: bool) -> bool:
        """Whether a fact was sent by somebody who may assert it, so that it does not matter what is stored."""
        subject = self.subject
        return subject.assert_facts and atom.fact in subject.facts and (of_contract or user == subject.user)

    def _target_atom(self, atom: TargetAtLeast) -> Family:
        target = self.effective.target
        if target is None or not target.active or self.subject.target is None:
            return IMPOSSIBLE
        raising = Raising(self._means(self.subject.target, target, whole=self.itself), self.families)
        return raising.right(self.program.catalog.number_of[atom.node], atom.value)

    def _role_and_team_sources(self) -> Iterator[tuple[Suggestion, Holding]]:
        """Roles and teams that the subject could be given, each with all it would bring."""
        evaluation, user = self.evaluation, self.subject.user
        for role in evaluation.world.roles.values():
            brings = self.program.close(evaluation.value_of_role(role.id))
            if brings != NOTHING:
                yield GiveRole(user, role.id, evaluation.contract_id), brings
        led = self._teams_of_target() if self._supervision_helps() else []
        for team in evaluation.world.teams.values():
            brings = self.program.close(evaluation.value_of_team(team.id))
            if brings != NOTHING:
                yield self._join(team.id, False), brings
                if team.id in led:
                    yield self._join(team.id, True), brings


class _Demands:
    """Every value of every permission, and every fact, that a question leans on: what is worth offering.

    `itself`: the target is the subject, so that what is asked of the one is asked of the other.
    """

    def __init__(self, evaluation: Evaluation, *, itself: bool, of_target: "_Demands | None" = None) -> None:
        self.catalog = evaluation.program.catalog
        self.values: dict[int, dict[Value, None]] = {}
        self.facts: dict[FactHolds, None] = {}
        self.of_target = self if itself else of_target or _Demands(evaluation, itself=False, of_target=self)

    def of(self, number: int) -> tuple[Value, ...]:
        return tuple(self.values.get(number, ()))

    def add(self, requirement: Requirement) -> None:
        for atom in iterate_atoms(requirement):
            if isinstance(atom, FactHolds):
                self.facts[atom] = None
                continue
            whose = self.of_target if isinstance(atom, TargetAtLeast) else self
            number = self.catalog.number_of[atom.node]
            values = whose.values.setdefault(number, {})
            if atom.value not in values:
                values[atom.value] = None
                for rule in applicable_rules(self.catalog.permissions[number], atom.value):
                    whose.add(rule.requirement)


def _covers_fact(stronger: FactHolds, weaker: FactHolds) -> bool:
    """Whether a fact that passes one test also passes the other."""
    if stronger.fact != weaker.fact:
        return False
    if stronger.bound is None or weaker.bound is None:
        return stronger.test is weaker.test
    return stronger.bound > weaker.bound or (
        stronger.bound == weaker.bound and (stronger.test is weaker.test or stronger.test == ">")
    )


class _Denying:
    """From a yes to a no."""

    def __init__(self, decision: Decision) -> None:
        assert decision.evaluation and decision.effective and decision.subject and decision.node
        self.decision = decision
        self.evaluation: Evaluation = decision.evaluation
        self.effective: Effective = decision.effective
        self.subject = decision.subject
        self.program = self.evaluation.program
        self.families = Families()

    def solve(self, families: Families) -> Family:
        self.families = families
        node = self.decision.node
        assert node is not None
        lowering = Lowering(self._rows(self.effective), families)
        return families.any_of([*self._ways(lowering, node), self._leave_as_target()])

    def _ways(self, lowering: Lowering, node: Permission | Operation) -> Iterator[Family]:
        if isinstance(node, Operation):
            yield lowering.requirement(node.requirement)
            return
        number = self.program.catalog.number_of[node.key]
        value = self.program.value(self.effective.certain, number)
        if self.decision.asked is not None:
            yield lowering.right(number, self.decision.asked)
        if self.effective.reaches is not None and has_reach(node):
            yield self._uncover(lowering, node, number, value)
        elif self.decision.asked is None:
            yield self._empty(lowering, node, number, value)

    def _leave_as_target(self) -> Family:
        """Who asks about themselves and leaves the contract is a target outside it."""
        return self._leave_contract() if self.subject.target == self.subject.user else IMPOSSIBLE

    def _leave_contract(self) -> Family:
        """The levels whose end leaves the subject no part in the contract asked."""
        contract = self.evaluation.contract
        if contract is None:
            return IMPOSSIBLE
        levels = self.evaluation.world.rows_of(self.subject.user).access
        return (frozenset(EndRow(row) for row in levels if self._counts(row) and row.product in contract.products),)

    def _uncover(self, lowering: Lowering, node: Permission, number: int, value: Value) -> Family:
        """Every name by which the value covers the target must go, or the relation by which it does."""
        value_type = node.value_type
        assert isinstance(value_type, ScopeType) and self.effective.reaches is not None
        if self.subject.user == self.subject.target:
            return self._empty(lowering, node, number, value)
        needs = []
        for name in value_type.names:
            reach = value_type.reach.get(name)
            part = value_type.down([name])
            if reach in self.effective.reaches and value_type.at_least(value, part):
                needs.append(self.families.any_of([lowering.right(number, part), self._leave(reach)]))
        return self.families.all_of(needs)

    def _empty(self, lowering: Lowering, node: Permission, number: int, value: Value) -> Family:
        """Sets that leave nothing of a value: no smallest value above nothing may be left, whichever row gives it."""
        value_type = node.value_type
        least = dict.fromkeys(value_type.least_above_bottom())
        if isinstance(value_type, MembersType):
            sources = [self.program.value(brings, number) for _, brings in lowering.rows.sources]
            least = dict.fromkeys(part for source in (value, *sources) for part in value_type.parts(source))
        left = [part for part in least if value_type.at_least(value, part)]
        return self.families.all_of(lowering.right(number, part) for part in left)

    def _leave(self, reach: Reach | None) -> Family:
        """The memberships whose end ends a relation to the target."""
        if reach in {None, Reach.ALL, Reach.OWN} or self.subject.target is None:
            return IMPOSSIBLE
        world, evaluation = self.evaluation.world, self.evaluation
        theirs = {row.team for row in world.rows_of(self.subject.target).memberships if self._counts(row)}
        kind = {Reach.SAME_GROUP: TeamKind.GROUP, Reach.SAME_QUEUE: TeamKind.QUEUE}.get(reach)
        rows = [
            row
            for row in evaluation.world.rows_of(self.subject.user).memberships
            if self._counts(row)
            and row.team in theirs
            and not world.teams[row.team].archived
            and (row.supervisor if kind is None else world.teams[row.team].kind is kind)
        ]
        return (frozenset(EndRow(row) for row in rows),)

    def _counts(self, row: AnyRow) -> bool:
        return row.counts(self.evaluation.contract_id, self.evaluation.at)

    def _rows(self, effective: Effective) -> Rows:
        """The subject's rows, `effective` being their rights as the one who asks, or as the target."""
        evaluation, program = self.evaluation, self.program
        rows = evaluation.world.rows_of(self.subject.user)
        sources: list[tuple[AnyRow, Holding]] = []
        for grant in rows.grants:
            number = program.catalog.number_of.get(grant.node)
            if number is not None and self._counts(grant):
                sources.append((grant, program.close(program.encode(number, grant.value))))
        for assignment in rows.assignments:
            if self._counts(assignment):
                sources.append((assignment, program.close(evaluation.value_of_role(assignment.role))))
        for membership in rows.memberships:
            if self._counts(membership):
                sources.append((membership, program.close(evaluation.value_of_team(membership.team))))
        for level in rows.access:
            node = program.catalog.access_nodes.get(level.product)
            if node is not None and self._counts(level):
                encoded = program.encode(program.catalog.number_of[node.key], value_of_level(level.level))
                sources.append((level, encoded))
        account_owner = evaluation.world.users[self.subject.user].is_owner
        return Rows(
            program=program,
            sources=tuple(sources),
            fixed=program.own(NOTHING) if effective.owner else NOTHING,
            gate=IMPOSSIBLE if account_owner else self._leave_contract(),
            atom=self._atom,
            is_true=lambda atom: evaluation.truth_of(effective, atom) is True,
        )

    def _atom(self, atom: FactHolds | TargetAtLeast) -> Family:
        """Of facts only the link to a subscriber is a row; of the target's rows only the subject's own may be ended."""
        if isinstance(atom, TargetAtLeast):
            target = self.effective.target
            if target is None or self.subject.target != self.subject.user:
                return IMPOSSIBLE
            lowering = Lowering(self._rows(target), self.families)
            return lowering.right(self.program.catalog.number_of[atom.node], atom.value)
        if self.program.catalog.facts[atom.fact].owner is not FactOwner.SUBSCRIBER_LINK:
            return IMPOSSIBLE
        links = self.evaluation.world.rows_of(self.subject.user).links
        return (frozenset(EndRow(row) for row in links if row.contract == self.evaluation.contract_id),)
