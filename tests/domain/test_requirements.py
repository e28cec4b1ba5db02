"""Requirements: three-valued evaluation, what is missing, and the words for it."""

import itertools
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.requirements import (
    AllOf,
    AnyOf,
    AtLeast,
    Atom,
    Requirement,
    Truth,
    evaluate,
    find_missing,
    iterate_atoms,
    render_requirement,
)
from app.domain.values import Switch

A, B, C, D = (AtLeast(name, Switch(True)) for name in "abcd")


def by(**truths: Truth) -> Callable[[Atom], Truth]:
    """What is known of the atoms, by the letter of their node."""

    def truth_of(atom: Atom) -> Truth:
        assert isinstance(atom, AtLeast)
        return truths[atom.node]

    return truth_of


def render(requirement: Requirement) -> str:
    return render_requirement(requirement, lambda atom: atom.node if isinstance(atom, AtLeast) else "?")


requirements = st.recursive(
    st.sampled_from([A, B, C, D]),
    lambda inner: (
        st.builds(AllOf, st.lists(inner, max_size=3).map(tuple))
        | st.builds(AnyOf, st.lists(inner, max_size=3).map(tuple))
    ),
    max_leaves=8,
)
truths = st.fixed_dictionaries({letter: st.sampled_from([True, False, None]) for letter in "abcd"})


@pytest.mark.parametrize(
    ("left", "right", "both", "either"),
    [
        (True, True, True, True),
        (True, None, None, True),
        (True, False, False, True),
        (None, None, None, None),
        (None, False, False, None),
        (False, False, False, False),
    ],
)
def test_all_of_and_any_of_follow_the_tables_of_kleene(left: Truth, right: Truth, both: Truth, either: Truth) -> None:
    for one, other in ((left, right), (right, left)):
        assert evaluate(AllOf((A, B)), by(a=one, b=other)) is both
        assert evaluate(AnyOf((A, B)), by(a=one, b=other)) is either


def test_all_of_nothing_holds_and_any_of_nothing_fails() -> None:
    assert evaluate(AllOf(()), by()) is True
    assert evaluate(AnyOf(()), by()) is False
    assert evaluate(AllOf((AnyOf(()), A)), by(a=None)) is False
    assert evaluate(AnyOf((AllOf(()), A)), by(a=None)) is True


def read_both_ways(requirement: Requirement, known: dict[str, Truth]) -> set[bool]:
    """What a requirement comes to under every way of making the unknown known, in two values."""
    unknown = [letter for letter, truth in known.items() if truth is None]

    def holds(asked: Requirement, truth: dict[str, bool]) -> bool:
        if isinstance(asked, AllOf):
            return all(holds(part, truth) for part in asked.parts)
        if isinstance(asked, AnyOf):
            return any(holds(part, truth) for part in asked.parts)
        assert isinstance(asked, AtLeast)
        return truth[asked.node]

    return {
        holds(requirement, {k: t for k, t in known.items() if t is not None} | dict(zip(unknown, guess, strict=True)))
        for guess in itertools.product([True, False], repeat=len(unknown))
    }


@given(requirements, truths)
def test_unknown_is_what_could_turn_out_either_way(requirement: Requirement, known: dict[str, Truth]) -> None:
    answers = read_both_ways(requirement, known)
    assert evaluate(requirement, by(**known)) is (None if len(answers) == 2 else answers.pop())


@given(requirements, truths)
def test_a_requirement_holds_once_what_is_missing_holds(requirement: Requirement, known: dict[str, Truth]) -> None:
    missing = find_missing(requirement, by(**known))
    assert (missing == ()) is (evaluate(requirement, by(**known)) is True)
    assert all(evaluate(part, by(**known)) is not True for part in missing)
    named = {atom.node for part in missing for atom in iterate_atoms(part) if isinstance(atom, AtLeast)}
    supplied = known | dict.fromkeys(named, True)
    possible = evaluate(requirement, lambda atom: True) is True
    assert evaluate(requirement, by(**supplied)) is possible


def test_missing_are_the_unmet_atoms_and_an_either_or_whole() -> None:
    asked = AllOf((A, AnyOf((B, C)), AllOf((D,))))
    assert find_missing(asked, by(a=True, b=False, c=True, d=True)) == ()
    assert find_missing(asked, by(a=False, b=False, c=True, d=False)) == (A, D)
    assert find_missing(asked, by(a=False, b=False, c=None, d=True)) == (A, AnyOf((B, C)))
    assert find_missing(asked, by(a=None, b=True, c=False, d=True)) == (A,)
    assert find_missing(AnyOf((A, AllOf((B, C)))), by(a=False, b=True, c=False)) == (AnyOf((A, AllOf((B, C)))),)


def test_every_atom_is_named_from_left_to_right_and_as_often_as_it_stands() -> None:
    assert list(iterate_atoms(AllOf((A, AnyOf((B, AllOf((A, C)))))))) == [A, B, A, C]
    assert list(iterate_atoms(AnyOf(()))) == []


def test_and_inside_or_stands_in_parentheses() -> None:
    assert render(A) == "a"
    assert render(AllOf((A, B, C))) == "a and b and c"
    assert render(AnyOf((A, AllOf((B, C))))) == "a or (b and c)"
    assert render(AllOf((A, AnyOf((B, AllOf((C, D))))))) == "a and (b or (c and d))"


def test_an_expression_of_one_part_reads_as_the_part() -> None:
    assert render(AllOf((AnyOf((A,)), B))) == "a and b"
    assert render(AllOf((AnyOf((AllOf((A, B)),)), C))) == "(a and b) and c"


def test_an_expression_of_no_part_says_what_it_means() -> None:
    assert render(AllOf(())) == "nothing"
    assert render(AnyOf(())) == "what nobody can have"
