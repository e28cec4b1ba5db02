"""What of a filter the database is asked for: never less than what it matches."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scim2_models import ScimFilter

from app.domain.names import fold_name
from app.web.scim.faults import ScimFault
from app.web.scim.filters import Narrowed, find_members_asked, narrow
from app.web.scim.resources import Email, Group, Name, Person, RoleValue


def narrowed(text: str) -> Narrowed:
    return narrow(ScimFilter[Person](text).ast)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ('userName eq "Ana"', Narrowed(user_name="Ana")),
        ('externalId eq "1" and active eq true', Narrowed(external_id="1", active=True)),
        ('id eq "1" and (active eq "False" and userName eq "a")', Narrowed(id="1", active=False, user_name="a")),
        ('userName eq "a" and userName eq "b"', Narrowed(user_name="a", is_exact=False, search="b")),
        ('userName eq "a" or userName eq "b"', Narrowed(is_exact=False)),
        ('not (userName eq "a")', Narrowed(is_exact=False)),
        ('userName ne "a"', Narrowed(is_exact=False)),
        ("userName pr", Narrowed(is_exact=False)),
        ('displayName co "x" and active eq true', Narrowed(active=True, search="x", is_exact=False)),
        ('emails[type eq "work" and value ew "@x.org"]', Narrowed(search="@x.org", is_exact=False)),
        ('emails[type eq "work"].value eq "a@x"', Narrowed(search="a@x", is_exact=False)),
        ('emails[type eq "work" or value eq "a@x"]', Narrowed(is_exact=False)),
        ('roles.value eq "agent"', Narrowed(is_exact=False)),
        ('displayName co ""', Narrowed(is_exact=False)),
    ],
)
def test_what_must_hold_is_asked_of_the_database(text: str, found: Narrowed) -> None:
    assert narrowed(text) == found


@pytest.mark.parametrize("text", ['name.givenName eq "a"', "active eq true and not (name.familyName pr)"])
def test_nobody_is_found_by_what_is_not_kept(text: str) -> None:
    with pytest.raises(ScimFault, match="is not kept"):
        narrowed(text)


@pytest.mark.parametrize(
    ("text", "members"),
    [
        ('displayName eq "x"', set()),
        ('members eq "a" or (members.value eq "b" and not (members[value eq "c"]))', {"a", "b", "c"}),
    ],
)
def test_the_members_that_a_filter_names(text: str, members: set[str]) -> None:
    assert find_members_asked(ScimFilter[Group](text).ast) == members


# ---------------------------------------------------------------------- any filter, any person

TEXTS = st.sampled_from(["a", "A", "ab", "b", "aB@x", "ß", "SS", "é"])
OPERATORS = st.sampled_from(["eq", "ne", "co", "sw", "ew", "gt", "le"])
NAMES = st.sampled_from(
    ["userName", "displayName", "externalId", "id", "emails", "emails.value", "roles.value", "name.formatted"]
)
COMPARED = st.builds(lambda name, operator, text: f'{name} {operator} "{text}"', NAMES, OPERATORS, TEXTS)
ACTIVE = st.sampled_from(["active eq true", "active eq false", 'active eq "True"', "active ne true", "active pr"])
VALUE_PATHS = st.builds(
    lambda operator, text, kind: f'emails[type eq "{kind}" and value {operator} "{text}"]',
    OPERATORS, TEXTS, st.sampled_from(["work", "home"]),
)  # fmt: skip
PARTS = COMPARED | ACTIVE | VALUE_PATHS


def _join(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    both = st.builds(lambda left, op, right: f"({left}) {op} ({right})", inner, st.sampled_from(["and", "or"]), inner)
    return both | inner.map(lambda one: f"not ({one})")


FILTERS = st.recursive(PARTS, _join, max_leaves=5)


@st.composite
def people(draw: Any) -> Person:
    name, email = draw(TEXTS), draw(st.none() | TEXTS)
    return Person(
        id=draw(TEXTS), external_id=draw(st.none() | TEXTS), user_name=draw(TEXTS), display_name=name,
        name=Name(formatted=name), active=draw(st.booleans()), roles=[RoleValue(value=draw(TEXTS))],
        emails=None if email is None else [Email(value=email, type="work", primary=True)],
    )  # fmt: skip


@settings(deadline=None)
@given(FILTERS, st.lists(people(), min_size=1, max_size=6))
def test_whoever_matches_is_within_what_the_database_is_asked_for(text: str, everybody: list[Person]) -> None:
    matching = ScimFilter[Person](text)
    found = narrow(matching.ast)

    for person in everybody:
        within = (
            found.id in {None, person.id}
            and found.external_id in {None, person.external_id}
            and (found.user_name is None or fold_name(found.user_name) == fold_name(person.user_name or ""))
            and found.active in {None, person.active}
            and (found.search is None or _has_within(person, found.search))
        )
        assert within or not matching.match(person)
        if found.is_exact and within and found.user_name in {None, person.user_name}:
            assert matching.match(person)


def _has_within(person: Person, text: str) -> bool:
    shown = [person.user_name, person.display_name, *(email.value for email in person.emails or ())]
    return any(fold_name(text) in fold_name(one) for one in shown if one)
