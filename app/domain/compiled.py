"""The compiled form of a catalog: bits for composing and asking (HOUSE.md, "Why the engine is fast by design").

Every finite value embeds into bits of one Python integer: a switch is one bit, level k is k ones, a scope is a bit for
each name of the down-set. So join is OR, meet is AND, "at least" is a mask test. Quantities and sets of members travel
beside the integer. Above the bits of rights lies one bit for each atom that is not the subject's own right (a fact, the
target's right), so that a requirement is nothing but masks; it is met by setting the bit, from what is known or from
what is possible.

`tests/oracle.py` computes the same slowly and obviously; property tests compare the two.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from operator import itemgetter
from types import MappingProxyType

from app.domain.catalog import Catalog, Permission, Polarity, is_finite
from app.domain.requirements import (
    AllOf,
    AnyOf,
    AtLeast,
    Enforcement,
    FactHolds,
    Requirement,
    TargetAtLeast,
    iterate_atoms,
)
from app.domain.values import Level, LevelType, Members, Quantity, Scope, ScopeType, Switch, Value, ValueType

_DIGITS = bytes.maketrans(b"01", b"\0\1")
MOST_ENCODED = 10_000  # values that are kept as holdings: some hundred bytes each
Beside = Mapping[int, Value]  # permission number -> a quantity or members above nothing
MOST_RANK = 254  # that is told apart from those above it, and from 255, where ranks are kept as bytes
NOTHING_BESIDE: Beside = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Holding:
    """Values of all permissions at once: the finite ones as bits, the others beside. The empty one is nothing."""

    bits: int = 0
    beside: Beside = field(default_factory=lambda: NOTHING_BESIDE)


NOTHING = Holding()


@dataclass(frozen=True, slots=True)
class Condition:
    """A requirement as masks: each bit of `mask`, each value of `beside`, one condition of each group of `any_of`."""

    mask: int = 0
    beside: tuple[tuple[int, Value], ...] = ()
    any_of: "tuple[tuple[Condition, ...], ...]" = ()


@dataclass(frozen=True, slots=True)
class Step:
    """One enforced rule of one permission: where a value reaches `trigger` and the condition fails, `clear` goes.

    For a permission beside the bits `trigger` and `clear` are 0 and `applies_from` is the threshold (None: any value).
    """

    number: int
    condition: Condition
    trigger: int
    clear: int
    applies_from: Value | None


@dataclass(frozen=True, slots=True)
class Implication:
    """Whoever has any bit of `mask` (or anything beside under `number`) also has `gives`."""

    number: int
    mask: int
    gives: Holding


@dataclass(frozen=True)
class Program:
    """A catalog compiled. `shift[n]` is the lowest bit of permission n, `mask[n]` all its bits (0 where beside)."""

    catalog: Catalog
    types: tuple[ValueType, ...]
    shift: tuple[int, ...]
    mask: tuple[int, ...]
    steps: tuple[Step, ...]
    advice: tuple[Step, ...]
    implications: tuple[Implication, ...]
    atom_bits: Mapping[FactHolds | TargetAtLeast, int]
    operations: Mapping[str, Condition]
    owner_bits: int
    owner_beside: Beside
    restriction_bits: int
    permission_bits: int
    beside_polarity: Mapping[int, Polarity]
    met: int = field(default=0)  # every atom bit set: facts and targets counted as met

    # ------------------------------------------------------------------ single values

    def encode(self, number: int, value: Value) -> Holding:
        """One value as a holding. Those of one value are one: there are few, but for members."""
        known = self._encoded.get((number, value))
        if known is None:
            known = self._encode(number, value)
            if len(self._encoded) < MOST_ENCODED:
                self._encoded[number, value] = known
        return known

    def _encode(self, number: int, value: Value) -> Holding:
        value_type = self.types[number]
        if is_finite(value_type):
            return Holding(_bits_of(value_type, value) << self.shift[number])
        return NOTHING if value == value_type.bottom else Holding(0, {number: value})

    @cached_property
    def _encoded(self) -> dict[tuple[int, Value], Holding]:
        return {}

    def value(self, holding: Holding, number: int) -> Value:
        """The value of permission `number` in a holding."""
        mask = self.mask[number]
        if not mask:
            return holding.beside.get(number, self.types[number].bottom)
        bits, known = (holding.bits & mask) >> self.shift[number], self._values_of_bits[number]
        if bits not in known:
            known[bits] = _value_of(self.types[number], bits)
        return known[bits]

    @cached_property
    def _values_of_bits(self) -> tuple[dict[int, Value], ...]:
        """For each permission the values of its bits, as far as anybody asked: there are few, and they are shared."""
        return tuple({} for _ in self.types)

    def holds_any(self, holding: Holding, number: int) -> bool:
        """Whether the value is above nothing."""
        return bool(holding.bits & self.mask[number]) or number in holding.beside

    def rank(self, holding: Holding) -> bytes:
        """For each permission, by its number, the rank of its value: 0 for nothing, k for level k, else 1."""
        bits = holding.bits & self._all_bits
        digits = f"{bits:0{self._all_bits.bit_length() + 1}b}"[::-1].encode()  # of each bit one letter, the last is 0
        ranks = bytearray(self._lowest_of(digits)).translate(_DIGITS)
        for number, low, high, is_level in self._wide:
            held = digits.count(b"1", low, high)
            ranks[number] = min(held, MOST_RANK if is_level else 1)
        for number in holding.beside:
            ranks[number] = 1
        return bytes(ranks[: len(self.types)])

    @cached_property
    def _all_bits(self) -> int:
        return sum(self.mask)

    @cached_property
    def _lowest_of(self) -> Callable[[bytes], tuple[int, ...]]:
        """Of the digits of all bits those of the lowest bit of each permission; of one beside them a nought."""
        last = self._all_bits.bit_length()
        places = [shift if mask else last for shift, mask in zip(self.shift, self.mask, strict=True)]
        return itemgetter(*places, last, last)  # two at least, or there would be no tuple

    @cached_property
    def _wide(self) -> tuple[tuple[int, int, int, bool], ...]:
        """Each permission of several bits: its number, where these begin and end, and whether they count levels."""
        return tuple(
            (number, shift, shift + mask.bit_count(), isinstance(self.types[number], LevelType))
            for number, (shift, mask) in enumerate(zip(self.shift, self.mask, strict=True))
            if mask.bit_count() > 1
        )

    # ------------------------------------------------------------------ lattice

    def join(self, left: Holding, right: Holding) -> Holding:
        if not right.beside:
            return Holding(left.bits | right.bits, left.beside) if right.bits & ~left.bits else left
        if not left.bits and not left.beside:
            return right
        merged = dict(left.beside)
        for number, value in right.beside.items():
            merged[number] = self.types[number].join(merged[number], value) if number in merged else value
        return Holding(left.bits | right.bits, merged)

    def meet(self, left: Holding, right: Holding) -> Holding:
        """What two holdings have in common."""
        beside = {}
        for number in left.beside.keys() & right.beside.keys():
            value = self.types[number].meet(left.beside[number], right.beside[number])
            if value != self.types[number].bottom:
                beside[number] = value
        return Holding(left.bits & right.bits, beside)

    def limit(self, holding: Holding, number: int, value: Value) -> Holding:
        """A holding with one permission narrowed to at most `value`."""
        if self.mask[number]:
            kept = ~self.mask[number] | self.encode(number, value).bits
            return Holding(holding.bits & kept, holding.beside)
        if number not in holding.beside:
            return holding
        return Holding(
            holding.bits, self._with(holding.beside, number, self.types[number].meet(holding.beside[number], value))
        )

    def _with(self, beside: Beside, number: int, value: Value) -> Beside:
        changed = dict(beside)
        if value == self.types[number].bottom:
            del changed[number]
        else:
            changed[number] = value
        return changed

    def close(self, holding: Holding) -> Holding:
        """The closure of implications, in an order in which one pass suffices."""
        for implication in self.implications:
            if holding.bits & implication.mask or implication.number in holding.beside:
                holding = self.join(holding, implication.gives)
        return holding

    @cached_property
    def givers(self) -> tuple[frozenset[int], ...]:
        """For each permission itself and those that bring it along: it comes by nothing else."""
        found = [frozenset({number}) for number in range(len(self.types))]
        for implication in self.implications:  # what gives comes before what it gives on
            for number in range(len(found)):
                if self.holds_any(implication.gives, number):
                    found[number] |= found[implication.number]
        return tuple(found)

    # ------------------------------------------------------------------ requirements

    def holds(self, condition: Condition, holding: Holding, atoms: int) -> bool:
        """Whether a requirement holds on a holding, `atoms` being the bits of facts and target rights that hold."""
        if (holding.bits | atoms) & condition.mask != condition.mask:
            return False
        for number, asked in condition.beside:
            value_type = self.types[number]
            if not value_type.at_least(holding.beside.get(number, value_type.bottom), asked):
                return False
        if not condition.any_of:
            return True
        return all(any(self.holds(option, holding, atoms) for option in group) for group in condition.any_of)

    def settle(self, holding: Holding, atoms: int) -> Holding:
        """The largest values whose enforced requirements hold on the values that are left: one topological pass."""
        for step in self.steps:
            if step.trigger:
                if holding.bits & step.trigger and not self.holds(step.condition, holding, atoms):
                    holding = Holding(holding.bits & ~step.clear, holding.beside)
            elif step.number in holding.beside and not self.holds(step.condition, holding, atoms):
                value_type = self.types[step.number]
                value, threshold = holding.beside[step.number], step.applies_from
                left = value_type.bottom if threshold is None else value_type.cap_below(value, threshold)
                holding = Holding(holding.bits, self._with(holding.beside, step.number, left))
        return holding

    # ------------------------------------------------------------------ polarity

    def keep_polarity(self, holding: Holding, *, permissions: bool, restrictions: bool) -> Holding:
        """A holding without its permissions, or without its restrictions; settings always stay."""
        bits, beside = holding.bits, holding.beside
        dropped = set()
        if not permissions:
            bits &= ~self.permission_bits
            dropped.add(Polarity.PERMISSION)
        if not restrictions:
            bits &= ~self.restriction_bits
            dropped.add(Polarity.RESTRICTION)
        left = {number: value for number, value in beside.items() if self.beside_polarity[number] not in dropped}
        return Holding(bits, left)

    def own(self, holding: Holding) -> Holding:
        """What an owner has: the top of every permission, no restriction, the same settings."""
        settings = self.keep_polarity(holding, permissions=False, restrictions=False)
        return Holding(settings.bits | self.owner_bits, {**settings.beside, **self.owner_beside})

    def without(self, holding: Holding, numbers: frozenset[int]) -> Holding:
        """A holding with these permissions at nothing."""
        bits = holding.bits
        for number in numbers:
            bits &= ~self.mask[number]
        return Holding(bits, {number: value for number, value in holding.beside.items() if number not in numbers})

    def differing(self, left: Holding, right: Holding) -> tuple[int, ...]:
        """The numbers of the permissions whose values differ, ascending."""
        numbers = self._numbers_in(left.bits ^ right.bits)
        if left.beside or right.beside:
            either = left.beside.keys() | right.beside.keys()
            numbers += [number for number in either if left.beside.get(number) != right.beside.get(number)]
            numbers.sort()
        return tuple(numbers)

    def exceeding(self, holding: Holding, most: Holding) -> tuple[int, ...]:
        """The numbers of the permissions of which there is more than in `most`, ascending."""
        numbers = self._numbers_in(holding.bits & ~most.bits)
        if holding.beside:
            for number, value in holding.beside.items():
                value_type = self.types[number]
                if not value_type.at_least(most.beside.get(number, value_type.bottom), value):
                    numbers.append(number)
            numbers.sort()
        return tuple(numbers)

    def _numbers_in(self, bits: int) -> list[int]:
        """The numbers of the permissions to which any of these bits belongs, ascending."""
        found = []
        while bits:
            number = self._number_at[(bits & -bits).bit_length() - 1]
            found.append(number)
            bits &= ~self.mask[number]
        return found

    @cached_property
    def _number_at(self) -> tuple[int, ...]:
        """The number of the permission to which each bit belongs."""
        return tuple(number for number, mask in enumerate(self.mask) for _ in range(mask.bit_count()))


def compile_catalog(catalog: Catalog) -> Program:
    """The program of a catalog. Compiling does not fail: a catalog is sound."""
    shifts, masks, width = [], [], 0
    for permission in catalog.permissions:
        size = _width(permission.value_type)
        shifts.append(width)
        masks.append(((1 << size) - 1) << width)
        width += size
    outside = [
        atom
        for node in (*catalog.permissions, *catalog.operations)
        for requirement in _requirements(node)
        for atom in iterate_atoms(requirement)
        if not isinstance(atom, AtLeast)
    ] + [
        atom
        for system in catalog.systems
        for obligation in system.obligations
        for requirement in (obligation.when, obligation.unless)
        if requirement is not None
        for atom in iterate_atoms(requirement)
        if not isinstance(atom, AtLeast)
    ]
    atom_bits = {atom: 1 << width + place for place, atom in enumerate(dict.fromkeys(outside))}
    compiler = _Compiler(catalog, tuple(shifts), tuple(masks), atom_bits)
    tops = {
        number: permission
        for number, permission in enumerate(catalog.permissions)
        if permission.polarity is Polarity.PERMISSION
    }
    return Program(
        catalog=catalog,
        types=tuple(permission.value_type for permission in catalog.permissions),
        shift=compiler.shift,
        mask=compiler.mask,
        steps=tuple(compiler.steps(Enforcement.ENFORCED)),
        advice=tuple(compiler.steps(Enforcement.ADVISORY)),
        implications=tuple(compiler.implications()),
        atom_bits=atom_bits,
        operations={operation.key: compiler.condition(operation.requirement) for operation in catalog.operations},
        owner_bits=compiler.bits_where(Polarity.PERMISSION),
        owner_beside={n: p.value_type.top for n, p in tops.items() if not is_finite(p.value_type)},
        restriction_bits=compiler.bits_where(Polarity.RESTRICTION),
        permission_bits=compiler.bits_where(Polarity.PERMISSION),
        beside_polarity={
            n: p.polarity for n, p in enumerate(catalog.permissions) if not is_finite(p.value_type)
        },
        met=sum(atom_bits.values()),
    )  # fmt: skip


@dataclass(frozen=True)
class _Compiler:
    catalog: Catalog
    shift: tuple[int, ...]
    mask: tuple[int, ...]
    atom_bits: Mapping[FactHolds | TargetAtLeast, int]

    def bits_where(self, polarity: Polarity) -> int:
        bits = 0
        for permission, mask in zip(self.catalog.permissions, self.mask, strict=True):
            bits |= mask if permission.polarity is polarity else 0
        return bits

    def encode(self, atom: AtLeast) -> Holding:
        number = self.catalog.number_of[atom.node]
        value_type = self.catalog.permissions[number].value_type
        if is_finite(value_type):
            return Holding(_bits_of(value_type, atom.value) << self.shift[number])
        return Holding(0, {number: atom.value})

    def condition(self, requirement: Requirement) -> Condition:
        if isinstance(requirement, AnyOf):
            return Condition(any_of=(tuple(self.condition(part) for part in requirement.parts),))
        if isinstance(requirement, AllOf):
            mask = 0
            beside: list[tuple[int, Value]] = []
            any_of: list[tuple[Condition, ...]] = []
            for part in (self.condition(part) for part in requirement.parts):
                mask |= part.mask
                beside += part.beside
                any_of += part.any_of
            return Condition(mask, tuple(beside), tuple(any_of))
        if isinstance(requirement, AtLeast):
            asked = self.encode(requirement)
            return Condition(asked.bits, tuple(asked.beside.items()))
        return Condition(self.atom_bits[requirement])

    def steps(self, enforcement: Enforcement) -> list[Step]:
        found = []
        for number, permission in enumerate(self.catalog.permissions):
            value_type, shift = permission.value_type, self.shift[number]
            for rule in permission.rules:
                if rule.enforcement is not enforcement:
                    continue
                trigger = clear = self.mask[number]
                if rule.applies_from is not None and trigger:
                    clear = 0
                    trigger = _trigger(value_type, rule.applies_from) << shift
                    left = value_type.cap_below(value_type.top, rule.applies_from)
                    clear = self.mask[number] & ~(_bits_of(value_type, left) << shift)
                found.append(Step(number, self.condition(rule.requirement), trigger, clear, rule.applies_from))
        return found

    def implications(self) -> list[Implication]:
        """Sorted so that what gives comes before what it gives on, and one pass closes."""
        depth: dict[str, int] = {}

        def measure(permission: Permission) -> int:
            if permission.key not in depth:
                below = [measure(self.catalog.require_permission(implied.node)) for implied in permission.implies]
                depth[permission.key] = 1 + max(below, default=0)
            return depth[permission.key]

        givers = sorted((p for p in self.catalog.permissions if p.implies), key=lambda p: -measure(p))
        return [
            Implication(number, self.mask[number], self.encode(implied))
            for permission in givers
            for number in (self.catalog.number_of[permission.key],)
            for implied in permission.implies
        ]


def _requirements(node: object) -> tuple[Requirement, ...]:
    if isinstance(node, Permission):
        return tuple(rule.requirement for rule in node.rules)
    return (node.requirement,)  # type: ignore[attr-defined]  # permissions and operations only are given


def _width(value_type: ValueType) -> int:
    if isinstance(value_type, LevelType):
        return len(value_type.levels) - 1
    if isinstance(value_type, ScopeType):
        return len(value_type.names)
    return 1 if is_finite(value_type) else 0


def _bits_of(value_type: ValueType, value: Value) -> int:
    match value:
        case Switch():
            return int(value.on)
        case Level():
            return (1 << value.rank) - 1
        case Scope():
            assert isinstance(value_type, ScopeType)
            return sum(1 << place for place, name in enumerate(value_type.names) if name in value.names)
        case Quantity() | Members():
            raise TypeError("quantities and members travel beside the bits")


def _value_of(value_type: ValueType, bits: int) -> Value:
    if isinstance(value_type, LevelType):
        return Level(bits.bit_length())
    if isinstance(value_type, ScopeType):
        return Scope(frozenset(name for place, name in enumerate(value_type.names) if bits >> place & 1))
    return Switch(bool(bits))


def _trigger(value_type: ValueType, applies_from: Value) -> int:
    """The one bit that shows that a value is at least `applies_from`."""
    if isinstance(value_type, ScopeType) and isinstance(applies_from, Scope):
        (name,) = value_type.maximal(applies_from)
        return 1 << value_type.names.index(name)
    bits = _bits_of(value_type, applies_from)
    return 1 << bits.bit_length() - 1
