"""What a change does that is allowed and yet worth saying (SEMANTICS sections 3 and 6).

Advice that is not followed; rights that a limit on the person, an access level or a contract holds back; prerequisites
that end before what leans on them. Each is told once, for the holders that the change touches.
"""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime

from app.domain.catalog import Permission, Polarity
from app.domain.compiled import NOTHING, Holding
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
        self.advised = NOTHING  # the top of every right about which there is advice
        for number in {step.number for step in self.program.advice}:
            top = self.program.encode(number, self.program.types[number].top)
            self.advised = self.program.join(self.advised, top)
        self.scoped = {getattr(change.record, "contract", None) for change in judgement.changes}
        self.granted: dict[str, list[Grant]] = {}
        self.levelled: dict[UserId, dict[ContractId | None, None]] = {}
        for change in judgement.changes:
            if isinstance(change.after, Grant):
                self.granted.setdefault(change.after.holder, []).append(change.after)
            if isinstance(change.record, Access):
                self.levelled.setdefault(change.record.user, {})[change.record.contract] = None

    def find(self) -> Iterator[DomainError]:
        for holder in self.judgement.touched():
            for contract in self.judgement.scopes(holder):
                # An unscoped change shows in every contract: what it gives is told once.
                if contract is None or contract in self.scoped:
                    had, has = (self.judgement.value(after, holder, contract, self.at) for after in (False, True))
                    yield from self._advise(holder, contract, had, has)
                    if holder in self.judgement.after.users:
                        yield from self._held_back(UserId(holder), contract, had, has)
        for user, contracts in self._touched_people():
            yield from self._suspended(user, contracts)
        yield from self._shut_out()
        yield from self._ending()

    def _path_to(self, permission: Permission, holder: HolderId) -> tuple[str, ...]:
        return self.judgement.path_to(permission.key, self.paths, holder)

    def _evaluate(self, contract: ContractId | None, *, after: bool = True) -> Evaluation:
        return self.judgement.evaluation(after, contract, self.at)

    def _is_lower(self, holding: Holding, other: Holding, number: int) -> bool:
        """Whether a right is no longer what it is in another holding."""
        return not self.program.types[number].at_least(
            self.program.value(holding, number), self.program.value(other, number)
        )

    # ------------------------------------------------------------------ what is given

    def _advise(
        self, holder: HolderId, contract: ContractId | None, had: Holding, has: Holding
    ) -> Iterator[DomainError]:
        advised = self.program.exceeding(self.program.meet(has, self.advised), had)
        if not advised:
            return
        _, settled = self.judgement.values(True, holder, contract, self.at)

        def truth(atom: object) -> bool:
            if not isinstance(atom, AtLeast):
                return True
            needed = self.catalog.number_of[atom.node]
            return self.program.types[needed].at_least(self.program.value(settled, needed), atom.value)

        for number in advised:
            permission = self.catalog.permissions[number]
            for rule in _advice(permission, self.program.value(settled, number)):
                if evaluate(rule.requirement, truth) is not True:
                    unmet = self._name(find_missing(rule.requirement, truth))
                    message = f"`{permission.label}` is of little use without {unmet}"
                    yield Warned(message, path=self._path_to(permission, holder))

    def _held_back(
        self, user: UserId, contract: ContractId | None, had: Holding, has: Holding
    ) -> Iterator[DomainError]:
        """Rights that the change gives and that a limit on the person, a contract or a product holds back."""
        evaluation = self._evaluate(contract)
        reason = None if contract is None else self._shut(evaluation, user)
        lower: frozenset[int] = frozenset()
        if self.judgement.after.rows_of(user).limits:
            held = evaluation.held_by(user)
            limited = evaluation.apply_limits(user, held)
            full = self.program.settle(self.program.join(held, self.judgement.access_met), self.program.met)
            left = self.program.settle(self.program.join(limited, self.judgement.access_met), self.program.met)
            lower = frozenset(self.program.exceeding(full, left))
        if reason is None and not lower:
            return
        for number in self._given(user, self.program.exceeding(has, had), evaluation):
            permission = self.catalog.permissions[number]
            if number in lower:
                message = f"`{permission.label}` is held back by a limit on the person"
            elif reason is not None and permission.polarity is Polarity.PERMISSION:
                message = f"`{permission.label}` is held back: {reason}"
            else:
                continue
            yield Warned(message, path=self._path_to(permission, user))

    def _given(self, user: UserId, gained: tuple[int, ...], evaluation: Evaluation) -> list[int]:
        """The gained rights, and those that a row of the change gives however much a limit leaves of them."""
        given = {
            self.catalog.number_of[row.node]
            for one in (user, *self.judgement.included_in(user))
            for row in self.granted.get(one, ())
            if row.counts(evaluation.contract_id, evaluation.at)
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

    def _touched_people(self) -> Iterator[tuple[UserId, Iterable[ContractId | None]]]:
        """The people whose rows or levels change, each with the contracts where that may show."""
        touched = dict.fromkeys(self.judgement.touched())
        for holder in touched:
            if holder in self.judgement.after.users:
                user = UserId(holder)
                yield user, dict.fromkeys((*self.judgement.scopes(user), *self.levelled.get(user, ())))
        for user, contracts in self.levelled.items():
            if user not in touched:
                yield user, contracts

    def _suspended(self, user: UserId, contracts: Iterable[ContractId | None]) -> Iterator[DomainError]:
        """Rights left as they were that a limit on the person or a level now leaves without what they need."""
        told: set[int] = set()
        for contract in contracts:
            if self._shut(self._evaluate(contract), user) is not None:
                continue  # nothing is left to be suspended
            had = self.judgement.value(False, user, contract, self.at)
            if had == NOTHING:
                continue
            held, has = self.judgement.sides[True].value(user, contract, self.at)
            was, left, unlimited = (self.program.settle(holding, self.program.met) for holding in (had, has, held))
            for number in self.program.exceeding(was, left):
                failed = Failure(user, number, contract) in self.known
                if failed or number in told or self._is_lower(has, had, number):
                    continue
                told.add(number)
                permission = self.catalog.permissions[number]
                asked = self.program.value(was, number)
                missing, _ = self.judgement.trace(number, asked, had=had, has=has, settled=left)
                limited = self._is_lower(left, unlimited, number)
                cause = "a limit on the person holds back" if limited else "it needs"
                message = f"`{permission.label}` is suspended: {cause} {self._name(missing)}"
                yield Warned(message, path=self._path_to(permission, user))

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
        bounds = self.judgement.sides[True].extent_of(holder).bounds
        return sorted({moment for _, moment in bounds if moment > self.at})

    def _ends_earlier(self, violation: Violation) -> DomainError:
        permission = self.catalog.permissions[violation.failure.number]
        needed, since = self._name(violation.missing), violation.at.isoformat()
        has = self.judgement.value(True, violation.failure.holder, violation.failure.contract, self.at)
        held = self.program.types[violation.failure.number].at_least(
            self.program.value(has, violation.failure.number), violation.asked
        )
        return Warned(
            f"`{permission.label}` will be suspended from {since}, when {needed} ends"
            if held
            else f"`{permission.label}` will be suspended from {since}, for want of {needed}",
            path=self._path_to(permission, violation.failure.holder),
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
