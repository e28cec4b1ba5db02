"""People of a plan: who is meant, whose attributes they are, what they are given, who is missing."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from app.domain.contracts import AccessLevel
from app.domain.errors import Conflict, DomainError, Duplicate, InvalidValue, LastOwner, NotPermitted
from app.domain.holders import User, UserId, UserKind, UserStatus
from app.domain.names import read_email, read_name, show
from app.domain.sync.desired import AssignmentDesired, Path, UserDesired
from app.domain.sync.units import (
    Current,
    Directory,
    Step,
    Unit,
    Wanted,
    compare_rows,
    end_rows,
    holder_of,
    want_assignment,
    want_level,
    want_membership,
)
from app.domain.wishes.asking import check_order
from app.domain.wishes.users import Unchanged
from app.domain.world import Change

LIST: Path = ("users",)  # where a person stands who is missing from the input


@dataclass
class People:
    """The people of a plan, entry by entry. `matched` are those whom an entry means, faulty or not."""

    current: Current
    directory: Directory
    take_over: bool
    matched: set[UserId] = field(default_factory=set)
    names: dict[str, list[Unit]] = field(default_factory=dict)  # who will be called what, of those whom entries name

    def read(self, entry: UserDesired) -> Unit:
        """All that is to be done to the person of an entry."""
        unit = Unit("user", entry.subject, entry.path)
        old = self._match(entry, unit)
        new = self._read_attributes(entry, old, unit)
        unit.holder = new.id
        if old is not None:
            self.matched.add(old.id)
        self.names.setdefault(new.user_name, []).append(unit)
        if new != old:
            taken_from = None if old is None or old.source == new.source else old.source
            unit.steps.append(Step(Change(old, new), entry.path, taken_from))
        self._read_lists(entry, unit)
        return unit

    # ------------------------------------------------------------------ who is meant

    def _match(self, entry: UserDesired, unit: Unit) -> User | None:
        """The person whom an entry means: by id, by external id, or else by user name one who has no external id."""
        found = None if entry.id is None else self.current.world.users.get(entry.id)
        if found is None and entry.external_id is not None:
            found = self.current.users_by_external_id.get(entry.external_id)
        if found is None and entry.id is None:
            named = self.current.users_by_name.get(entry.user_name)
            if named is not None and named.external_id is None:
                found = named
        if found is not None and found.kind is UserKind.SERVICE:
            message = f"`{show(found.user_name)}` is a service account, and a sync brings people"
            unit.conflicts.append(Conflict(message, path=(*entry.path, "userName")))
        return found

    def _read_attributes(self, entry: UserDesired, old: User | None, unit: Unit) -> User:
        wanted = self._read_wanted(entry, old, unit)
        if old is None or old == wanted:
            return wanted
        if old.source != self.current.source:
            if self.take_over:
                return replace(wanted, source=self.current.source)
            if old.status is not UserStatus.ACTIVE:
                wanted = replace(wanted, status=old.status)  # to wake a person is for who manages the person
            for name, shown in _ATTRIBUTES.items():
                if getattr(wanted, name) != getattr(old, name):
                    message = f"`{shown}` of `{show(old.user_name)}` belongs to the source `{show(old.source)}`"
                    unit.conflicts.append(Conflict(message, path=(*entry.path, shown)))
            return old
        if wanted.status is UserStatus.ACTIVE and old.id in self.current.held_down and not self.take_over:
            what = "archived" if old.status is UserStatus.ARCHIVED else "suspended"
            message = f"`{show(old.user_name)}` was {what} by somebody else: wake the person by hand, or take over"
            unit.conflicts.append(Conflict(message, path=(*entry.path, "active")))
        return wanted

    def _read_wanted(self, entry: UserDesired, old: User | None, unit: Unit) -> User:
        """The person as the entry has it; what it leaves out is as it was. Faults are left with the unit."""
        stamp, faults, path = self.current.stamp, unit.faults, entry.path
        name = entry.user_name
        external_id = entry.external_id or (None if old is None else old.external_id)
        display_name = None if isinstance(entry.display_name, Unchanged) else entry.display_name
        email = entry.email
        try:
            external_id = None if external_id is None else read_name(external_id, "externalId")
            name = read_name(name, "userName")
            display_name = None if display_name is None else read_name(display_name, "displayName")
            email = email if email is None or isinstance(email, Unchanged) else read_email(email, "email")
        except InvalidValue as error:
            faults.append(error.under(*path))
        if old is None:
            return User(
                id=UserId(stamp.new_id(User)), user_name=name, display_name=display_name or name,
                email=None if isinstance(email, Unchanged) else email, external_id=external_id, source=stamp.source,
                status=UserStatus.ACTIVE if entry.active else UserStatus.SUSPENDED,
            )  # fmt: skip
        if display_name is None:
            display_name = old.display_name
            if not isinstance(entry.display_name, Unchanged):
                display_name = name
        status = UserStatus.ACTIVE if entry.active else UserStatus.SUSPENDED
        if old.status is UserStatus.ARCHIVED and not entry.active:
            status = old.status
        same = (old.user_name, old.display_name, old.external_id, old.status) == (
            name, display_name, external_id, status
        )  # fmt: skip
        if same and (isinstance(email, Unchanged) or email == old.email):
            return old
        return replace(
            old, user_name=name, display_name=display_name, external_id=external_id, status=status,
            email=old.email if isinstance(email, Unchanged) else email,
        )  # fmt: skip

    # ------------------------------------------------------------------ what they are given

    def _read_lists(self, entry: UserDesired, unit: Unit) -> None:
        rows = self.current.world.rows_of(unit.holder)
        if entry.roles is not None:
            wanted = read_assignments(self.directory, unit, entry.roles, entry.path)
            path = (*entry.path, "roles")
            unit.steps += compare_rows(
                self.current, unit, rows.assignments, wanted, path=path, take_over=self.take_over
            )  # fmt: skip
        if entry.teams is not None:
            path = (*entry.path, "teams")
            wanted = []
            for index, ref in enumerate(entry.teams):
                place = (*path, str(index))
                try:
                    wanted.append(want_membership(self.directory.find_team(ref, unit, *place), place))
                except DomainError as error:
                    unit.faults.append(error)
            unit.steps += compare_rows(
                self.current, unit, rows.memberships, wanted, path=path, take_over=self.take_over
            )  # fmt: skip
        if entry.access is not None:
            path = (*entry.path, "access")
            unit.steps += compare_rows(
                self.current, unit, rows.access, self._read_access(entry, unit), path=path, take_over=self.take_over
            )  # fmt: skip

    def _read_access(self, entry: UserDesired, unit: Unit) -> list[Wanted]:
        assert entry.access is not None
        world, wanted = self.current.world, dict[tuple[str, str], Wanted]()
        for index, item in enumerate(entry.access):
            path = (*entry.path, "access", str(index))
            try:
                contract = self.directory.find_contract(item.contract, *path, "contract")
                assert contract is not None, "a level names its contract"
                record = world.contracts[contract]
                if item.product not in record.products:
                    known = ", ".join(f"`{product}`" for product in sorted(record.products)) or "none yet"
                    message = f"`{show(item.product)}` is no product of the contract `{record.number}`"
                    raise InvalidValue(message, path=(*path, "product"), expected=f"one of its products: {known}")
                if item.level is AccessLevel.OWNER:
                    message = "nobody appoints an OWNER: it comes with registering or transferring the contract"
                    raise NotPermitted(message, path=(*path, "level"))
                if unit.holder == record.owner:
                    raise LastOwner(f"the person owns the contract `{record.number}`: transfer it first", path=path)
                other = wanted.get((contract, item.product))
                if other is not None and other.fields["level"] is not item.level:
                    raise Duplicate(f"two levels in `{item.product}` of `{record.number}`", path=path)
            except DomainError as error:
                unit.faults.append(error)
                continue
            wanted[contract, item.product] = want_level(contract, item.product, item.level, path)
        return list(wanted.values())

    # ------------------------------------------------------------------ who is missing

    def leave(self, user: UserId, path: Path = LIST) -> Unit | None:
        """What becomes of a person who is not listed, or goes: suspended, and the source's rows end; None: nothing."""
        old = self.current.world.users[user]
        unit = Unit("user", holder_of(self.current, user), path, holder=user)
        if old.source == self.current.source and old.status is UserStatus.ACTIVE:
            unit.steps.append(Step(Change(old, replace(old, status=UserStatus.SUSPENDED)), path))
        unit.steps += end_rows(self.current, unit, path=path)
        return unit if unit.steps else None

    def find_missing(self) -> list[UserId]:
        """The people whom the source manages, or has rows on, and whom no entry means."""
        world, source = self.current.world, self.current.source
        return [
            user.id
            for user in world.users.values()
            if user.id not in self.matched
            and (user.source == source or any(row.source == source for row in world.rows_of(user.id)))
        ]

    def refuse_taken_names(self, leaving: set[str]) -> None:
        """Conflicts of those who would be called as somebody else is after the plan; `leaving` change their name."""
        for name, units in self.names.items():
            taken = self.current.users_by_name.get(name)
            is_free = taken is None or taken.id in leaving or any(unit.holder == taken.id for unit in units)
            if len(units) == 1 and is_free:
                if taken is not None and taken.id in leaving and taken.id != units[0].holder:
                    units[0].needs.add(taken.id)
                continue
            for unit in units:
                unit.conflicts.append(
                    Duplicate(f"the user name `{show(name)}` is taken", path=(*unit.path, "userName"))
                )


_ATTRIBUTES = {
    "user_name": "userName",
    "display_name": "displayName",
    "email": "email",
    "external_id": "externalId",
    "status": "active",
}


def read_assignments(directory: Directory, unit: Unit, asked: Iterable[AssignmentDesired], path: Path) -> list[Wanted]:
    """The assignments that an entry lists under `roles`; what is wrong with one is a fault of the unit."""
    wanted: list[Wanted] = []
    for index, item in enumerate(asked):
        place = (*path, "roles", str(index))
        try:
            role = directory.find_role(item.role, unit, *place, "role")
            contract = directory.find_contract(item.contract, *place, "contract")
            check_order(item.valid_from, item.valid_until, *place)
        except DomainError as error:
            unit.faults.append(error)
            continue
        wanted.append(want_assignment(role, contract, (item.valid_from, item.valid_until), place))
    return wanted
