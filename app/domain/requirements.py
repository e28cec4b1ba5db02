"""What a right needs: monotone expressions over atoms (SEMANTICS section 3).

Atoms are "at least V of node N", "the target has at least V of N" and "fact F holds". There is no negation, so a
requirement that holds goes on holding when somebody is given more, and three-valued evaluation is exact when an unknown
atom is read once as false (what is certain) and once as true (what is possible).
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from app.domain.values import Value


class Enforcement(StrEnum):
    """Whether a requirement is stated by the manual or suggested by good sense. Lower case adjective."""

    ENFORCED = "enforced"
    ADVISORY = "advisory"


class FactTest(StrEnum):
    """How a fact is compared: lower bounds and plain truth only, so that facts are monotone too."""

    ABOVE = ">"
    AT_LEAST = ">="
    TRUE = "is true"


@dataclass(frozen=True, slots=True)
class AtLeast:
    """The subject holds at least `value` of permission `node`."""

    node: str
    value: Value


@dataclass(frozen=True, slots=True)
class TargetAtLeast:
    """The person that the question is about holds at least `value` of permission `node`."""

    node: str
    value: Value


@dataclass(frozen=True, slots=True)
class FactHolds:
    """The fact compares so; `bound` is None for `is true`."""

    fact: str
    test: FactTest
    bound: Decimal | None = None


@dataclass(frozen=True, slots=True)
class AllOf:
    """Every part holds; true when there is none."""

    parts: "tuple[Requirement, ...]"


@dataclass(frozen=True, slots=True)
class AnyOf:
    """Some part holds; false when there is none."""

    parts: "tuple[Requirement, ...]"


Atom = AtLeast | TargetAtLeast | FactHolds
Requirement = AllOf | AnyOf | Atom
Truth = bool | None  # None: unknown


@dataclass(frozen=True, slots=True)
class Rule:
    """A requirement of a whole node (`applies_from` None), or of the values that are at least `applies_from`."""

    requirement: Requirement
    applies_from: Value | None = None
    enforcement: Enforcement = Enforcement.ENFORCED


def iterate_atoms(requirement: Requirement) -> Iterator[Atom]:
    """Every atom of a requirement, left to right; an atom that stands twice comes twice."""
    if isinstance(requirement, AllOf | AnyOf):
        for part in requirement.parts:
            yield from iterate_atoms(part)
    else:
        yield requirement


def evaluate(requirement: Requirement, truth_of: Callable[[Atom], Truth]) -> Truth:
    """Kleene's three values: an unknown atom leaves `any_of(unknown, true)` true and `all_of(unknown, false)` false."""
    if isinstance(requirement, AllOf):
        truths = [evaluate(part, truth_of) for part in requirement.parts]
        if False in truths:
            return False
        return None if None in truths else True
    if isinstance(requirement, AnyOf):
        truths = [evaluate(part, truth_of) for part in requirement.parts]
        if True in truths:
            return True
        return None if None in truths else False
    return truth_of(requirement)


def find_missing(requirement: Requirement, truth_of: Callable[[Atom], Truth]) -> tuple[Requirement, ...]:
    """What stands in the way of a requirement: its unmet atoms, an either-or whole when none of its parts holds."""
    if evaluate(requirement, truth_of) is True:
        return ()
    if isinstance(requirement, AllOf):
        return tuple(missing for part in requirement.parts for missing in find_missing(part, truth_of))
    return (requirement,)


def render_requirement(requirement: Requirement, render_atom: Callable[[Atom], str], *, inner: bool = False) -> str:
    """The expression in words; `and` and `or` inside one another stand in parentheses."""
    if isinstance(requirement, AllOf | AnyOf):
        if len(requirement.parts) == 1:
            return render_requirement(requirement.parts[0], render_atom, inner=inner)
        if not requirement.parts:
            return "nothing" if isinstance(requirement, AllOf) else "what nobody can have"
        word = " and " if isinstance(requirement, AllOf) else " or "
        text = word.join(render_requirement(part, render_atom, inner=True) for part in requirement.parts)
        return f"({text})" if inner else text
    return render_atom(requirement)
