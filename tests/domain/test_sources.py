"""What a source of feeds may be called."""

import pytest

from app.domain.errors import InvalidValue
from app.domain.sources import read_source


@pytest.mark.parametrize("name", ["hr", "HR", "scim", "a/b", "my scim: feed", "manually", "Personalverwaltung Köln"])
def test_names_of_ones_own_are_taken_as_they_are(name: str) -> None:
    assert read_source(name, "source") == name


@pytest.mark.parametrize(
    ("name", "why"),
    [
        *((name, "is what people do by hand") for name in ("manual", "Manual", "MANUAL")),
        *((name, "write by SCIM") for name in ("scim:okta", "SCIM:okta", "Scim:", "\u017fcim:okta")),
        *((name, "is not a name") for name in ("", " hr", "h\u200br", "x" * 257)),
    ],
)
def test_names_of_others_are_reserved_whatever_their_case(name: str, why: str) -> None:
    with pytest.raises(InvalidValue, match=why) as refusal:
        read_source(name, "source")

    assert refusal.value.path == ("source",)
