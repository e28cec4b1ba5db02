"""The catalog: which rights there are, what each needs, and where a manual says so (SEMANTICS sections 1 to 3).

A catalog is immutable. It is made by `catalog_building.build_catalog`, which reports every fault of its input at once;
what stands here can rely on its being sound. `Catalog.permissions` are numbered in topological order of requirements: a
permission comes after everything its rules name.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property

from app.domain.requirements import (
    AtLeast,
    Atom,
    FactHolds,
    FactTest,
    Requirement,
    Rule,
    TargetAtLeast,
    iterate_atoms,
    render_requirement,
)
from app.domain.values import MembersType, QuantityType, ScopeType, SwitchType, Value, ValueType


class Polarity(StrEnum):
    """Whether more of a right means more may be done, less may be done, or neither. Singular noun."""

    PERMISSION = "permission"
    RESTRICTION = "restriction"
    SETTING = "setting"


class FactType(StrEnum):
    """What a fact's text means. Singular noun."""

    INTEGER = "integer"
    DECIMAL = "decimal"
    BOOLEAN = "boolean"


class FactOwner(StrEnum):
    """To what a fact belongs. Singular noun."""

    CONTRACT = "contract"
    USER = "user"
    SUBSCRIBER_LINK = "subscriber_link"  # known from the link of a person to a subscriber alone; never stored or sent


class ObligationKind(StrEnum):
    """What the one who acts on a yes must do. Upper case, as the contract spells them."""

    MASK = "MASK"
    FILTER_TAGS = "FILTER_TAGS"
    FILTER_ROLE = "FILTER_ROLE"
    SCOPE = "SCOPE"


@dataclass(frozen=True, slots=True)
class ManualReference:
    """Where a manual names a thing."""

    document: str
    heading: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """What every entry of a catalog has; `parent` is the key of a group, None for a group at the top of its system."""

    key: str
    label: str
    description: str | None
    system: str
    parent: str | None
    source: ManualReference


@dataclass(frozen=True, slots=True, kw_only=True)
class Group(Node):
    """A heading of a manual."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Permission(Node):
    """What can be granted, and access levels, which are set and not granted (`access_level`)."""

    value_type: ValueType
    polarity: Polarity
    rules: tuple[Rule, ...]
    implies: tuple[AtLeast, ...]
    product: str | None
    access_level: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation(Node):
    """What somebody does, with the menu path that leads there: never granted, computed from its requirement."""

    menu_path: tuple[str, ...]
    requirement: Requirement
    product: str | None


@dataclass(frozen=True, slots=True)
class Fact:
    """A fact that requirements may lean on."""

    name: str
    type: FactType
    unit: str | None
    owner: FactOwner
    description: str | None
    system: str


@dataclass(frozen=True, slots=True)
class Product:
    """What a contract is concluded about."""

    key: str
    label: str


@dataclass(frozen=True, slots=True)
class ObligationRule:
    """An obligation that goes with a yes on any of the nodes `on` (a group stands for all below it).

    It goes when `when` holds and `unless` does not; what is unknown never lifts it. `values_of` names the members
    permission whose names are the obligation's values; `roles_as_values` puts the keys of the subject's roles there.
    """

    kind: ObligationKind
    on: frozenset[str]
    when: Requirement | None
    unless: Requirement | None
    fields: tuple[str, ...]
    keep: int | None
    values_of: str | None
    roles_as_values: bool


@dataclass(frozen=True, slots=True)
class RoleTemplate:
    """A role that a manual describes, to start a role from."""

    key: str
    label: str
    description: str | None
    grants: tuple[AtLeast, ...]
    source: ManualReference


@dataclass(frozen=True, slots=True)
class System:
    """One manual as data. `nodes` stand in the order of the manual, a group before what lies in it."""

    key: str
    label: str
    description: str | None
    nodes: tuple[Node, ...]
    facts: tuple[Fact, ...]
    obligations: tuple[ObligationRule, ...]
    templates: tuple[RoleTemplate, ...]
    renamed: Mapping[str, str] = field(default_factory=dict, hash=False)


@dataclass(frozen=True)
class Catalog:
    """All systems, sound and numbered. `digest` is the SHA-256 of everything that bears meaning, in hexadecimal."""

    systems: tuple[System, ...]
    products: tuple[Product, ...]
    permissions: tuple[Permission, ...]
    digest: str

    @cached_property
    def nodes(self) -> Mapping[str, Node]:
        return {node.key: node for system in self.systems for node in system.nodes}

    @cached_property
    def systems_by_key(self) -> Mapping[str, System]:
        return {system.key: system for system in self.systems}

    @cached_property
    def products_by_key(self) -> Mapping[str, Product]:
        return {product.key: product for product in self.products}

    @cached_property
    def operations(self) -> tuple[Operation, ...]:
        return tuple(node for node in self.nodes.values() if isinstance(node, Operation))

    @cached_property
    def facts(self) -> Mapping[str, Fact]:
        return {fact.name: fact for system in self.systems for fact in system.facts}

    @cached_property
    def templates(self) -> Mapping[str, RoleTemplate]:
        return {template.key: template for system in self.systems for template in system.templates}

    @cached_property
    def number_of(self) -> Mapping[str, int]:
        return {permission.key: number for number, permission in enumerate(self.permissions)}

    @cached_property
    def access_nodes(self) -> Mapping[str, Permission]:
        """The access-level permission of each product, by product key."""
        return {p.product: p for p in self.permissions if p.access_level and p.product is not None}

    @cached_property
    def children(self) -> Mapping[str, tuple[Node, ...]]:
        """What lies directly in each group, by its key; what lies directly in a system, by the system's key."""
        found: dict[str, list[Node]] = {}
        for node in self.nodes.values():
            found.setdefault(node.parent or node.system, []).append(node)
        return {key: tuple(nodes) for key, nodes in found.items()}

    @cached_property
    def dependents(self) -> Mapping[str, tuple[Node, ...]]:
        """The nodes whose requirement or implication names each permission, in the order of the catalog."""
        found: dict[str, list[Node]] = {}
        for node in self.nodes.values():
            for key in dict.fromkeys(name_needed_nodes(node)):
                found.setdefault(key, []).append(node)
        return {key: tuple(nodes) for key, nodes in found.items()}

    @cached_property
    def target_users(self) -> frozenset[str]:
        """Keys of the nodes that have use for a target: a scope with reach, or a requirement on the other person."""
        reaching = frozenset(permission.key for permission in self.permissions if has_reach(permission))
        return reaching | self.leaning_on_target

    @cached_property
    def leaning_on_target(self) -> frozenset[str]:
        """Keys of the nodes whose requirement asks something of the other person, by itself or further down."""
        return self._leaning_on(lambda atom: isinstance(atom, TargetAtLeast))

    @cached_property
    def subscriber_users(self) -> frozenset[str]:
        """Keys of the nodes that have use for a target subscriber: those that lean on the link to one."""
        return self._leaning_on(
            lambda atom: isinstance(atom, FactHolds) and self.facts[atom.fact].owner is FactOwner.SUBSCRIBER_LINK
        )

    def _leaning_on(self, wanted: Callable[[Atom], bool]) -> frozenset[str]:
        """Nodes that lean on a wanted atom, by themselves or through what they require."""
        found: set[str] = set()
        for node in (*self.permissions, *self.operations):  # permissions come in order of requirement
            atoms = tuple(iterate_needed_atoms(node))
            if any(wanted(atom) or (isinstance(atom, AtLeast) and atom.node in found) for atom in atoms):
                found.add(node.key)
        return frozenset(found)

    def permission(self, key: str) -> Permission | None:
        node = self.nodes.get(key)
        return node if isinstance(node, Permission) else None

    def require_permission(self, key: str) -> Permission:
        """The permission of a key that is known to be one; `KeyError` otherwise."""
        return self.permissions[self.number_of[key]]

    def path_of(self, node: Node) -> tuple[str, ...]:
        """Labels from the system down to the node."""
        labels = [node.label]
        while node.parent is not None:
            node = self.nodes[node.parent]
            labels.append(node.label)
        labels.append(self.systems_by_key[node.system].label)
        return tuple(reversed(labels))

    def expand(self, keys: Iterable[str]) -> Iterator[str]:
        """These permissions and operations, each system or group among them replaced by all that lies below it."""
        for key in keys:
            if key in self.children or isinstance(self.nodes.get(key), Group):
                yield from self.expand(node.key for node in self.children.get(key, ()))
            else:
                yield key

    @cached_property
    def obligations_of(self) -> Mapping[str, tuple[ObligationRule, ...]]:
        """The obligations that may go with a yes on each node."""
        found: dict[str, list[ObligationRule]] = {}
        for system in self.systems:
            for rule in system.obligations:
                for key in dict.fromkeys(self.expand(sorted(rule.on))):
                    found.setdefault(key, []).append(rule)
        return {key: tuple(rules) for key, rules in found.items()}

    def render_value(self, key: str, value: Value) -> str:
        return self.require_permission(key).value_type.print(value)

    def render_atom(self, atom: Atom) -> str:
        """An atom in the words of its manual: `Users: Modify`; a switch by its label alone, any amount as `set`."""
        if isinstance(atom, FactHolds):
            if atom.test is FactTest.TRUE:
                return atom.fact
            return f"{atom.fact} {atom.test} {atom.bound}"
        permission = self.require_permission(atom.node)
        whose = "the target's " if isinstance(atom, TargetAtLeast) else ""
        if isinstance(permission.value_type, SwitchType):
            return f"{whose}{permission.label}"
        if isinstance(permission.value_type, QuantityType) and atom.value in permission.value_type.least_above_bottom():
            return f"{whose}{permission.label} set"  # the manuals' words for "any amount at all"
        return f"{whose}{permission.label}: {permission.value_type.print(atom.value)}"

    def render(self, requirement: Requirement) -> str:
        return render_requirement(requirement, self.render_atom)


def iterate_needed_atoms(node: Node) -> Iterator[Atom]:
    """The atoms of a node's enforced requirements."""
    if isinstance(node, Operation):
        yield from iterate_atoms(node.requirement)
    elif isinstance(node, Permission):
        for rule in node.rules:
            if rule.enforcement == "enforced":
                yield from iterate_atoms(rule.requirement)


def name_needed_nodes(node: Node) -> Iterator[str]:
    """The permissions that a node's requirements, advisory ones too, and implications name."""
    requirements: tuple[Requirement, ...] = ()
    if isinstance(node, Operation):
        requirements = (node.requirement,)
    elif isinstance(node, Permission):
        requirements = tuple(rule.requirement for rule in node.rules)
        yield from (implied.node for implied in node.implies)
    for requirement in requirements:
        for atom in iterate_atoms(requirement):
            if isinstance(atom, AtLeast | TargetAtLeast):
                yield atom.node


def has_reach(permission: Permission) -> bool:
    """Whether the values of a permission cover people, so that a check of it may take a target."""
    return isinstance(permission.value_type, ScopeType) and bool(permission.value_type.reach)


def is_open_ended(permission: Permission) -> bool:
    """Whether a plain yes leaves open how far the right goes: scopes and members (SEMANTICS section 5)."""
    return isinstance(permission.value_type, ScopeType | MembersType)


def is_finite(value_type: ValueType) -> bool:
    """Whether the values of a type embed into a few bits."""
    return not isinstance(value_type, QuantityType | MembersType)
