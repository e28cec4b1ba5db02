"""Names that people and machines give things: user names, keys, numbers. Compared exactly and kept in one form."""

import unicodedata

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


def _is_visible(name: str) -> bool:
    return not _has_invisible(name) and _BLANK.isdisjoint(name)


def _has_invisible(text: str) -> bool:
    return not text.isprintable() and any(unicodedata.category(character) in _INVISIBLE for character in text)
