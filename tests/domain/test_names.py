"""Words that are not known, and the known ones that were perhaps meant."""

import random
import string

from app.domain.names import MAX_NAME, tell_unknown
from tests.casefiles import seeded_program
from tests.factories import each_of

KNOWN = ("roles", "user", "users", "Gr\u00f6\u00dfe", "reports.menu", "reports.export")


@each_of(
    ("word", "meant"),
    [
        ("usr", "user"), ("rolse", "roles"), ("USERS", "users"), ("menu.reports", "reports.menu"),
        ("report.exports", "reports.export"), ("gr\u00f6\u00dfe", "Gr\u00f6\u00dfe"),
    ],
)  # fmt: skip
async def test_the_nearest_name_is_told(word: str, meant: str) -> None:
    assert tell_unknown("word", word, KNOWN) == f"there is no word `{word}`; did you mean `{meant}`?"


@each_of("word", ["", "x", "r", "nothing", "menu", "us" * MAX_NAME])
async def test_none_is_told_that_has_little_in_common(word: str) -> None:
    assert "did you mean" not in tell_unknown("word", word, KNOWN)


async def test_among_none_there_is_none() -> None:
    assert tell_unknown("word", "user", ()) == "there is no word `user`"


def test_a_slip_or_two_in_a_key_of_the_manuals_is_seen_through() -> None:
    keys, dice = tuple(seeded_program().catalog.nodes), random.Random(7)
    for _ in range(300):
        key = dice.choice(keys)
        told = tell_unknown("node", _slip(key, dice), keys)
        assert told.endswith(f"did you mean `{key}`?")


def _slip(key: str, dice: random.Random) -> str:
    """A key with a letter too many, too few, or in another place."""
    place = dice.randrange(len(key))
    rest = key[:place] + key[place + 1 :]
    return dice.choice((rest, key[:place] + dice.choice(string.ascii_lowercase) + key[place:], rest + key[place]))
