"""Names that people and machines give things: user names, keys, numbers. Compared exactly and kept in one form."""

import unicodedata
from collections.abc import Iterable
from functools import lru_cache
from itertools import pairwise

from app.domain.errors import InvalidValue

MAX_NAME = 256  # characters of a natural key or a display name; directories keep such names under 256
MAX_TEXT = 2000  # characters of a description or a reason
_INVISIBLE = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}  # control, format (bidi, zero width), surrogates, unassigned
_BLANK = frozenset(  # letters and marks by category, yet shown as nothing (Default_Ignorable_Code_Point) or as a blank
    "\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0\U0001d159"
    + "".join(map(chr, (*range(0x180B, 0x1810), *range(0xFE00, 0xFE10), *range(0xE0100, 0xE01F0))))
)
MAX_FOLDED = 3 * MAX_NAME  # a letter folds into three at most


def read_name(text: str, *field: str) -> str:
    """A natural key or a display name in NFC, as it is compared and kept: exactly, case and all.

    Raises `InvalidValue` at `field` for an empty or overlong one, for invisible characters, and for space around it.
    """
    if text.isascii() and text.isprintable() and 0 < len(text) <= MAX_NAME and text == text.strip():
        return text  # the usual case, and a feed holds a million of them
    name = unicodedata.normalize("NFC", text)
    if not name or name != name.strip() or len(name) > MAX_NAME or not _is_visible(name):
        expected = f"1 to {MAX_NAME} visible characters, no space around them"
        raise InvalidValue(f"`{show(text)}` is not a name", path=field, expected=expected)
    return name


def fold_name(name: str) -> str:
    """A name as searching compares it: without case, in NFC (canonical caseless matching, Unicode 3.13)."""
    if name.isascii():
        return name.lower()
    return unicodedata.normalize("NFC", unicodedata.normalize("NFD", name).casefold())


def fold_search(text: str) -> str | None:
    """What is searched for, to be found within folded names; None for what no name can hold."""
    folded = fold_name(text)
    return folded if len(folded) <= MAX_FOLDED and _is_visible(text) else None


def read_text(text: str, *field: str) -> str:
    """A free text in NFC; line ends and tabs are kept. Raises `InvalidValue` at `field` for what cannot be shown."""
    found = unicodedata.normalize("NFC", text)
    if len(found) > MAX_TEXT or _has_invisible(found.replace("\n", "").replace("\r", "").replace("\t", "")):
        raise InvalidValue(
            "this text is too long or has invisible characters", path=field, expected=f"up to {MAX_TEXT}"
        )
    return found


def read_email(text: str, *field: str) -> str:
    """An e-mail address, checked for its shape alone. Raises `InvalidValue` at `field`."""
    address = read_name(text, *field)
    local, at, domain = address.rpartition("@")
    if not (local and at and domain) or len(address.split()) > 1:
        raise InvalidValue(
            f"`{show(text)}` is not an e-mail address", path=field, expected="such as `name@example.org`"
        )
    return address


def show(text: str) -> str:
    """Text that came from outside, safe to stand in a message: invisible characters escaped, cut at 80."""
    shown = "".join(c if _is_visible(c) else f"\\u{ord(c):04x}" for c in text[:80])
    return shown + ("…" if len(text) > 80 else "")


def tell_unknown(noun: str, word: str, known: Iterable[str]) -> str:
    """That there is nothing of this name, and which one was perhaps meant."""
    return f"there is no {noun} `{show(word)}`{_name_nearest(word[:MAX_NAME], tuple(known))}"


@lru_cache(maxsize=1024)  # one request asks about many people by the same wrong key
def _name_nearest(word: str, names: tuple[str, ...]) -> str:
    """The end of a message about a word that is not known: the known one that was perhaps meant.

    It is the one that has most in common with the word, in any case: two thirds, at least, of their letters and pairs
    of neighbours. The names are taken apart once and compared as bits: 0.2 ms for a thousand of them, where `difflib`
    takes 80, so that a request full of unknown keys holds nobody up.
    """
    bits, pieces = _take_apart(names)
    own = _pieces_of(word)
    mask = sum(bits[piece] for piece in own if piece in bits)
    best, nearest = 0.0, ""
    for name, (other, count) in zip(names, pieces, strict=True):
        likeness = (mask & other).bit_count() / (len(own) + count)
        if likeness > best:
            best, nearest = likeness, name
    return f"; did you mean `{nearest}`?" if 3 * best >= 1 else ""


@lru_cache(maxsize=64)  # the words of catalogs and feeds: fixed lists
def _take_apart(names: tuple[str, ...]) -> tuple[dict[str, int], tuple[tuple[int, int], ...]]:
    """A bit for each piece of any of the names; of each name the bits of its pieces, and how many these are."""
    found = [_pieces_of(name) for name in names]
    bits = {piece: 1 << number for number, piece in enumerate(dict.fromkeys(p for one in found for p in sorted(one)))}
    return bits, tuple((sum(bits[piece] for piece in one), len(one)) for one in found)


def _pieces_of(word: str) -> set[str]:
    """The letters of a word, and the pairs of neighbours in it."""
    lowered = word.lower()
    return {*lowered, *(a + b for a, b in pairwise(lowered))}


def _is_visible(name: str) -> bool:
    return not _has_invisible(name) and _BLANK.isdisjoint(name)


def _has_invisible(text: str) -> bool:
    return not text.isprintable() and any(unicodedata.category(character) in _INVISIBLE for character in text)
