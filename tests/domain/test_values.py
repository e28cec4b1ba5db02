"""The lattices: every law of every value type, text that is faithful, and values that are refused."""

import itertools
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.domain.errors import ErrorCode, InvalidValue
from app.domain.values import (
    MAX_AMOUNT,
    MAX_MEMBER_LENGTH,
    MAX_MEMBERS,
    Level,
    LevelType,
    Members,
    MembersType,
    Quantity,
    QuantityType,
    Reach,
    Scope,
    ScopeType,
    Switch,
    SwitchType,
    Value,
    ValueInput,
    ValueType,
    order_scopes,
)
from tests import oracle
from tests.worlds import VALUE_TYPES, scope_type

SWITCH = SwitchType()
LEVEL = LevelType(("None", "View only", "Modify", "Modify and delete"))
SCOPE = scope_type(
    "own queue group all",
    "own<queue own<group queue<all group<all",
    {"own": Reach.OWN, "queue": Reach.SAME_QUEUE, "group": Reach.SAME_GROUP, "all": Reach.ALL},
)
SIDE_BY_SIDE = scope_type("queues anonymous identified")
CHANNELS = QuantityType("channels", 1, 5)
UNBOUNDED = QuantityType("channels")
SECONDS = QuantityType("seconds", 0, 5, descending=True)
TIMEOUT = QuantityType("seconds", 2, descending=True)
LISTED = MembersType(("a", "b", "c"), ("assigned IVR numbers",))
OPEN = MembersType(None, ("assigned IVR numbers",))
TYPES = (SWITCH, LEVEL, SCOPE, SIDE_BY_SIDE, CHANNELS, UNBOUNDED, SECONDS, TIMEOUT, LISTED, OPEN, *VALUE_TYPES)


def name_of(kind: ValueType) -> str:
    """A name for a test's id, the same in every process: sets print in an order of their own."""
    return f"scopes {' '.join(kind.names)}" if isinstance(kind, ScopeType) else str(kind)


FINITE = tuple(kind for kind in TYPES if not isinstance(kind, MembersType))

# Names with everything that text could stumble over: commas, quotes, symbols, words with a meaning of their own.
awkward_words = ("all", "none", "full", "All", "unset", '"', "+33 1 23", "assigned IVR numbers", "\\u0041", "{}", "1")
awkward_names = st.text(st.sampled_from(list('ab,"\\ é-')), min_size=1, max_size=4).filter(
    lambda name: name == name.strip()
) | st.sampled_from(awkward_words)


def values_of(kind: ValueType) -> st.SearchStrategy[Value]:
    """Any value of a type, bottom and top now and then."""
    ends = st.sampled_from([kind.bottom, kind.top])
    match kind:
        case SwitchType():
            return ends
        case LevelType():
            return st.builds(Level, st.integers(0, len(kind.levels) - 1))
        case ScopeType():
            return st.builds(kind.down, st.sets(st.sampled_from(kind.names)))
        case QuantityType():
            highest = MAX_AMOUNT if kind.maximum is None else kind.maximum
            near = st.integers(kind.minimum, min(highest, kind.minimum + 4))
            return ends | st.builds(Quantity, near | st.integers(kind.minimum, highest))
        case MembersType():
            names = awkward_names if kind.options is None else st.sampled_from((*kind.options, *kind.reserved))
            return ends | st.builds(Members, st.frozensets(names, max_size=4))
    raise TypeError(kind)


any_type = st.sampled_from(TYPES)


@st.composite
def typed(draw: st.DrawFn, count: int) -> tuple[ValueType, tuple[Value, ...]]:
    """A type and so many values of it."""
    kind = draw(any_type)
    strategy = values_of(kind)
    return kind, tuple(draw(strategy) for _ in range(count))


# ---------------------------------------------------------------------- laws


@given(typed(3))
def test_join_and_meet_are_those_of_a_lattice(drawn: tuple[ValueType, tuple[Value, ...]]) -> None:
    kind, (a, b, c) = drawn
    for combine, other in ((kind.join, kind.meet), (kind.meet, kind.join)):
        assert combine(a, combine(b, c)) == combine(combine(a, b), c)
        assert combine(a, b) == combine(b, a)
        assert combine(a, a) == a
        assert combine(a, other(a, b)) == a
    assert kind.meet(a, kind.join(b, c)) == kind.join(kind.meet(a, b), kind.meet(a, c))


@given(typed(1))
def test_bottom_and_top_are_the_ends(drawn: tuple[ValueType, tuple[Value, ...]]) -> None:
    kind, (a,) = drawn
    assert kind.bottom != kind.top
    assert kind.join(a, kind.bottom) == a
    assert kind.meet(a, kind.bottom) == kind.bottom
    assert kind.join(a, kind.top) == kind.top
    assert kind.meet(a, kind.top) == a


@given(typed(3))
def test_the_order_agrees_with_join_and_with_meet(drawn: tuple[ValueType, tuple[Value, ...]]) -> None:
    kind, (a, b, c) = drawn
    assert kind.at_least(a, b) is (kind.join(a, b) == a)
    assert kind.at_least(a, b) is (kind.meet(a, b) == b)
    assert kind.at_least(a, a)
    assert not (kind.at_least(a, b) and kind.at_least(b, a)) or a == b
    assert not (kind.at_least(a, b) and kind.at_least(b, c)) or kind.at_least(a, c)
    assert kind.at_least(kind.join(a, b), a)
    assert kind.at_least(a, kind.meet(a, b))


@given(typed(2))
def test_the_oracle_orders_and_combines_alike(drawn: tuple[ValueType, tuple[Value, ...]]) -> None:
    kind, (a, b) = drawn
    assert kind.at_least(a, b) is oracle.is_at_least(kind, a, b)
    assert kind.join(a, b) == oracle.join(kind, a, b)
    assert kind.meet(a, b) == oracle.meet(kind, a, b)


@given(typed(1))
def test_parts_join_to_the_value_and_are_no_joins_themselves(drawn: tuple[ValueType, tuple[Value, ...]]) -> None:
    kind, (a,) = drawn
    parts = kind.parts(a)
    assert oracle.join_all(kind, list(parts)) == a
    assert (parts == ()) is (a == kind.bottom)
    assert all(kind.parts(part) == (part,) for part in parts)
    assert not any(kind.at_least(one, other) for one in parts for other in parts if one is not other)


@given(typed(3))
def test_whoever_has_a_join_of_two_has_each_part_from_one_of_them(drawn: tuple[ValueType, tuple[Value, ...]]) -> None:
    kind, (a, b, c) = drawn
    for part in kind.parts(c):
        if part == kind.top and isinstance(kind, MembersType):
            continue  # `all` is no join of names, however many
        assert kind.at_least(kind.join(a, b), part) is (kind.at_least(a, part) or kind.at_least(b, part))


@given(typed(1))
def test_everything_above_nothing_has_one_of_the_least_values(drawn: tuple[ValueType, tuple[Value, ...]]) -> None:
    kind, (a,) = drawn
    least = kind.least_above_bottom()
    assert kind.bottom not in least
    assert len(set(least)) == len(least) > 0
    assert not any(kind.at_least(one, other) for one in least for other in least if one is not other)
    if kind != OPEN and not (isinstance(kind, MembersType) and kind.options is None):
        assert (a != kind.bottom) is any(kind.at_least(a, smallest) for smallest in least)


def small_values(kind: ValueType) -> list[Value]:
    """Every value of a type; of an unbounded quantity those near its minimum and the largest."""
    return oracle.values_up_to(kind, kind.top if not _is_turned_without_end(kind) else Quantity(2))


def _is_turned_without_end(kind: ValueType) -> bool:
    return isinstance(kind, QuantityType) and kind.descending and kind.maximum is None


@pytest.mark.parametrize("kind", FINITE, ids=name_of)
def test_cap_below_is_the_largest_value_that_does_not_reach_the_threshold(kind: ValueType) -> None:
    values = small_values(kind)
    for threshold in values:
        if len(kind.parts(threshold)) != 1 or threshold == Quantity(unlimited=True):
            continue
        for value in values:
            allowed = [v for v in values if kind.at_least(value, v) and not kind.at_least(v, threshold)]
            # An unlimited quantity has amounts beyond those listed, but none between a threshold and the next below.
            if isinstance(kind, QuantityType) and threshold == Quantity(oracle.HIGHEST_LISTED) and kind.maximum is None:
                continue
            assert kind.cap_below(value, threshold) == oracle.largest(kind, allowed)


def test_an_unlimited_amount_is_capped_right_below_a_threshold() -> None:
    assert UNBOUNDED.cap_below(Quantity(unlimited=True), Quantity(7)) == Quantity(6)
    assert UNBOUNDED.cap_below(Quantity(unlimited=True), Quantity(0)) == Quantity()
    assert TIMEOUT.cap_below(Quantity(2), Quantity(7)) == Quantity(8)
    assert TIMEOUT.cap_below(Quantity(unlimited=True), Quantity(7)) == Quantity(unlimited=True)
    assert SECONDS.cap_below(Quantity(0), Quantity(5)) == Quantity()


def test_the_least_of_the_turned_order_without_maximum_is_unlimited_and_cannot_be_capped_but_to_nothing() -> None:
    assert TIMEOUT.least_above_bottom() == (Quantity(unlimited=True),)
    assert TIMEOUT.cap_below(Quantity(3), Quantity(unlimited=True)) == Quantity()


def test_one_of_the_members_is_never_a_threshold() -> None:
    with pytest.raises(TypeError, match="never belongs to one of the members"):
        LISTED.cap_below(Members(frozenset("ab")), Members(frozenset("a")))


# ---------------------------------------------------------------------- the orders that the specification names


def test_descending_amounts_turn_and_unset_stays_below_them() -> None:
    rising = [Quantity(), Quantity(5), Quantity(3), Quantity(0)]
    assert [SECONDS.bottom, *SECONDS.least_above_bottom()] == rising[:2]
    assert SECONDS.top == rising[-1]
    for lower, higher in itertools.pairwise(rising):
        assert SECONDS.at_least(higher, lower)
        assert not SECONDS.at_least(lower, higher)
        assert SECONDS.join(lower, higher) == higher
        assert SECONDS.meet(lower, higher) == lower
    unlimited = Quantity(unlimited=True)
    assert TIMEOUT.at_least(Quantity(MAX_AMOUNT), unlimited)
    assert TIMEOUT.at_least(unlimited, Quantity())
    assert not TIMEOUT.at_least(unlimited, Quantity(MAX_AMOUNT))
    assert not TIMEOUT.at_least(Quantity(), unlimited)


def test_unset_is_not_zero() -> None:
    assert not UNBOUNDED.at_least(Quantity(), Quantity(0))
    assert UNBOUNDED.at_least(Quantity(0), Quantity())
    assert UNBOUNDED.print(Quantity()) == "unset"
    assert UNBOUNDED.print(Quantity(0)) == "0 channels"


def test_a_scope_holds_the_names_below_it_and_prints_its_maximal_ones() -> None:
    both = SCOPE.join(SCOPE.down(["queue"]), SCOPE.down(["group"]))
    assert both == Scope(frozenset({"own", "queue", "group"}))
    assert SCOPE.print(both) == "queue, group"
    assert not SCOPE.at_least(both, SCOPE.down(["all"]))
    assert SCOPE.meet(SCOPE.down(["queue"]), SCOPE.down(["group"])) == SCOPE.down(["own"])
    assert SCOPE.print(SCOPE.top) == "all"
    assert SIDE_BY_SIDE.print(SIDE_BY_SIDE.top) == "queues, anonymous, identified"
    assert SIDE_BY_SIDE.least_above_bottom() == tuple(Scope(frozenset([name])) for name in SIDE_BY_SIDE.names)
    assert SCOPE.least_above_bottom() == (Scope(frozenset(["own"])),)


def test_the_order_of_scopes_is_transitive_and_shows_a_cycle() -> None:
    pairs = [("b", "c"), ("a", "b"), ("c", "d")]
    assert order_scopes("abcd", pairs) == {
        "a": frozenset(), "b": frozenset("a"), "c": frozenset("ab"), "d": frozenset("abc"),
    }  # fmt: skip
    assert "a" in order_scopes("abc", [("a", "b"), ("b", "c"), ("c", "a")])["a"]


def test_all_members_are_more_than_any_list_of_names() -> None:
    everyone = LISTED.join(Members(frozenset("abc")), Members(frozenset(["assigned IVR numbers"])))
    assert not LISTED.at_least(everyone, LISTED.top)
    assert LISTED.at_least(LISTED.top, everyone)
    assert LISTED.meet(LISTED.top, everyone) == everyone


@given(typed(1), any_type)
def test_values_of_another_type_are_a_programming_error(
    drawn: tuple[ValueType, tuple[Value, ...]], other: ValueType
) -> None:
    kind, (value,) = drawn
    if kind.kind == other.kind:
        return
    operations: tuple[Callable[[Value, Value], object], ...] = (other.join, other.meet, other.at_least)
    for combine in operations:
        with pytest.raises(TypeError):
            combine(other.top, value)
        with pytest.raises(TypeError):
            combine(value, other.top)
    with pytest.raises(InvalidValue):
        other.check(value)


# ---------------------------------------------------------------------- text


@settings(max_examples=500)
@given(typed(1))
def test_text_is_a_faithful_form_of_every_value(drawn: tuple[ValueType, tuple[Value, ...]]) -> None:
    kind, (value,) = drawn
    kind.check(value)
    assert kind.parse(kind.print(value)) == value


@pytest.mark.parametrize("kind", TYPES, ids=name_of)
def test_full_and_none_name_the_ends_of_every_type(kind: ValueType) -> None:
    assert kind.parse("full") == kind.top
    assert kind.parse("none") == kind.bottom
    assert ValueInput("full", True).read(kind) == kind.top
    assert ValueInput("none", True).read(kind) == kind.bottom


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        (SWITCH, " On ", Switch(True)),
        (SWITCH, "false", Switch(False)),
        (LEVEL, "view-only", Level(1)),
        (LEVEL, "MODIFY_AND  delete", Level(3)),
        (SCOPE, "Group,  QUEUE", Scope(frozenset({"own", "queue", "group"}))),
        (CHANNELS, "3", Quantity(3)),
        (CHANNELS, " 3  Channels ", Quantity(3)),
        (UNBOUNDED, "Unlimited", Quantity(unlimited=True)),
        (UNBOUNDED, "unset", Quantity()),
        (LISTED, "b , a", Members(frozenset("ab"))),
        (LISTED, "", Members()),
        (LISTED, "all", Members(all=True)),
        (OPEN, '"all", "x, y"', Members(frozenset({"all", "x, y"}))),
        (OPEN, "assigned IVR numbers, +33 1", Members(frozenset({"assigned IVR numbers", "+33 1"}))),
    ],
)
def test_text_is_read_as_people_write_it(kind: ValueType, text: str, value: Value) -> None:
    assert kind.parse(text) == value


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        (SWITCH, "maybe"), (SWITCH, ""), (LEVEL, "view"), (LEVEL, ""), (LEVEL, "1"),
        (SCOPE, "team"), (SCOPE, "own,"), (SCOPE, "all, none"), (SCOPE, ""),
        (CHANNELS, "0"), (CHANNELS, "6"), (CHANNELS, "unlimited"), (CHANNELS, "3 seconds"), (CHANNELS, "-1"),
        (CHANNELS, "1.0"), (CHANNELS, "\u0661"), (CHANNELS, "channels"), (CHANNELS, ""),
        (UNBOUNDED, str(MAX_AMOUNT + 1)), (UNBOUNDED, "9" * 11),
        (LISTED, "d"), (LISTED, "a,,b"), (LISTED, "A"), (LISTED, '"a" b'), (LISTED, '"a'), (LISTED, "1"),
        (OPEN, "x" * (MAX_MEMBER_LENGTH + 1)), (OPEN, "a\x00b"), (OPEN, '""'),
    ],
)  # fmt: skip
def test_text_that_is_no_value_is_refused_with_what_was_expected(kind: ValueType, text: str) -> None:
    with pytest.raises(InvalidValue) as refusal:
        kind.parse(text)
    assert refusal.value.code is ErrorCode.INVALID_VALUE
    assert refusal.value.expected == kind.expected() != ""
    assert str(refusal.value).startswith("`")


# ---------------------------------------------------------------------- values as clients give them


@pytest.mark.parametrize(
    ("field", "given_value", "kind", "value"),
    [
        ("on", True, SWITCH, Switch(True)),
        ("on", False, SWITCH, Switch(False)),
        ("level", "view only", LEVEL, Level(1)),
        ("scopes", ["group", "Own"], SCOPE, Scope(frozenset({"own", "group"}))),
        ("scopes", [], SCOPE, Scope()),
        ("amount", 3, CHANNELS, Quantity(3)),
        ("members", ["a", "assigned IVR numbers"], LISTED, Members(frozenset({"a", "assigned IVR numbers"}))),
        ("members", ["x, y"], OPEN, Members(frozenset({"x, y"}))),
        ("text", "modify", LEVEL, Level(2)),
        ("text", "all", SCOPE, SCOPE.top),
    ],
)
def test_a_field_that_fits_gives_the_value(field: str, given_value: object, kind: ValueType, value: Value) -> None:
    assert ValueInput(field, given_value).read(kind) == value


@pytest.mark.parametrize(
    ("field", "given_value", "kind", "complaint"),
    [
        ("on", True, LEVEL, "`on` does not fit this right"),
        ("level", "modify", SWITCH, "`level` does not fit this right"),
        ("level", "none such", LEVEL, "`none such` is not a value of this right"),
        ("scopes", ["own"], LISTED, "`scopes` does not fit this right"),
        ("scopes", ["own", " team "], SCOPE, "`team` is not a value of this right"),
        ("amount", 3, SCOPE, "`amount` does not fit this right"),
        ("amount", 0, CHANNELS, "`0` is not a value of this right"),
        ("amount", 6, CHANNELS, "`6` is not a value of this right"),
        ("amount", MAX_AMOUNT + 1, UNBOUNDED, f"`{MAX_AMOUNT + 1}` is not a value of this right"),
        ("amount", -1, UNBOUNDED, "`-1` is not a value of this right"),
        ("members", ["d"], LISTED, "`d` is not a value of this right"),
        ("members", [""], OPEN, "`` is not a value of this right"),
        ("members", [" a"], OPEN, "` a` is not a value of this right"),
        ("members", ["x" * 129], OPEN, f"`{'x' * 129}` is not a value of this right"),
        ("members", ["a"], SCOPE, "`members` does not fit this right"),
        ("members", [str(n) for n in range(MAX_MEMBERS + 1)], OPEN, "`1001 names` is not a value of this right"),
        ("full", False, SWITCH, "`full` does not fit this right"),
        ("none", False, SWITCH, "`none` does not fit this right"),
        ("text", "sometimes", SWITCH, "`sometimes` is not a value of this right"),
    ],
)
def test_a_field_that_does_not_fit_is_refused(field: str, given_value: object, kind: ValueType, complaint: str) -> None:
    with pytest.raises(InvalidValue) as refusal:
        ValueInput(field, given_value).read(kind)
    assert str(refusal.value) == complaint
    assert refusal.value.expected == kind.expected()


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        (LEVEL, Level(4)), (LEVEL, Level(-1)),
        (SCOPE, Scope(frozenset(["group"]))), (SCOPE, Scope(frozenset(["team"]))),
        (CHANNELS, Quantity(0)), (CHANNELS, Quantity(unlimited=True)), (UNBOUNDED, Quantity(3, unlimited=True)),
        (LISTED, Members(frozenset("a"), all=True)), (LISTED, Members(frozenset("z"))),
    ],
)  # fmt: skip
def test_a_value_out_of_bounds_is_refused(kind: ValueType, value: Value) -> None:
    with pytest.raises(InvalidValue):
        kind.check(value)
