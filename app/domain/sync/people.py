"""People of a plan: who is meant, whose attributes they are, what they are given, who is missing."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

from app.domain.contracts import AccessLevel
from app.domain.errors import Conflict, DomainError, Duplicate, InvalidValue, LastOwner, NotPermitted
from app.domain.holders import Access, AnyRow, Assignment, ContractId, Membership, User, UserId, UserKind, UserStatus
from app.domain.names import read_email, read_name, show
from app.domain.sync.desired import AssignmentDesired, LevelDesired, Path, UserDesired
from app.domain.sync.units import Current, Directory, RowKey, Step, Unit, compare_rows, end_rows, holder_of
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
        other = None if found is None else self.current.users_by_external_id.get(entry.external_id or "")
        if found is not None and other is not None and other.id != found.id:
            message = f"the external id `{show(entry.external_id or '')}` is taken"
            unit.conflicts.append(Duplicate(message, path=(*entry.path, "externalId")))
        return found

    def _read_attributes(self, entry: UserDesired, old: User | None, unit: Unit) -> User:
        wanted = self._read_wanted(entry, old, unit)
        if old is not None and self.take_over:
            return replace(wanted, source=self.current.source) if old.source != self.current.source else wanted
        if old is None or old == wanted:
            return wanted
        if old.source != self.current.source:
            if old.status is not UserStatus.ACTIVE:
                wanted = replace(wanted, status=old.status)  # to wake a person is for who manages the person
            for name, shown in _ATTRIBUTES.items():
                if getattr(wanted, name) != getattr(old, name):
                    message = f"`{shown}` of `{show(old.user_name)}` belongs to the source `{show(old.source)}`"
                    unit.conflicts.append(Conflict(message, path=(*entry.path, shown)))
            return old
        if wanted.status is UserStatus.ACTIVE and old.id in self.current.held_down:
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
        shown = display_name or (name if old is None or entry.display_name is None else old.display_name)
        if old is not None and (old.external_id, old.user_name, old.display_name, old.email) == (
            external_id, name, shown, old.email if isinstance(email, Unchanged) else email
        ):  # fmt: skip
            return self._with_status(old, entry)
        read: dict[str, str] = {}
        for field_name, text, reader in (
            ("externalId", external_id, read_name), ("userName", name, read_name),
            ("displayName", display_name, read_name),
            ("email", None if isinstance(email, Unchanged) else email, read_email),
        ):  # fmt: skip
            try:
                if text is not None:
                    read[field_name] = reader(text, field_name)
            except InvalidValue as error:
                faults.append(error.under(*path))
        external_id, name = read.get("externalId"), read.get("userName", name)
        display_name = read.get("displayName")
        email = email if isinstance(email, Unchanged) else read.get("email")
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
        return replace(
            self._with_status(old, entry), user_name=name, display_name=display_name, external_id=external_id,
            email=old.email if isinstance(email, Unchanged) else email,
        )  # fmt: skip

    def _with_status(self, old: User, entry: UserDesired) -> User:
        """The person as active as the entry has it; who is archived stays so where the entry is not active."""
        status = UserStatus.ACTIVE if entry.active else UserStatus.SUSPENDED
        if status is old.status or (old.status is UserStatus.ARCHIVED and not entry.active):
            return old
        return replace(old, status=status)

    # ------------------------------------------------------------------ what they are given

    def _read_lists(self, entry: UserDesired, unit: Unit) -> None:
        rows = self.current.world.rows_of(unit.holder)
        if entry.roles is not None:
            keys = self.keys_of_roles(entry, unit)
            unit.steps += self._compare(unit, Assignment, rows.assignments, keys, (*entry.path, "roles"))
        if entry.teams is not None:
            keys = self.keys_of_teams(entry, unit)
            unit.steps += self._compare(unit, Membership, rows.memberships, keys, (*entry.path, "teams"))
        if entry.access is not None:
            keys = self.keys_of_access(entry, unit)
            unit.steps += self._compare(unit, Access, rows.access, keys, (*entry.path, "access"))

    def keys_of_roles(self, entry: UserDesired, unit: Unit) -> list[RowKey | None]:
        """What the roles of an entry say; what is wrong with one is a fault of the unit, and None."""
        return read_assignments(self.directory, unit, entry.roles or (), (*entry.path, "roles"))

    def keys_of_teams(self, entry: UserDesired, unit: Unit) -> list[RowKey | None]:
        """What the teams of an entry say, as its roles."""
        keys: list[RowKey | None] = []
        for index, ref in enumerate(entry.teams or ()):
            try:
                keys.append((self.directory.find_team(ref, unit), None, None, None, False))
            except DomainError as error:
                unit.faults.append(error.under(*entry.path, "teams", str(index)))
                keys.append(None)
        return keys

    def _compare(
        self, unit: Unit, kind: type, rows: Sequence[AnyRow], keys: Sequence[RowKey | None], path: Path
    ) -> list[Step]:
        return compare_rows(self.current, unit, kind, rows, keys, path=path, take_over=self.take_over)

    def keys_of_access(self, entry: UserDesired, unit: Unit) -> list[RowKey | None]:
        """What the access levels of an entry say, as its roles."""
        world, levels = self.current.world, dict[tuple[str, str], AccessLevel]()
        keys: list[RowKey | None] = []
        for index, item in enumerate(entry.access or ()):
            try:
                contract = self.directory.find_contract(item.contract, "contract")
                assert contract is not None, "a level names its contract"
                record = world.contracts[contract]
                if item.product not in record.products:
                    known = ", ".join(f"`{product}`" for product in sorted(record.products)) or "none yet"
                    message = f"`{show(item.product)}` is no product of the contract `{record.number}`"
                    raise InvalidValue(message, path=("product",), expected=f"one of its products: {known}")
                if item.level is AccessLevel.OWNER:
                    message = "nobody appoints an OWNER: it comes with registering or transferring the contract"
                    raise NotPermitted(message, path=("level",))
                if unit.holder == record.owner and not self._is_given(unit, contract, item):
                    raise LastOwner(f"the person owns the contract `{record.number}`: transfer it first")
                if levels.setdefault((contract, item.product), item.level) is not item.level:
                    raise Duplicate(f"two levels in `{item.product}` of `{record.number}`")
            except DomainError as error:
                unit.faults.append(error.under(*entry.path, "access", str(index)))
                keys.append(None)
            else:
                keys.append((item.product, contract, None, None, item.level))
        return keys

    def _is_given(self, unit: Unit, contract: ContractId, item: LevelDesired) -> bool:
        """Whether the source gives this level already, from before the person came to own the contract."""
        return any(
            (row.source, row.contract, row.product, row.level)
            == (self.current.source, contract, item.product, item.level)
            for row in self.current.world.rows_of(unit.holder).access
        )

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
        missing = [
            user
            for user in world.users.values()
            if user.id not in self.matched
            and (user.source == source or any(row.source == source for row in world.rows_of(user.id)))
        ]
        return [user.id for user in sorted(missing, key=lambda user: user.user_name)]

    def refuse_taken_names(self, leaving: set[str]) -> None:
        """Conflicts of those who would be called as somebody else is after the plan; `leaving` change their name."""
        for name, units in self.names.items():
            taken = self.current.users_by_name.get(name)
            is_free = taken is None or taken.id in leaving or any(unit.holder == taken.id for unit in units)
            if len(units) == 1 and is_free:
                if taken is not None and taken.id in leaving and taken.id != units[0].holder:
                    units[0].needs.add(taken.id)
                continue
            keeping = [unit for unit in units if taken is not None and unit.holder == taken.id]
            for unit in units:
                if keeping != [unit]:  # who keeps the name is in nobody's way
                    message = f"the user name `{show(name)}` is taken"
                    unit.conflicts.append(Duplicate(message, path=(*unit.path, "userName")))


_ATTRIBUTES = {
    "user_name": "userName",
    "display_name": "displayName",
    "email": "email",
    "external_id": "externalId",
    "status": "active",
}


def read_assignments(
    directory: Directory, unit: Unit, asked: Iterable[AssignmentDesired], path: Path
) -> list[RowKey | None]:
    """What the assignments of a list say; what is wrong with one is a fault of the unit, and None."""
    keys: list[RowKey | None] = []
    for index, item in enumerate(asked):
        try:
            keys.append(directory.key_of_assignment(item, unit))
        except DomainError as error:
            unit.faults.append(error.under(*path, str(index)))
            keys.append(None)
    return keys
