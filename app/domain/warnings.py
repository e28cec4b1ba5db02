"""What a change does that is allowed and yet worth saying (SEMANTICS sections 3 and 6).

Advice that is not followed; rights that a limit on the person, an access level or a contract holds back; prerequisites
that end before what leans on them. Each is told once, for the holders that the change touches.
"""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime

from app.domain.catalog import Permission, Polarity
from app.domain.compiled import Holding
from app.domain.errors import DomainError, ErrorCode, Warned
from app.domain.holders import Access, ContractId, ContractStatus, Grant, HolderId, UserId
from app.domain.requirements import AtLeast, Enforcement, Requirement, Rule, evaluate, find_missing
from app.domain.rights import Evaluation
from app.domain.values import Value
from app.domain.violations import Failure, Judgement, Violation


def find_warnings(
    judgement: Judgement, violations: Iterable[Violation], paths: Mapping[str, tuple[str, ...]], *, at: datetime
) -> Iterator[DomainError]:
    """The warnings of a change that is let through, `violations` included; `paths` are by the id of a record."""
    yield from _Warnings(judgement, tuple(violations), paths, at).find()


class _Warnings:
    """One change, and where the request asks for what."""

    def __init__(
        self,
        judgement: Judgement,
        violations: tuple[Violation, ...],
        paths: Mapping[str, tuple[str, ...]],
        at: datetime,
    ) -> None:
        self.judgement = judgement
        self.program = judgement.program
        self.catalog = judgement.program.catalog
        self.known = {violation.failure for violation in violations}
        self.paths = paths
        self.at = at

    def find(self) -> Iterator[DomainError]:
        for holder in self.judgement.touched():
            for contract in self.judgement.scopes(holder):
                # An unscoped change shows in every contract: what it gives is told once.
                if contract is None or self._is_scoped(contract):
                    gained = self._gained(holder, contract)
                    yield from self._advise(holder, contract, gained)
                    if holder in self.judgement.after.users:
                        yield from self._held_back(UserId(holder), contract, gained)
        for user, contracts in self._touched_people().items():
            yield from self._suspended(user, contracts)
        yield from self._shut_out()
        yield from self._ending()

    def _path_to(self, permission: Permission) -> tuple[str, ...]:
        return self.judgement.path_to(permission.key, self.paths)

    def _is_scoped(self, contract: ContractId) -> bool:
        """Whether the change itself has rows of a contract."""
        return any(getattr(change.record, "contract", None) == contract for change in self.judgement.changes)

    def _evaluate(self, contract: ContractId | None, *, after: bool = True) -> Evaluation:
        return self.judgement.evaluation(after, contract, self.at)

    def _is_lower(self, holding: Holding, other: Holding, number: int) -> bool:
        """Whether a right is no longer what it is in another holding."""
        return not self.program.types[number].at_least(
            self.program.value(holding, number), self.program.value(other, number)
        )

    # ------------------------------------------------------------------ what is given

    def _gained(self, holder: HolderId, contract: ContractId | None) -> list[int]:
        had, _ = self.judgement.values(False, holder, contract, self.at)
        has, _ = self.judgement.values(True, holder, contract, self.at)
        return [number for number in self.program.differing(had, has) if self._is_lower(had, has, number)]

    def _advise(self, holder: HolderId, contract: ContractId | None, gained: list[int]) -> Iterator[DomainError]:
        _, settled = self.judgement.values(True, holder, contract, self.at)

        def truth(atom: object) -> bool:
            if not isinstance(atom, AtLeast):
                return True
            needed = self.catalog.number_of[atom.node]
            return self.program.types[needed].at_least(self.program.value(settled, needed), atom.value)

        for number in gained:
            permission = self.catalog.permissions[number]
            for rule in _advice(permission, self.program.value(settled, number)):
                if evaluate(rule.requirement, truth) is not True:
                    unmet = self._name(find_missing(rule.requirement, truth))
                    message = f"`{permission.label}` is of little use without {unmet}"
                    yield Warned(message, path=self._path_to(permission))

    def _held_back(self, user: UserId, contract: ContractId | None, gained: list[int]) -> Iterator[DomainError]:
        """Rights that the change gives and that a limit on the person, a contract or a product holds back."""
        evaluation = self._evaluate(contract)
        held = evaluation.held_by(user)
        limited = evaluation.apply_limits(user, held)
        full = self.program.settle(self.program.join(held, self.judgement.access_met), self.program.met)
        left = self.program.settle(self.program.join(limited, self.judgement.access_met), self.program.met)
        for number in self._given(gained, evaluation):
            permission = self.catalog.permissions[number]
            path = self._path_to(permission)
            if self._is_lower(left, full, number):
                yield Warned(f"`{permission.label}` is held back by a limit on the person", path=path)
            elif contract is not None and permission.polarity is Polarity.PERMISSION:
                reason = self._shut(evaluation, user)
                if reason is not None:
                    yield Warned(f"`{permission.label}` is held back: {reason}", path=path)

    def _given(self, gained: list[int], evaluation: Evaluation) -> list[int]:
        """The gained rights, and those that a row of the change gives however much a limit leaves of them."""
        given = {
            self.catalog.number_of[change.after.node]
            for change in self.judgement.changes
            if isinstance(change.after, Grant) and change.after.counts(evaluation.contract_id, evaluation.at)
        }
        return sorted({*gained, *given})

    def _shut(self, evaluation: Evaluation, user: UserId) -> str | None:
        contract = evaluation.contract
        if contract is None or evaluation.world.users[user].is_owner:
            return None
        if contract.status is not ContractStatus.ACTIVE:
            return f"the contract `{contract.number}` is not in force"
        return None if evaluation.is_inside(user) else f"the person has no level in the contract `{contract.number}`"

    # ------------------------------------------------------------------ what is suspended

    def _touched_people(self) -> dict[UserId, dict[ContractId | None, None]]:
        """The people whose rows or levels change, each with the contracts where that may show."""
        after = self.judgement.after
        found = {
            UserId(holder): dict.fromkeys(self.judgement.scopes(holder))
            for holder in self.judgement.touched()
            if holder in after.users
        }
        for change in self.judgement.changes:
            if isinstance(change.record, Access):
                found.setdefault(change.record.user, {})[change.record.contract] = None
        return found

    def _suspended(self, user: UserId, contracts: Iterable[ContractId | None]) -> Iterator[DomainError]:
        """Rights left as they were that a limit on the person or a level now leaves without what they need."""
        told: set[int] = set()
        for contract in contracts:
            before, after = self._evaluate(contract, after=False), self._evaluate(contract)
            if self._shut(after, user) is not None:
                continue  # nothing is left to be suspended
            had = before.apply_limits(user, before.held_by(user))
            held = after.held_by(user)
            has = after.apply_limits(user, held)
            was, left, unlimited = (self.program.settle(holding, self.program.met) for holding in (had, has, held))
            for number in self.program.differing(was, left):
                failed = Failure(user, number, contract) in self.known
                if (
                    failed
                    or number in told
                    or self._is_lower(has, had, number)
                    or not self._is_lower(left, was, number)
                ):
                    continue
                told.add(number)
                permission = self.catalog.permissions[number]
                asked = self.program.value(was, number)
                missing, _ = self.judgement.trace(number, asked, had=had, has=has, settled=left)
                limited = self._is_lower(left, unlimited, number)
                cause = "a limit on the person holds back" if limited else "it needs"
                message = f"`{permission.label}` is suspended: {cause} {self._name(missing)}"
                yield Warned(message, path=self._path_to(permission))

    def _shut_out(self) -> Iterator[DomainError]:
        """People who keep rights in a contract where no level is left to them."""
        leaving: dict[tuple[UserId, ContractId], tuple[str, ...]] = {}
        for change in self.judgement.changes:
            row = change.before
            if isinstance(row, Access) and row.contract is not None:
                leaving.setdefault((row.user, row.contract), self.paths.get(row.id, ()))
        for (user, contract), path in leaving.items():
            evaluation = self._evaluate(contract)
            was_in = self._shut(self._evaluate(contract, after=False), user) is None
            reason = self._shut(evaluation, user)
            if not was_in or reason is None:
                continue
            held = self.program.without(evaluation.held_by(user), evaluation.lacking_products())
            names = [
                permission.label
                for number, permission in enumerate(self.catalog.permissions)
                if permission.polarity is Polarity.PERMISSION and self.program.holds_any(held, number)
            ]
            if names:
                others = f" and {len(names) - 1} more" if len(names) > 1 else ""
                name = evaluation.world.users[user].user_name
                yield Warned(f"`{names[0]}`{others} of `{name}` will be held back: {reason}", path=path)

    # ------------------------------------------------------------------ what will be suspended

    def _ending(self) -> Iterator[DomainError]:
        """Rights that fail at a later moment, when a row that their holder leans on begins or ends."""
        later: list[Violation] = []
        for holder in self.judgement.reached():
            for at in self._moments(holder):
                for violation in self.judgement.violations_at(at, [holder]):
                    if violation.failure not in self.known:
                        self.known.add(violation.failure)
                        later.append(violation)
        first = self.judgement.first_holders(later)
        told: set[tuple[HolderId, int]] = set()
        for violation in later:
            right = (violation.failure.holder, violation.failure.number)
            if right in first and right not in told:
                told.add(right)
                yield self._ends_earlier(violation)

    def _moments(self, holder: HolderId) -> list[datetime]:
        world = self.judgement.after
        moments = {
            moment
            for included in (holder, *world.included_in(holder))
            for row in world.rows_of(included)
            for moment in (row.valid_from, row.valid_until)
            if moment is not None and moment > self.at
        }
        return sorted(moments)

    def _ends_earlier(self, violation: Violation) -> DomainError:
        permission = self.catalog.permissions[violation.failure.number]
        needed, since = self._name(violation.missing), violation.at.isoformat()
        has, _ = self.judgement.values(True, violation.failure.holder, violation.failure.contract, self.at)
        held = self.program.types[violation.failure.number].at_least(
            self.program.value(has, violation.failure.number), violation.asked
        )
        return Warned(
            f"`{permission.label}` will be suspended from {since}, when {needed} ends"
            if held
            else f"`{permission.label}` will be suspended from {since}, for want of {needed}",
            path=self._path_to(permission),
            code=ErrorCode.PREREQUISITE_ENDS_EARLIER,
        )

    def _name(self, requirements: Iterable[Requirement]) -> str:
        return ", ".join(f"`{self.catalog.render(requirement)}`" for requirement in requirements)


def _advice(permission: Permission, value: Value) -> Iterator[Rule]:
    """The advisory rules about a value; none about nothing."""
    if value == permission.value_type.bottom:
        return
    for rule in permission.rules:
        if rule.enforcement is not Enforcement.ADVISORY:
            continue
        if rule.applies_from is None or permission.value_type.at_least(value, rule.applies_from):
            yield rule
