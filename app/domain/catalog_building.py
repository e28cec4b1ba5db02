"""From drafts to a sound catalog: every fault of the input at once (SEMANTICS section 3).

A draft is what a catalog file says, not yet believed: references are text, values are text. `build_catalog` resolves
them, numbers the permissions in topological order of requirements, and raises `CatalogFaults` with all that is wrong.
"""

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Literal

from app.domain.catalog import (
    Catalog,
    Fact,
    FactType,
    Group,
    ManualReference,
    Node,
    ObligationKind,
    ObligationRule,
    Operation,
    Permission,
    Polarity,
    Product,
    RoleTemplate,
    System,
)
from app.domain.contracts import ACCESS_LEVEL_TYPE
from app.domain.errors import InvalidValue
from app.domain.requirements import (
    AllOf,
    AnyOf,
    AtLeast,
    Enforcement,
    FactHolds,
    FactTest,
    Requirement,
    Rule,
    TargetAtLeast,
    evaluate,
    iterate_atoms,
)
from app.domain.values import (
    MAX_AMOUNT,
    LevelType,
    MembersType,
    Quantity,
    QuantityType,
    ScopeType,
    Value,
    ValueType,
    plain_name,
)

KEY = re.compile(r"[a-z][a-z0-9_]*(\.[a-z0-9][a-z0-9_]*)*")


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing wrong with a draft: where (file and line, as the reader gave it), which key, what."""

    place: str
    key: str
    message: str

    def __str__(self) -> str:
        return f"{self.place}: {self.key}: {self.message}"


class CatalogFaults(Exception):
    """The input is no catalog, for all these reasons."""

    def __init__(self, faults: Iterable[Fault]) -> None:
        self.faults = tuple(faults)
        super().__init__("\n".join(str(fault) for fault in self.faults))


@dataclass(frozen=True, slots=True)
class DraftAtom:
    """`reference` is a node key, whole or without its system, or the name of a fact."""

    kind: Literal["subject", "target", "fact"]
    reference: str
    value: str | None = None
    test: FactTest | None = None
    bound: Decimal | None = None


@dataclass(frozen=True, slots=True)
class DraftAll:
    parts: "tuple[DraftRequirement, ...]"


@dataclass(frozen=True, slots=True)
class DraftAny:
    parts: "tuple[DraftRequirement, ...]"


DraftRequirement = DraftAll | DraftAny | DraftAtom


@dataclass(frozen=True, slots=True)
class DraftRule:
    requirement: DraftRequirement
    applies_from: str | None = None
    enforcement: Enforcement = Enforcement.ENFORCED


@dataclass(frozen=True, slots=True)
class DraftGrant:
    """A permission and a value of it; None: the smallest value above nothing."""

    reference: str
    value: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DraftNode:
    kind: Literal["group", "permission", "operation"]
    key: str
    label: str
    source: ManualReference
    place: str
    parent: str | None = None
    description: str | None = None
    value_type: ValueType | None = None
    polarity: Polarity = Polarity.PERMISSION
    rules: tuple[DraftRule, ...] = ()
    implies: tuple[DraftGrant, ...] = ()
    product: str | None = None
    access_level: bool = False
    menu_path: tuple[str, ...] = ()
    requirement: DraftRequirement | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DraftObligation:
    kind: ObligationKind
    on: tuple[str, ...]
    place: str
    when: DraftRequirement | None = None
    unless: DraftRequirement | None = None
    fields: tuple[str, ...] = ()
    keep: int | None = None
    values_of: str | None = None
    roles_as_values: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class DraftTemplate:
    key: str
    label: str
    grants: tuple[DraftGrant, ...]
    source: ManualReference
    place: str
    description: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DraftSystem:
    key: str
    label: str
    place: str
    description: str | None = None
    nodes: tuple[DraftNode, ...] = ()
    facts: tuple[tuple[Fact, str], ...] = ()  # each with its place
    products: tuple[tuple[Product, str], ...] = ()
    obligations: tuple[DraftObligation, ...] = ()
    templates: tuple[DraftTemplate, ...] = ()
    renamed: Mapping[str, str] = field(default_factory=dict, hash=False)


def build_catalog(systems: Iterable[DraftSystem], *, digest: str) -> Catalog:
    """The catalog of these drafts. Raises `CatalogFaults` with every fault found."""
    return _Building(tuple(systems)).build(digest)


class _Building:
    """One build: what the drafts name, and the faults found so far."""

    def __init__(self, systems: tuple[DraftSystem, ...]) -> None:
        self.systems = systems
        self.faults: list[Fault] = []
        self.drafts: dict[str, DraftNode] = {}
        self.facts: dict[str, Fact] = {}
        self.products: dict[str, Product] = {}

    def fault(self, place: str, key: str, message: str) -> None:
        self.faults.append(Fault(place, key, message))

    def build(self, digest: str) -> Catalog:
        self._collect()
        nodes = {key: self._node(draft) for key, draft in self.drafts.items()}
        permissions = [node for node in nodes.values() if isinstance(node, Permission)]
        order = self._order(permissions)
        self._check_cycles(permissions, "implies", lambda node: (implied.node for implied in node.implies))
        systems = tuple(self._system(system, nodes) for system in self.systems)
        if self.faults:
            raise CatalogFaults(self.faults)
        catalog = Catalog(systems, tuple(self.products.values()), tuple(order), digest)
        self._check_targets(catalog)
        if self.faults:
            raise CatalogFaults(self.faults)
        return catalog

    # ------------------------------------------------------------------ names

    def _collect(self) -> None:
        self._check_twice("system", ((system.key, system.place) for system in self.systems))
        self._check_twice("node", ((node.key, node.place) for system in self.systems for node in system.nodes))
        self._check_twice("fact", ((fact.name, place) for system in self.systems for fact, place in system.facts))
        self._check_twice("product", ((p.key, place) for system in self.systems for p, place in system.products))
        self._check_twice("template", ((t.key, t.place) for system in self.systems for t in system.templates))
        for system in self.systems:
            self.facts |= {fact.name: fact for fact, _ in system.facts}
            self.products |= {product.key: product for product, _ in system.products}
            self._check_key(system.place, system.key, "")
            for node in system.nodes:
                self._check_key(node.place, node.key, f"{system.key}.")
                self._check_words(node)
                self.drafts.setdefault(node.key, node)
        for node in self.drafts.values():
            parent = self.drafts.get(node.parent) if node.parent else None
            of_system = parent is not None and parent.key.partition(".")[0] == node.key.partition(".")[0]
            if node.parent is not None and (parent is None or parent.kind != "group" or not of_system):
                self.fault(node.place, node.key, f"its parent `{node.parent}` is not a group of this system")
        self._check_circles()

    def _check_circles(self) -> None:
        """Nothing lies in itself; a circle is told once, at the first of its groups."""
        told: set[str] = set()
        for node in self.drafts.values():
            path, above = [node.key], node.parent
            while above in self.drafts and above not in path:
                path.append(above)
                above = self.drafts[above].parent
            if above == node.key and node.key not in told:
                told.update(path)
                self.fault(node.place, node.key, "it lies in itself: " + " > ".join((*path, node.key)))

    def _check_twice(self, what: str, keys: Iterable[tuple[str, str]]) -> None:
        first: dict[str, str] = {}
        for key, place in keys:
            if key in first:
                self.fault(place, key, f"this {what} key stands already at {first[key]}")
            first.setdefault(key, place)

    def _check_key(self, place: str, key: str, prefix: str) -> None:
        if not KEY.fullmatch(key):
            self.fault(
                place, key, "a key is made of lower-case letters, digits and underscores, its parts joined by dots"
            )
        elif not key.startswith(prefix):
            self.fault(place, key, f"the key must begin with `{prefix}`")

    def _check_words(self, node: DraftNode) -> None:
        if not node.label.strip():
            self.fault(node.place, node.key, "the label is empty")
        if not node.source.document.strip() or not node.source.heading.strip():
            self.fault(node.place, node.key, "the manual and the heading that name it are missing")

    def _find(self, system: str, reference: str) -> DraftNode | None:
        return self.drafts.get(reference) or self.drafts.get(f"{system}.{reference}")

    # ------------------------------------------------------------------ nodes

    def _node(self, draft: DraftNode) -> Node:
        system = draft.key.partition(".")[0]
        common = (draft.key, draft.label, draft.description, system, draft.parent, draft.source)
        key, label, description, system, parent, source = common
        if draft.product is not None and draft.product not in self.products:
            self.fault(draft.place, draft.key, f"there is no product `{draft.product}`")
        if draft.kind == "group":
            return Group(key=key, label=label, description=description, system=system, parent=parent, source=source)
        if draft.kind == "operation":
            if draft.requirement is None or draft.requirement in (DraftAll(()), DraftAny(())):
                self.fault(draft.place, draft.key, "an operation needs a requirement")
            requirement = self._requirement(draft, draft.requirement or DraftAll(()), restrictions=True)
            if draft.requirement != DraftAny(()) and evaluate(requirement, lambda atom: True) is not True:
                self.fault(draft.place, draft.key, "nobody can ever do this: an either-or is empty")
            return Operation(
                key=key, label=label, description=description, system=system, parent=parent, source=source,
                menu_path=draft.menu_path, requirement=requirement, product=draft.product,
            )  # fmt: skip
        value_type = draft.value_type
        assert value_type is not None, "a draft of a permission has a value type"
        self._check_value_type(draft, value_type)
        if draft.access_level and (draft.product is None or value_type != ACCESS_LEVEL_TYPE):
            self.fault(draft.place, draft.key, "an access level names a product and has the five access levels")
        return Permission(
            key=key, label=label, description=description, system=system, parent=parent, source=source,
            value_type=value_type, polarity=draft.polarity,
            rules=tuple(self._rules(draft, value_type)), implies=tuple(self._implied(draft)),
            product=draft.product, access_level=draft.access_level,
        )  # fmt: skip

    def _check_value_type(self, draft: DraftNode, value_type: ValueType) -> None:
        def complain(message: str) -> None:
            self.fault(draft.place, draft.key, message)

        names: Collection[str] = ()
        if isinstance(value_type, LevelType):
            names = value_type.levels
            if len(names) < 2:
                complain("a level needs a name for nothing and at least one above it")
        elif isinstance(value_type, ScopeType):
            names = value_type.names
            if not names:
                complain("a scope needs at least one name")
            unknown = (set(value_type.below) | set().union(*value_type.below.values()) | set(value_type.reach)) - set(
                names
            )
            for name in sorted(unknown):
                complain(f"`{name}` is not one of its scopes")
            for name, below in value_type.below.items():
                if name in below:
                    complain(f"the order of scopes has a cycle through `{name}`")
        elif isinstance(value_type, QuantityType):
            highest = MAX_AMOUNT if value_type.maximum is None else value_type.maximum
            if not 0 <= value_type.minimum <= highest <= MAX_AMOUNT:
                complain(f"amounts must lie between 0 and {MAX_AMOUNT}, the minimum not above the maximum")
            if not value_type.unit.strip():
                complain("a quantity needs a unit")
        elif isinstance(value_type, MembersType):
            names = (value_type.options or ()) + value_type.reserved
            if value_type.options == ():
                complain("a closed list of options cannot be empty")
        seen: set[str] = set()
        for name in names:
            if not name.strip() or "," in name:
                complain(f"`{name}` is no name: it is empty or has a comma")
            if plain_name(name) in seen:
                complain(f"the value `{name}` stands twice")
            seen.add(plain_name(name))

    def _rules(self, draft: DraftNode, value_type: ValueType) -> Iterator[Rule]:
        for rule in draft.rules:
            requirement = self._requirement(
                draft, rule.requirement, restrictions=draft.polarity is Polarity.RESTRICTION
            )
            applies_from = None
            if rule.applies_from is not None:
                if isinstance(value_type, MembersType):
                    self.fault(draft.place, draft.key, "a requirement never belongs to one of the members")
                    continue
                try:
                    applies_from = value_type.parse(rule.applies_from)
                except InvalidValue as error:
                    self.fault(
                        draft.place, draft.key, f"a rule applies from {error.message}; expected {error.expected}"
                    )
                    continue
                unlimited = isinstance(applies_from, Quantity) and applies_from.unlimited
                if len(value_type.parts(applies_from)) != 1 or unlimited:
                    self.fault(draft.place, draft.key, f"`{rule.applies_from}` is not one value above nothing")
                    continue
            if evaluate(requirement, lambda atom: True) is not True:
                self.fault(draft.place, draft.key, "nobody can ever reach this value: an either-or is empty")
            yield Rule(requirement, applies_from, rule.enforcement)

    def _implied(self, draft: DraftNode) -> Iterator[AtLeast]:
        for grant in draft.implies:
            implied = self._grant(draft.place, draft.key, draft.key.partition(".")[0], grant)
            if implied is None:
                continue
            if draft.polarity is Polarity.RESTRICTION or self.drafts[implied.node].polarity is not draft.polarity:
                self.fault(
                    draft.place, draft.key, f"it cannot give `{implied.node}` along: polarities differ or restrict"
                )
            else:
                yield implied

    def _grant(self, place: str, key: str, system: str, grant: DraftGrant) -> AtLeast | None:
        """A grantable permission with a value above nothing, or None and a fault."""
        draft = self._find(system, grant.reference)
        if draft is None:
            self.fault(place, key, f"there is no node `{grant.reference}`")
            return None
        if draft.kind != "permission" or draft.access_level:
            self.fault(place, key, f"`{draft.key}` cannot be granted")
            return None
        found = self._atom_value(place, key, draft, grant.value)
        return None if found is None else AtLeast(draft.key, found)

    def _atom_value(self, place: str, key: str, draft: DraftNode, text: str | None) -> Value | None:
        value_type = draft.value_type
        assert value_type is not None
        if text is None:
            least = value_type.least_above_bottom()
            if len(least) == 1 and not isinstance(value_type, MembersType):  # any one member is not what is meant
                return least[0]
            self.fault(place, key, f"say which value of `{draft.key}`: {value_type.expected()}")
            return None
        try:
            value = value_type.parse(text)
        except InvalidValue as error:
            self.fault(place, key, f"of `{draft.key}`: {error.message}; expected {error.expected}")
            return None
        if value == value_type.bottom:
            self.fault(place, key, f"`{text}` of `{draft.key}` is nothing at all")
            return None
        return value

    # ------------------------------------------------------------------ requirements

    def _requirement(self, draft: DraftNode, asked: DraftRequirement, *, restrictions: bool) -> Requirement:
        system = draft.key.partition(".")[0]
        return self._resolve(draft.place, draft.key, system, asked, restrictions=restrictions)

    def _resolve(
        self, place: str, key: str, system: str, asked: DraftRequirement, *, restrictions: bool
    ) -> Requirement:
        if isinstance(asked, DraftAll | DraftAny):
            parts = tuple(self._resolve(place, key, system, part, restrictions=restrictions) for part in asked.parts)
            return AllOf(parts) if isinstance(asked, DraftAll) else AnyOf(parts)
        if asked.kind == "fact":
            return self._fact_atom(place, key, asked)
        found = self._find(system, asked.reference)
        nothing = AllOf(())
        if found is None:
            self.fault(place, key, f"there is no node `{asked.reference}`")
            return nothing
        if found.kind != "permission":
            self.fault(place, key, f"it requires `{found.key}`, which is not a permission")
            return nothing
        if found.polarity is Polarity.RESTRICTION and not restrictions:
            self.fault(place, key, f"it requires the restriction `{found.key}`; only operations and restrictions may")
        value = self._atom_value(place, key, found, asked.value)
        if value is None:
            return nothing
        return TargetAtLeast(found.key, value) if asked.kind == "target" else AtLeast(found.key, value)

    def _fact_atom(self, place: str, key: str, asked: DraftAtom) -> Requirement:
        fact = self.facts.get(asked.reference)
        if fact is None:
            self.fault(place, key, f"there is no fact `{asked.reference}`")
            return AllOf(())
        test = asked.test or FactTest.TRUE
        if (fact.type is FactType.BOOLEAN) != (test is FactTest.TRUE):
            self.fault(place, key, f"the fact `{fact.name}` is of type {fact.type} and cannot be asked `{test}`")
        elif test is not FactTest.TRUE and asked.bound is None:
            self.fault(place, key, f"the fact `{fact.name}` is asked `{test}` and does not say what")
        return FactHolds(fact.name, test, asked.bound)

    # ------------------------------------------------------------------ order

    def _order(self, permissions: list[Permission]) -> list[Permission]:
        """Permissions after all that they require; in the order of the catalog where that leaves a choice."""

        def needs(permission: Permission) -> Iterator[str]:
            for rule in permission.rules:
                for atom in iterate_atoms(rule.requirement):
                    if isinstance(atom, AtLeast):
                        yield atom.node

        self._check_cycles(permissions, "requires", needs)
        by_key = {permission.key: permission for permission in permissions}
        placed: dict[str, Permission] = {}

        def place(permission: Permission, above: frozenset[str]) -> None:
            if permission.key in placed or permission.key in above:
                return
            for key in needs(permission):
                place(by_key[key], above | {permission.key})
            placed[permission.key] = permission

        for permission in permissions:
            place(permission, frozenset())
        return list(placed.values())

    def _check_cycles(
        self, permissions: list[Permission], word: str, leads_to: Callable[[Permission], Iterable[str]]
    ) -> None:
        by_key = {permission.key: permission for permission in permissions}
        done: set[str] = set()

        def walk(key: str, path: tuple[str, ...]) -> None:
            if key in path:
                cycle = (*path[path.index(key) :], key)
                self.fault(self.drafts[key].place, key, f"a cycle in `{word}`: " + " > ".join(cycle))
                return
            if key in done:
                return
            for following in leads_to(by_key[key]):
                walk(following, (*path, key))
            done.add(key)

        for permission in permissions:
            walk(permission.key, ())

    def _check_targets(self, catalog: Catalog) -> None:
        """The other person's right must be decidable without a third person."""
        for node in catalog.nodes.values():
            requirements: tuple[Requirement, ...] = ()
            if isinstance(node, Operation):
                requirements = (node.requirement,)
            elif isinstance(node, Permission):
                requirements = tuple(rule.requirement for rule in node.rules)
            for requirement in requirements:
                for atom in iterate_atoms(requirement):
                    if isinstance(atom, TargetAtLeast) and atom.node in catalog.leaning_on_target:
                        self.fault(
                            self.drafts[node.key].place, node.key,
                            f"it asks the target for `{atom.node}`, which needs a target itself",
                        )  # fmt: skip

    # ------------------------------------------------------------------ systems

    def _system(self, draft: DraftSystem, nodes: Mapping[str, Node]) -> System:
        for old, new in draft.renamed.items():
            if old in self.drafts:
                self.fault(draft.place, old, "it is renamed and still there")
            if new not in self.drafts or self.drafts[new].kind != "permission":
                self.fault(draft.place, old, f"it is renamed to `{new}`, which is not a permission")
        return System(
            key=draft.key,
            label=draft.label,
            description=draft.description,
            nodes=tuple(nodes[node.key] for node in draft.nodes),
            facts=tuple(fact for fact, _ in draft.facts),
            obligations=tuple(self._obligation(draft.key, obligation) for obligation in draft.obligations),
            templates=tuple(self._template(draft.key, template) for template in draft.templates),
            renamed=dict(draft.renamed),
        )

    def _obligation(self, system: str, draft: DraftObligation) -> ObligationRule:
        what = f"obligation {draft.kind}"
        on = []
        for reference in draft.on:
            found = system if reference == system else getattr(self._find(system, reference), "key", None)
            if found is None:
                self.fault(draft.place, what, f"there is no node `{reference}`")
            else:
                on.append(found)
        values_of = None
        if draft.values_of is not None:
            node = self._find(system, draft.values_of)
            if node is None or not isinstance(node.value_type, MembersType):
                self.fault(draft.place, what, f"`{draft.values_of}` is not a permission whose values are members")
            else:
                values_of = node.key
        if draft.kind is ObligationKind.MASK and (not draft.fields or draft.keep is None):
            self.fault(draft.place, what, "a mask says which fields and how many characters to keep")
        if draft.kind is ObligationKind.FILTER_TAGS and draft.values_of is None:
            self.fault(draft.place, what, "a filter by tags says which permission names them")
        if draft.kind is ObligationKind.FILTER_ROLE and not draft.roles_as_values:
            self.fault(draft.place, what, "a filter by role has the subject's roles as values")
        conditions = [
            None if asked is None else self._resolve(draft.place, what, system, asked, restrictions=True)
            for asked in (draft.when, draft.unless)
        ]
        return ObligationRule(
            draft.kind, frozenset(on), conditions[0], conditions[1], draft.fields, draft.keep, values_of,
            draft.roles_as_values,
        )  # fmt: skip

    def _template(self, system: str, draft: DraftTemplate) -> RoleTemplate:
        self._check_key(draft.place, draft.key, f"{system}.")
        grants = (self._grant(draft.place, draft.key, system, grant) for grant in draft.grants)
        return RoleTemplate(
            draft.key, draft.label, draft.description, tuple(grant for grant in grants if grant), draft.source
        )
