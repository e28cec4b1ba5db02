"""PATCH as data in, data out: what operations are, and what they make of a group's members."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.web.scim.faults import ScimFault
from app.web.scim.patches import (
    MAX_OPERATIONS,
    MAX_OTHERS,
    MAX_REMOVED,
    MembersPatch,
    apply_operations,
    read_members,
    read_operations,
    split_members,
)
from app.web.scim.resources import MAX_VALUES, Group, Person, RoleValue

CORE = "urn:ietf:params:scim:schemas:core:2.0:"
PATCH = "urn:ietf:params:scim:api:messages:2.0:PatchOp"


def refuse(*operations: Any, model: type[Person] | type[Group] = Person, **body: Any) -> tuple[int, str | None, str]:
    with pytest.raises(ScimFault) as refused:
        split_members(read_operations(model, {"schemas": [PATCH], "Operations": list(operations), **body}))
    return refused.value.status, refused.value.scim_type, refused.value.detail


def patch_members(*operations: dict[str, Any]) -> MembersPatch:
    others, members = split_members(read_operations(Group, {"Operations": list(operations)}))
    assert others == ()
    return members


# ---------------------------------------------------------------------- what is none


@pytest.mark.parametrize("op", ["frob", "", None, 7, "test", "move", "add ", "removeAll"])
def test_an_unknown_operation_is_an_error_and_never_done_in_silence(op: object) -> None:
    status, scim_type, detail = refuse({"op": op, "path": "active", "value": False})

    assert (status, scim_type) == (400, "invalidSyntax")
    assert detail.startswith("`op` must be `add`, `remove` or `replace`")


def test_one_unknown_operation_among_good_ones_is_enough() -> None:
    assert refuse({"op": "add", "path": "title", "value": "x"}, {"value": "x"})[:2] == (400, "invalidSyntax")


@pytest.mark.parametrize(
    ("operation", "scim_type"),
    [
        ({"op": "remove"}, "noTarget"),
        ({"op": "remove", "path": ""}, "noTarget"),
        ({"op": "add", "path": "displayName"}, "invalidValue"),
        ({"op": "add", "path": "displayName", "value": None}, "invalidValue"),
        ({"op": "replace", "path": "displayName"}, "invalidValue"),
        ({"op": "replace", "value": "x"}, "invalidValue"),
        ({"op": "replace", "value": [{"active": False}]}, "invalidValue"),
        ({"op": "replace", "path": 7, "value": "x"}, "invalidPath"),
        ({"op": "replace", "path": "frob", "value": "x"}, "invalidPath"),
        ({"op": "replace", "path": f"{CORE}User:frob", "value": "x"}, "invalidPath"),
        ({"op": "replace", "path": 'frob[type eq "work"].value', "value": "x"}, "invalidPath"),
        ({"op": "replace", "path": "members", "value": []}, "invalidPath"),
        ({"op": "replace", "value": {"frob": 1}}, "invalidSyntax"),
        ({"op": "add", "path": "roles", "value": [{"value": "x"}] * (MAX_VALUES + 1)}, "tooMany"),
        ("replace", "invalidSyntax"),
    ],
)
def test_what_is_no_operation_is_refused_with_its_keyword(operation: Any, scim_type: str) -> None:
    assert refuse(operation)[:2] == (400, scim_type)


@pytest.mark.parametrize("body", [{"Operations": []}, {"Operations": None}, {"Operations": {}}])
def test_a_body_without_operations_is_refused(body: dict[str, Any]) -> None:
    assert refuse(**body)[:2] == (400, "invalidSyntax")


def test_a_body_of_another_schema_is_refused() -> None:
    assert refuse({"op": "add", "path": "title", "value": 1}, schemas=[f"{CORE}User"])[:2] == (400, "invalidSyntax")


def test_filters_are_held_against_so_many_values_at_most() -> None:
    """Each is compared with each, while nobody else is served and nobody else writes."""
    many = {"op": "add", "path": "roles", "value": [{"value": str(index)} for index in range(MAX_VALUES)]}
    either = " or ".join(['value eq "x"'] * 50)
    few = read_operations(Person, {"Operations": [many, {"op": "remove", "path": 'roles[value eq "7"]'}]})

    for operations in (
        [many, {"op": "remove", "path": f"roles[{either}]"}],
        [{"op": "add", "value": {"roles": many["value"]}}, {"op": "remove", "path": f"roles[{either}]"}],
        [many, *[{"op": "replace", "path": 'roles[value eq "x"].display', "value": "y"}] * 20],
    ):
        with pytest.raises(ScimFault) as refused:
            apply_operations(Person(user_name="ana"), read_operations(Person, {"Operations": operations}))
        assert (refused.value.status, refused.value.scim_type) == (400, "tooMany")
    assert len(apply_operations(Person(user_name="ana"), few).roles) == MAX_VALUES - 1


def test_requests_are_bounded() -> None:
    one = {"op": "add", "path": "title", "value": "x"}
    assert refuse(*[one] * (MAX_OPERATIONS + 1))[:2] == (400, "tooMany")
    assert refuse(*[one] * (MAX_OTHERS + 1))[:2] == (400, "tooMany")
    assert refuse(*[{**one, "path": "urn:x:" + "y" * 1000}] * 80)[:2] == (400, "tooMany")
    few = [{"value": str(index)} for index in range(MAX_REMOVED + 1)]
    assert refuse({"op": "remove", "path": "roles", "value": few})[:2] == (400, "tooMany")
    assert refuse(*[{"op": "add", "path": "roles", "value": few}] * 10)[:2] == (400, "tooMany")


def test_but_not_in_members() -> None:
    many = [{"value": str(index)} for index in range(2 * MAX_VALUES)]
    one_by_one = [{"op": "remove", "path": f'members[value eq "{index}"]'} for index in range(MAX_OPERATIONS - 1)]

    assert len(patch_members({"op": "add", "path": "members", "value": many}, *one_by_one).removed) == len(one_by_one)


# ---------------------------------------------------------------------- a person


def patch_person(person: Person, *operations: dict[str, Any]) -> dict[str, Any]:
    before = person.model_dump()
    after: Person = apply_operations(person, read_operations(Person, {"Operations": list(operations)}))
    assert person.model_dump() == before, "the one that was given stays"
    found: dict[str, Any] = after.model_dump(exclude={"schemas"}, exclude_none=True)
    return found


@pytest.mark.parametrize(
    ("operation", "after"),
    [
        ({"op": "REPLACE", "path": "USERNAME", "value": "b"}, {"userName": "b"}),
        ({"op": "replace", "path": f"{CORE}User:userName", "value": "b"}, {"userName": "b"}),
        ({"op": "replace", "value": {"urn:x:1.0:Any": {"a": [1]}, "userName": "b"}}, {"userName": "b"}),
        ({"op": "replace", "path": "urn:x:1.0:Any:attribute", "value": {"a": 1}}, {"userName": "a"}),
        ({"op": "add", "path": "title", "value": "Dr"}, {"userName": "a"}),
        ({"op": "add", "path": "phoneNumbers", "value": [{"value": "1"}]}, {"userName": "a"}),
        ({"op": "remove", "path": "nickName"}, {"userName": "a"}),
        ({"op": "replace", "path": "active", "value": "TRUE"}, {"userName": "a", "active": True}),
        (
            {"op": "add", "path": 'roles[primary eq "True"].value', "value": "agent"},
            {"userName": "a", "roles": [{"value": "agent", "primary": True}]},
        ),
        (
            {"op": "replace", "path": "name", "value": {"formatted": "A B"}},
            {"userName": "a", "name": {"formatted": "A B"}},
        ),
    ],
)  # fmt: skip
def test_what_identity_providers_send_is_understood(operation: dict[str, Any], after: dict[str, Any]) -> None:
    assert patch_person(Person(user_name="a"), operation) == after


def test_the_same_value_added_again_is_no_second_one() -> None:
    person = Person(user_name="a", roles=[RoleValue(value="agent")])

    after = patch_person(person, {"op": "add", "path": "roles", "value": [{"value": "agent"}, {"value": "lead"}]})

    assert after["roles"] == [{"value": "agent"}, {"value": "lead"}]


# ---------------------------------------------------------------------- members


@pytest.mark.parametrize(
    ("operation", "members"),
    [
        ({"op": "add", "path": "members", "value": [{"value": "a"}, {"value": "b"}]}, MembersPatch(frozenset("ab"))),
        ({"op": "add", "path": "members", "value": {"value": "a"}}, MembersPatch(frozenset("a"))),
        ({"op": "add", "path": "members", "value": ["a"]}, MembersPatch(frozenset("a"))),
        ({"op": "add", "path": f"{CORE}Group:Members", "value": [{"value": "a"}]}, MembersPatch(frozenset("a"))),
        ({"op": "add", "value": {"members": [{"value": "a"}]}}, MembersPatch(frozenset("a"))),
        ({"op": "remove", "path": "members", "value": [{"value": "a"}]}, MembersPatch(removed=frozenset("a"))),
        ({"op": "remove", "path": "members", "value": []}, MembersPatch()),
        ({"op": "remove", "path": "members"}, MembersPatch(whole=frozenset())),
        ({"op": "remove", "path": 'members[value eq "a"]'}, MembersPatch(removed=frozenset("a"))),
        ({"op": "remove", "path": 'members[value eq "a" or VALUE EQ "b"]'}, MembersPatch(removed=frozenset("ab"))),
        ({"op": "replace", "path": "members", "value": [{"value": "a"}]}, MembersPatch(whole=frozenset("a"))),
        ({"op": "replace", "path": "members", "value": None}, MembersPatch(whole=frozenset())),
        ({"op": "replace", "value": {"members": []}}, MembersPatch(whole=frozenset())),
    ],
)  # fmt: skip
def test_members_come_and_go_by_id(operation: dict[str, Any], members: MembersPatch) -> None:
    assert patch_members(operation) == members


@pytest.mark.parametrize(
    ("operation", "scim_type"),
    [
        ({"op": "remove", "path": "members", "value": None}, "invalidValue"),
        ({"op": "remove", "path": 'members[display co "a"]'}, "invalidFilter"),
        ({"op": "remove", "path": 'members[value sw "a"]'}, "invalidFilter"),
        ({"op": "remove", "path": 'members[value eq "a" and type eq "User"]'}, "invalidFilter"),
        ({"op": "remove", "path": 'members[not (value eq "a")]'}, "invalidFilter"),
        ({"op": "replace", "path": 'members[value eq "a"].value', "value": "b"}, "mutability"),
        ({"op": "add", "path": 'members[value eq "a"]', "value": {"value": "b"}}, "mutability"),
        ({"op": "remove", "path": 'members[value eq "a"'}, "invalidPath"),
        ({"op": "remove", "path": "members.value"}, "invalidPath"),
        ({"op": "remove", "path": 'members eq "a"'}, "invalidPath"),
        ({"op": "add", "path": "members", "value": [{"value": "a", "type": "group"}]}, "invalidValue"),
        ({"op": "add", "path": "members", "value": [{"display": "a"}]}, "invalidValue"),
        ({"op": "add", "path": "members", "value": [7]}, "invalidValue"),
        ({"op": "add", "path": "members", "value": [{"value": 7}]}, "invalidValue"),
    ],
)
def test_what_does_not_say_who_is_refused(operation: dict[str, Any], scim_type: str) -> None:
    assert refuse(operation, model=Group)[:2] == (400, scim_type)


def test_a_value_without_a_path_is_parted() -> None:
    operations = read_operations(
        Group, {"Operations": [{"op": "replace", "value": {"displayName": "x", "members": [{"value": "a"}]}}]}
    )

    others, members = split_members(operations)

    assert [one.value for one in others] == [{"displayName": "x"}]
    assert members == MembersPatch(whole=frozenset("a"))


MOVES = st.tuples(st.sampled_from(["add", "remove", "replace"]), st.none() | st.frozensets(st.sampled_from("abcd")))


@given(st.frozensets(st.sampled_from("abcd")), st.lists(MOVES, max_size=6))
def test_operations_in_a_row_are_what_they_are_one_by_one(
    start: frozenset[str], moves: list[tuple[str, frozenset[str] | None]]
) -> None:
    patch, expected = MembersPatch(), start
    for kind, ids in moves:
        listed = frozenset() if ids is None and kind == "add" else ids
        patch = patch.and_then(kind, listed)
        match kind:
            case "add":
                expected |= listed or frozenset()
            case "replace":
                expected = listed or frozenset()
            case _:
                expected = frozenset() if listed is None else expected - listed

    found = patch.whole if patch.whole is not None else (start | patch.added) - patch.removed
    assert found == expected


def test_an_attribute_of_an_extension_is_no_member() -> None:
    operation = {"op": "add", "path": "urn:x:1.0:Any:members", "value": [{"value": "a"}]}

    others, members = split_members(read_operations(Group, {"Operations": [operation]}))

    assert (len(others), members) == (1, MembersPatch())


def test_members_are_read_once_each() -> None:
    assert read_members([{"value": "a"}, {"VALUE": "a", "display": "A"}, "b"]) == {"a", "b"}
