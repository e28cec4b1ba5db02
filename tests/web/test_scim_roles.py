"""Roles and access levels as one text each."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.contracts import AccessLevel
from app.domain.references import Ref
from app.domain.sync.desired import AssignmentDesired, LevelDesired
from app.web.scim.faults import ScimFault
from app.web.scim.roles import Given, read_value, spell_level, spell_role

NAMES = st.text(st.characters(codec="ascii", categories=["L", "N", "P", "S"]), min_size=1, max_size=12)


def role(key: str, contract: str | None = None) -> AssignmentDesired:
    return AssignmentDesired(role=Ref("key", key), contract=None if contract is None else Ref("number", contract))


def level(contract: str, product: str, level: AccessLevel) -> LevelDesired:
    return LevelDesired(contract=Ref("number", contract), product=product, level=level)


@pytest.mark.parametrize(
    ("text", "given"),
    [
        ("agent", role("agent")),
        ("agent@C-100", role("agent", "C-100")),
        ("C-100:telephony:USER", level("C-100", "telephony", AccessLevel.USER)),
        ("C-100:telephony:Without_Access", level("C-100", "telephony", AccessLevel.WITHOUT_ACCESS)),
        ("desk:agent", role("desk:agent")),
        ("desk:agent:night", role("desk:agent:night")),
        ("a:b:c:USER", role("a:b:c:USER")),
        ("a%40b", role("a@b")),
        ("a@b@C-1", role("a@b", "C-1")),
        ("C%3A1:core:USER", level("C:1", "core", AccessLevel.USER)),
        ("50%", role("50%")),
    ],
)
def test_a_text_gives_a_role_or_a_level(text: str, given: Given) -> None:
    assert read_value(text) == given


@pytest.mark.parametrize("text", ["", "@", "@C-1", "agent@", ":core:USER", "C-1::USER"])
def test_what_names_nothing_is_refused(text: str) -> None:
    with pytest.raises(ScimFault) as refused:
        read_value(text)

    assert (refused.value.status, refused.value.scim_type) == (400, "invalidValue")
    assert "`role@contract`" in refused.value.detail


@given(NAMES, st.none() | NAMES)
def test_what_is_spelled_is_read_again_whatever_the_key(key: str, contract: str | None) -> None:
    assert read_value(spell_role(key, contract)) == role(key, contract)


@given(NAMES, NAMES, st.sampled_from(AccessLevel))
def test_and_a_level(contract: str, product: str, rung: AccessLevel) -> None:
    assert read_value(spell_level(contract, product, rung)) == level(contract, product, rung)
