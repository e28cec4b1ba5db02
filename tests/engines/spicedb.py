"""The graph of SEMANTICS as SpiceDB has graphs: a world in a contract as relationships, judged by SpiceDB's own engine.

Written from SEMANTICS.md, it shares no code with the engine in `app.domain`; of the domain it reads records, and values
part by part as `tests/engines/cedar.py` does. What SpiceDB works out is what hangs on what:

    cell    a part of a right at a holder: given there, or passed on by what the holder includes, or implied; cut there
    person  whether they are active; `seat`: whether the contract lets them in; `product`: whether it is there
    need    a requirement: both of two, any of some, or a cell that somebody effectively has

Which rows count at a moment and in a contract is said here, as are archived roles and teams. Left out are facts and
targets: of a right or an operation that hangs on one, by whatever it needs, the last step is not compared.
"""

import json
import subprocess
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from app.domain.catalog import Catalog, Operation, Permission, Polarity
from app.domain.holders import Access, Assignment, ContractId, Grant, Limit, Membership
from app.domain.requirements import AllOf, AnyOf, AtLeast, Requirement
from app.domain.values import Level, LevelType, Quantity, QuantityType, Scope, ScopeType, Value, ValueType
from app.domain.world import World
from tests.engines.cedar import LEVELS, parts_in, parts_of

SCHEMA = """
definition token {}
definition person {
  relation active: token
  permission acts = active
}
definition seat {
  relation account_owner: token
  relation in_force: token
  relation level: token
  permission open = account_owner + (in_force & level)
}
definition product {
  relation there: token
  permission open = there
}
definition cell {
  relation given: token
  relation from: cell
  relation implied_by: cell
  relation cut: token
  relation owned: token
  relation freed: token
  relation seat: seat
  relation product: product
  relation barred: token
  relation needs: need
  permission ways = given + from->passed + implied_by->ways
  permission passed = ways - cut
  permission granted = (ways + owned) - freed
  permission let = granted & seat->open & product->open
  permission limited = let - barred
  permission effective = limited & needs->met
}
definition need {
  relation always: token
  relation left: need
  relation right: need
  relation any: need
  relation has: cell
  permission met = always + (left->met & right->met) + any->met + has->effective
}
definition operation {
  relation product: product
  relation needs: need
  permission open = product->open & needs->met
}
"""
# What runs where SpiceDB is installed: a schema, then worlds, each a line of JSON; answered by a line of truths.
PROGRAM = """
import json, sys
from authzed.api.v1 import *
from spicedb_embedded import EmbeddedSpiceDB
def of(kind, name): return ObjectReference(object_type=kind, object_id=name)
it = SubjectReference(object=of("token", "it"))
fully, server, asked = Consistency(fully_consistent=True), None, 0
schema = json.loads(sys.stdin.readline())
for line in sys.stdin:
    if server is None or asked % 40 == 0:
        if server is not None: server.close()
        server = EmbeddedSpiceDB.start(schema)
    asked += 1
    written, questions = json.loads(line)
    updates = [RelationshipUpdate(operation=RelationshipUpdate.OPERATION_TOUCH, relationship=Relationship(
        resource=of(*one[:2]), relation=one[2], subject=SubjectReference(object=of(*one[3:])))) for one in written]
    calls = server.permissions()
    for start in range(0, len(updates), 900):
        calls.WriteRelationships(WriteRelationshipsRequest(updates=updates[start:start + 900]))
    told = []
    for start in range(0, len(questions), 500):
        items = [CheckBulkPermissionsRequestItem(resource=of(*one[:2]), permission=one[2], subject=it)
                 for one in questions[start:start + 500]]
        pairs = calls.CheckBulkPermissions(CheckBulkPermissionsRequest(consistency=fully, items=items)).pairs
        for pair in pairs:
            assert pair.HasField("item"), pair
        told += [pair.item.permissionship == 2 for pair in pairs]
    print(json.dumps(told), flush=True)
"""

Wish = tuple[str, Value | None]  # a right, and how much of it; None: anything above nothing; or an operation
Relationship = tuple[str, str, str, str, str]  # kind, name, relation, kind, name
Question = tuple[str, str, str]  # kind, name, permission
IT = ("token", "it")


@dataclass(frozen=True)
class Standing:
    """What somebody is told of a wish. `effective` of what hangs on a fact or a target means nothing."""

    granted: bool
    limited: bool
    effective: bool


class Client:
    """SpiceDB in a process of its own, by the Python in whose environment it is installed."""

    def __init__(self, python: Path, library: Path) -> None:
        self.process = subprocess.Popen(
            [python, "-c", PROGRAM], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            env={"SPICEDB_LIBRARY_PATH": str(library)},
        )  # fmt: skip
        self._say(SCHEMA)

    def _say(self, what: object) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(what) + "\n")
        self.process.stdin.flush()

    def ask(self, written: Iterable[Relationship], questions: Sequence[Question]) -> dict[Question, bool]:
        """What comes of relationships that nobody has written before."""
        self._say([list(dict.fromkeys(written)), questions])
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, "SpiceDB has ended: see above"
        return dict(zip(questions, json.loads(line), strict=True))

    def close(self) -> None:
        self.process.communicate(timeout=10)


@dataclass
class Translation:
    """One world in one contract, or in none, at one moment. `name` is before every name in it, and never used again.

    `without` leaves a relation out, to see that it is missed.
    """

    catalog: Catalog
    world: World
    contract: ContractId | None
    at: datetime
    name: str
    without: str | None = None
    written: list[Relationship] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.permissions = {permission.key: permission for permission in self.catalog.permissions}
        self.numbers = {
            one: number
            for number, one in enumerate(
                [*self.permissions, *self.world.users, *self.world.roles, *self.world.teams],
            )
        }
        self.rows = [row for rows in self.world.rows.values() for row in rows if self._counts(row)]
        self._needs = 0
        self._write()
        self.written = [one for one in self.written if one[2] != self.without]

    def _counts(self, row: Any) -> bool:
        """Section 4: the window is half open; in a contract its rows count, and those of none."""
        begins, ends = getattr(row, "valid_from", None), getattr(row, "valid_until", None)
        return (
            row.contract in {None, self.contract}
            and (begins is None or begins <= self.at)
            and (ends is None or self.at < ends)
        )

    # ------------------------------------------------------------------ relationships

    def _relate(self, kind: str, name: str, relation: str, to: tuple[str, str] = IT) -> None:
        self.written.append((kind, name, relation, *to))

    def cell(self, holder: str, node: str, part: object) -> tuple[str, str]:
        place = parts_of(self.permissions[node].value_type).index(part)
        return "cell", f"{self.name}-{self.numbers[holder]}-{self.numbers[node]}-{place}"

    def _write(self) -> None:
        for holder in (*self.world.roles, *self.world.teams):
            self._write_holder(holder)
        for user in self.world.users:
            self._write_holder(user)
            self._write_person(user)
        for product in self._products():
            if self.contract is None or product in self.world.contracts[self.contract].products:
                self._relate("product", f"{self.name}-{product}", "there")
        self._relate("product", f"{self.name}-none", "there")
        self._relate("need", f"{self.name}-none", "always")
        self._relate("seat", f"{self.name}-none", "account_owner")

    def _products(self) -> set[str]:
        nodes = (*self.permissions.values(), *self.catalog.operations)
        return {node.product for node in nodes if node.product is not None}

    def _includes(self, holder: str) -> Iterator[str]:
        for role in self.world.roles.values():
            if role.id == holder:
                yield from role.parents
        for team in self.world.teams.values():
            if team.id == holder and team.parent is not None:
                yield team.parent
        for row in self.rows:
            if isinstance(row, Assignment) and row.holder == holder:
                yield row.role
            if isinstance(row, Membership) and row.user == holder:
                yield row.team

    def _is_archived(self, holder: str) -> bool:
        return {**self.world.roles, **self.world.teams}[holder].archived  # type: ignore[index]

    def _write_holder(self, holder: str) -> None:
        """Section 4: own limits applied to the closure of own grants joined with what everything included has."""
        for inner in self._includes(holder):
            for node, permission in self.permissions.items():
                for part in parts_of(permission.value_type) if not self._is_archived(inner) else ():
                    self._relate(*self.cell(holder, node, part), "from", self.cell(inner, node, part))
        for node, permission in self.permissions.items():
            for implied in permission.implies:
                for part in parts_in(self.permissions[implied.node].value_type, implied.value):
                    for cause in parts_of(permission.value_type):
                        to = self.cell(holder, node, cause)
                        self._relate(*self.cell(holder, implied.node, part), "implied_by", to)
        for row in self.rows:
            if isinstance(row, Grant) and row.holder == holder:
                for part in parts_in(self.permissions[row.node].value_type, row.value):
                    self._relate(*self.cell(holder, row.node, part), "given")
            if isinstance(row, Limit) and row.holder == holder:
                kind = self.permissions[row.node].value_type
                for part in set(parts_of(kind)) - set(parts_in(kind, row.value)):
                    last = "barred" if holder in self.world.users else "cut"
                    self._relate(*self.cell(holder, row.node, part), last)
            if isinstance(row, Access) and row.user == holder:
                (node,) = (p.key for p in self.permissions.values() if p.access_level and p.product == row.product)
                level = Level(1 + LEVELS.index(row.level))
                for part in parts_in(self.permissions[node].value_type, level):
                    self._relate(*self.cell(holder, node, part), "given")

    def _write_person(self, user: str) -> None:
        """Section 5: steps 1, 3, 4 and 6."""
        person = self.world.users[user]  # type: ignore[index]
        contract = None if self.contract is None else self.world.contracts[self.contract]
        owns = person.is_owner or (contract is not None and contract.owner == user)
        seat = f"{self.name}-{self.numbers[user]}"
        if person.status == "ACTIVE":
            self._relate("person", seat, "active")
        if contract is None or person.is_owner:
            self._relate("seat", seat, "account_owner")
        if contract is not None and contract.status == "ACTIVE":
            self._relate("seat", seat, "in_force")
        if contract is not None and any(
            isinstance(row, Access) and row.user == user and row.product in contract.products for row in self.rows
        ):
            self._relate("seat", seat, "level")
        for node, permission in self.permissions.items():
            is_permission = permission.polarity is Polarity.PERMISSION
            for part in parts_of(permission.value_type):
                cell = self.cell(user, node, part)
                if owns and is_permission:
                    self._relate(*cell, "owned")
                if owns and permission.polarity is Polarity.RESTRICTION:
                    self._relate(*cell, "freed")
                self._relate(*cell, "seat", ("seat", seat if is_permission else f"{self.name}-none"))
                self._relate(*cell, "product", ("product", f"{self.name}-{permission.product or 'none'}"))
                rules = [
                    rule.requirement
                    for rule in permission.rules
                    if rule.enforcement == "enforced"
                    and (rule.applies_from is None or reaches(permission.value_type, part, rule.applies_from))
                ]
                is_open = not rules or not self.is_plain(node)
                needs = f"{self.name}-none" if is_open else self._write_all(user, rules)
                self._relate(*cell, "needs", ("need", needs))
        for operation in self.catalog.operations:
            name = self._operation(user, operation)
            self._relate("operation", name, "product", ("product", f"{self.name}-{operation.product or 'none'}"))
            is_plain = self.is_plain(operation.key)
            needs = self._write_need(user, operation.requirement) if is_plain else f"{self.name}-none"
            self._relate("operation", name, "needs", ("need", needs))

    def _operation(self, user: str, operation: Operation) -> str:
        return f"{self.name}-{self.numbers[user]}-{self.catalog.operations.index(operation)}"

    # ------------------------------------------------------------------ requirements

    def is_plain(self, node: str) -> bool:
        """Whether a right or an operation hangs on no fact and on no target, by whatever it needs."""
        if node in self.permissions:
            rules = [rule.requirement for rule in self.permissions[node].rules if rule.enforcement == "enforced"]
        else:
            rules = [operation.requirement for operation in self.catalog.operations if operation.key == node]
        return all(self._is_plain(rule) for rule in rules)

    def _is_plain(self, requirement: Requirement) -> bool:
        match requirement:
            case AllOf() | AnyOf():
                return all(map(self._is_plain, requirement.parts))
            case AtLeast():
                return self.is_plain(requirement.node)
        return False

    def _make_need(self) -> str:
        self._needs += 1
        return f"{self.name}-need{self._needs}"

    def _write_need(self, user: str, requirement: Requirement) -> str:
        match requirement:
            case AllOf():
                return self._write_all(user, requirement.parts)
            case AnyOf():
                name = self._make_need()
                for part in requirement.parts:
                    self._relate("need", name, "any", ("need", self._write_need(user, part)))
                return name
            case AtLeast():
                kind = self.permissions[requirement.node].value_type
                cells = [self.cell(user, requirement.node, part) for part in parts_in(kind, requirement.value)]
                return self._join([self._write_has(cell) for cell in cells])
        raise AssertionError(requirement)

    def _write_has(self, cell: tuple[str, str]) -> str:
        name = self._make_need()
        self._relate("need", name, "has", cell)
        return name

    def _write_all(self, user: str, parts: Iterable[Requirement]) -> str:
        return self._join([self._write_need(user, part) for part in parts])

    def _join(self, needs: Sequence[str]) -> str:
        """The need for all of some."""
        if not needs:
            return f"{self.name}-none"
        joined = needs[0]
        for need in needs[1:]:
            name = self._make_need()
            self._relate("need", name, "left", ("need", joined))
            self._relate("need", name, "right", ("need", need))
            joined = name
        return joined

    # ------------------------------------------------------------------ asking

    def find_standings(self, client: Client, wishes: Sequence[Wish]) -> dict[str, list[Standing] | None]:
        """Of each user how every wish stands; None for whoever is not active."""
        operations = {operation.key: operation for operation in self.catalog.operations}
        questions: dict[Question, None] = {}
        for user in self.world.users:
            questions["person", f"{self.name}-{self.numbers[user]}", "acts"] = None
            for node, permission in self.permissions.items():
                for part in parts_of(permission.value_type):
                    for step in ("granted", "limited", "effective"):
                        questions[*self.cell(user, node, part), step] = None
            for operation in operations.values():
                questions["operation", self._operation(user, operation), "open"] = None
        told = client.ask(self.written, list(questions))

        def stand(user: str, node: str, asked: Value | None) -> Standing:
            if node in operations:
                is_open = told["operation", self._operation(user, operations[node]), "open"]
                return Standing(True, True, is_open)
            kind = self.permissions[node].value_type
            wanted = parts_of(kind) if asked is None else parts_in(kind, asked)
            steps = ("granted", "limited", "effective")
            found = [[told[*self.cell(user, node, part), step] for part in wanted] for step in steps]
            return Standing(*(any(one) if asked is None else all(one) and bool(one) for one in found))

        return {
            user: [stand(user, *wish) for wish in wishes]
            if told["person", f"{self.name}-{self.numbers[user]}", "acts"]
            else None
            for user in self.world.users
        }


def reaches(kind: ValueType, part: Any, threshold: Value) -> bool:
    """Whether a part is at or above a threshold (section 3)."""
    match kind, threshold:
        case LevelType(), Level():
            return bool(part >= threshold.rank)
        case QuantityType(), Quantity():
            assert threshold.amount is not None
            return bool(part <= threshold.amount if kind.descending else part >= threshold.amount)
        case ScopeType(), Scope():
            return threshold.names <= {part, *kind.below.get(part, ())}
    return True


__all__ = ["SCHEMA", "Client", "Permission", "Standing", "Translation", "Wish"]
