"""From plain data, as JSON and YAML give it, to an entry of the desired state, or to all its faults.

Fields are those of `SyncUserInput`, `SyncRoleInput` and `SyncTeamInput` of the schema. A reference may be given in
full, or short as its natural key; a role, an access level and a grant may be given short as a text.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, TypeVar

from app.catalogs.feeds.faults import Fault, Kind, Place, list_names, refuse_unknown
from app.domain.contracts import AccessLevel
from app.domain.errors import InvalidValue
from app.domain.holders import TeamKind
from app.domain.names import MAX_NAME, read_email, read_name, read_text, show
from app.domain.references import Attribute, Ref
from app.domain.sync.desired import (
    AssignmentDesired,
    Entry,
    GrantDesired,
    LevelDesired,
    RoleDesired,
    TeamDesired,
    UserDesired,
)
from app.domain.values import ValueInput
from app.domain.wishes.users import UNCHANGED, Patch, Unchanged

FIELDS = {
    Kind.USERS: ("externalId", "userName", "displayName", "email", "active", "roles", "teams", "access"),
    Kind.ROLES: ("key", "displayName", "description", "parents", "grants"),
    Kind.TEAMS: ("key", "displayName", "kind", "parent", "roles"),
}
KEYS = {Kind.USERS: "externalId", Kind.ROLES: "key", Kind.TEAMS: "key"}
_REQUIRED = {Kind.USERS: ("externalId", "userName"), Kind.ROLES: ("key", "grants"), Kind.TEAMS: ("key",)}
_ASSIGNMENT = ("role", "contract", "validFrom", "validUntil")
_LEVEL = ("contract", "product", "level")
_GRANT = ("permission", "value", "contract", "validFrom", "validUntil")
_VALUE = ("on", "level", "scopes", "amount", "members", "full", "none")
_MAX_FAULTS = 100  # of one entry; a line of nothing but unknown fields has no end of them
_MAX_KNOWN = 4096  # items remembered: the roles, levels and rights in use are fewer
_MAX_KNOWN_TEXT = 300  # characters of a text of one: a name has up to 256
_MOMENT = re.compile(  # RFC 3339, what is finer than a microsecond dropped
    r"(\d{4}-\d{2}-\d{2})[Tt ](\d{2}:\d{2}(?::\d{2})?)(\.\d{1,6})?\d*([Zz]|[+-]\d{2}:\d{2})", re.ASCII
)

T = TypeVar("T")
At = tuple[str, ...]


def read_entry(kind: Kind, data: Any, place: Place, *, problems: Sequence[Fault] = ()) -> Iterator[Entry | Fault]:
    """The entry, or all its faults: `problems`, which were found before, and its own. Each names what it spoils."""
    form = _Form()
    fields = form.fields(data, (), FIELDS[kind], _REQUIRED[kind])
    entry = _READERS[kind](form, fields, place)
    if not form.faults and not problems:
        yield entry
        return
    key = find_key(kind, data)
    for problem in problems[:_MAX_FAULTS]:
        problem.kind, problem.key = kind, key
        yield problem
    for fault in form.faults[:_MAX_FAULTS]:
        yield place.fault(fault.message, fault.expected, *fault.path, kind=kind, key=key)


def read_plain_user(data: dict[str, Any], place: Place) -> tuple[UserDesired, int] | None:
    """A person of whom nothing is wrong or unusual, and how many texts, keys included, that takes.

    None: `read_entry` has to look. So it is wherever a name is not of ASCII alone, and an item was not met before.
    """
    given = data.get
    external_id, user_name = given("externalId"), given("userName", "")
    texts = len(data) + 2
    if not (_is_plain(external_id) and _is_plain(user_name)):
        return None
    fields = 2
    display_name: Patch = UNCHANGED
    email: Patch = UNCHANGED
    if "displayName" in data:
        fields += 1
        display_name = data["displayName"]
        if display_name is not None:
            texts += 1
            if not _is_plain(display_name):
                return None
    if "email" in data:
        fields += 1
        address = email = data["email"]
        if address is not None:
            texts += 1
            if not _is_plain(address) or " " in address or not 0 < address.rfind("@") < len(address) - 1:
                return None
    active = True
    if "active" in data:
        fields += 1
        active = data["active"]
        if type(active) is not bool:
            return None
    lists: list[tuple[Any, ...] | None] = []
    for name, memory in _LISTS:
        items = given(name)
        if items is None:
            fields += name in data
            lists.append(None)
            continue
        fields += 1
        if type(items) is not list:
            return None
        known = []
        for item in items:
            is_object = type(item) is dict
            if not is_object and type(item) is not str:
                return None
            try:
                known.append(memory[tuple(item.items()) if is_object else item])
            except (KeyError, TypeError):  # not met before, or holding more than texts
                return None
            texts += 2 * len(item) if is_object else 1
        lists.append(tuple(known))
    if fields != len(data):
        return None
    roles, teams, access = lists
    person = UserDesired(
        path=place.path, external_id=external_id, user_name=user_name, display_name=display_name, email=email,
        active=active, roles=roles, teams=teams, access=access,
    )  # fmt: skip
    return person, texts


def _is_plain(text: Any) -> bool:
    """Whether a text is a name as most are: such `read_name` gives back as it came."""
    return (
        type(text) is str
        and text.isascii()
        and text.isprintable()
        and 0 < len(text) <= MAX_NAME
        and text[0] != " " != text[-1]
    )


def find_key(kind: Kind, data: Any) -> str | None:
    """The key of an entry, of a person the external id, however broken the rest of it is."""
    given = data.get(KEYS[kind]) if isinstance(data, dict) else None
    try:
        return read_name(given) if isinstance(given, str) else None
    except InvalidValue:
        return None


class _Form:
    """Reads the fields of one entry and keeps their faults. What has a fault reads as anything: it is dropped then."""

    __slots__ = ("faults",)

    def __init__(self) -> None:
        self.faults: list[InvalidValue] = []

    @property
    def is_full(self) -> bool:
        """Whether there are so many faults that no more need be looked for."""
        return len(self.faults) >= _MAX_FAULTS

    def refuse(self, at: At, message: str, expected: str) -> None:
        self.faults.append(InvalidValue(message, path=at, expected=expected))

    def fields(self, data: Any, at: At, known: tuple[str, ...], required: tuple[str, ...]) -> dict[str, Any]:
        """The fields of an object: all of them known, none missing."""
        if not isinstance(data, dict):
            self.refuse(at, f"{_describe(data)} is no object", f"an object with {list_names(known)}")
            return {}
        for name in data:
            if name not in known:
                self.refuse((*at, show(name)), *refuse_unknown("field", name, known))
                if self.is_full:
                    break
        for name in required:
            if name not in data:
                self.refuse((*at, name), f"`{name}` is missing", "a value")
        return data

    def text(self, data: Any, at: At) -> str | None:
        if isinstance(data, str):
            return data
        hint = ", in quotes" if isinstance(data, int | float) else ""
        self.refuse(at, f"{_describe(data)} is no text", f"a text{hint}")
        return None

    def checked(self, data: Any, at: At, read: Callable[[str], T], default: T) -> T:
        """A text as `read` reads it."""
        text = self.text(data, at)
        if text is None:
            return default
        try:
            return read(text)
        except InvalidValue as error:
            self.refuse((*at, *error.path), error.message, error.expected)
            return default

    def name(self, fields: dict[str, Any], field: str, at: At = ()) -> str:
        return self.checked(fields[field], (*at, field), read_name, "") if field in fields else ""

    def patch(self, fields: dict[str, Any], field: str, read: Callable[[str], str]) -> Patch:
        """An attribute: left out it is not managed, null clears it."""
        if field not in fields:
            return UNCHANGED
        return None if fields[field] is None else self.checked(fields[field], (field,), read, "")

    def flag(self, fields: dict[str, Any], field: str, *, default: bool) -> bool:
        given = fields.get(field, default)
        if not isinstance(given, bool):
            self.refuse((field,), f"{_describe(given)} is neither true nor false", "`true` or `false`")
        return given is True

    def items(
        self, fields: dict[str, Any], field: str, read: "Callable[[_Form, Any, At], T]", memory: dict[Any, T]
    ) -> tuple[T, ...] | None:
        """A list; left out, or null, it is not managed. `memory` keeps what was made of items: most stand again."""
        given = fields.get(field)
        if given is None:
            return None
        if not isinstance(given, list):
            self.refuse((field,), f"{_describe(given)} is no list", "a list")
            return None
        items: list[T] = []
        for item in given:
            like = item if isinstance(item, str) else _freeze(item)
            known = memory.get(like)
            if known is None:
                faults = len(self.faults)
                known = read(self, item, (field, str(len(items))))
                if self.is_full:
                    break
                if len(self.faults) == faults:
                    _remember(memory, like, known)
            items.append(known)
        return tuple(items)

    def ref(self, data: Any, at: At, attribute: Attribute) -> Ref:
        """What is named, in full or short by its natural key."""
        if isinstance(data, str):
            return self.checked(data, at, _REFS[attribute], _NOWHERE)
        given = list(self.fields(data, at, ("id", attribute), ()).items())
        if isinstance(data, dict) and len(given) != 1:
            self.refuse(at, f"{len(given)} names for one thing", f"exactly one of `id`, `{attribute}`")
            return _NOWHERE
        for name, value in given:
            if name in _REFS:
                return self.checked(value, (*at, name), _REFS[name], _NOWHERE)
        return _NOWHERE

    def contract(self, fields: dict[str, Any], at: At) -> Ref | None:
        given = fields.get("contract")
        return None if given is None else self.ref(given, (*at, "contract"), "number")

    def moment(self, fields: dict[str, Any], field: str, at: At) -> datetime | None:
        given = fields.get(field)
        return None if given is None else self.checked(given, (*at, field), _read_moment, None)

    def word(self, data: Any, at: At, words: dict[str, T]) -> T:
        """A word of a closed vocabulary, spelled exactly."""
        text = self.text(data, at)
        if text is not None and text not in words:
            self.refuse(at, *refuse_unknown("value", text, tuple(words)))
        return words.get(text or "", next(iter(words.values())))


# ---------------------------------------------------------------------- entries


def _read_user(form: _Form, fields: dict[str, Any], place: Place) -> UserDesired:
    return UserDesired(
        path=place.path,
        external_id=form.name(fields, "externalId"),
        user_name=form.name(fields, "userName"),
        display_name=form.patch(fields, "displayName", read_name),
        email=form.patch(fields, "email", read_email),
        active=form.flag(fields, "active", default=True),
        roles=form.items(fields, "roles", _read_assignment, _ASSIGNMENTS),
        teams=form.items(fields, "teams", _read_key, _KEYS),
        access=form.items(fields, "access", _read_level, _ACCESS),
    )


def _read_role(form: _Form, fields: dict[str, Any], place: Place) -> RoleDesired:
    grants = form.items(fields, "grants", _read_grant, _GRANTS)
    if grants is None and "grants" in fields and fields["grants"] is None:
        form.refuse(("grants",), "null is no list", "a list")
    return RoleDesired(
        path=place.path,
        key=form.name(fields, "key"),
        display_name=form.patch(fields, "displayName", read_name),
        description=form.patch(fields, "description", read_text),
        parents=form.items(fields, "parents", _read_key, _KEYS),
        grants=grants or (),
    )


def _read_team(form: _Form, fields: dict[str, Any], place: Place) -> TeamDesired:
    parent: Ref | Unchanged | None = UNCHANGED
    if "parent" in fields:
        parent = None if fields["parent"] is None else form.ref(fields["parent"], ("parent",), "key")
    return TeamDesired(
        path=place.path,
        key=form.name(fields, "key"),
        display_name=form.patch(fields, "displayName", read_name),
        kind=form.word(fields.get("kind", "TEAM"), ("kind",), _TEAM_KINDS),
        parent=parent,
        roles=form.items(fields, "roles", _read_assignment, _ASSIGNMENTS),
    )


_READERS: dict[Kind, Callable[[_Form, dict[str, Any], Place], Entry]] = {
    Kind.USERS: _read_user,
    Kind.ROLES: _read_role,
    Kind.TEAMS: _read_team,
}


# ---------------------------------------------------------------------- what hangs on them

_KEYS: dict[Any, Ref] = {}
_ASSIGNMENTS: dict[Any, AssignmentDesired] = {}
_ACCESS: dict[Any, LevelDesired] = {}
_GRANTS: dict[Any, GrantDesired] = {}
_LISTS: tuple[tuple[str, dict[Any, Any]], ...] = (("roles", _ASSIGNMENTS), ("teams", _KEYS), ("access", _ACCESS))
_LEVELS = {str(level): level for level in AccessLevel}
_TEAM_KINDS = {str(kind): kind for kind in TeamKind}


def _freeze(data: Any) -> Any:
    """An object of texts alone, as a key; None for anything else."""
    if not isinstance(data, dict):
        return None
    for value in data.values():
        if not isinstance(value, str):
            return None
    return tuple(data.items())


def _remember(memory: dict[Any, T], like: Any, item: T) -> None:
    texts = (like,) if isinstance(like, str) else [value for _, value in like or ()]
    if texts and max(map(len, texts)) <= _MAX_KNOWN_TEXT:
        if len(memory) >= _MAX_KNOWN:
            memory.clear()
        memory[like] = item


def _read_key(form: _Form, data: Any, at: At) -> Ref:
    return form.ref(data, at, "key")


def _read_assignment(form: _Form, data: Any, at: At) -> AssignmentDesired:
    if isinstance(data, str):
        return AssignmentDesired(role=form.ref(data, at, "key"))
    fields = form.fields(data, at, _ASSIGNMENT, ("role",))
    return AssignmentDesired(
        role=form.ref(fields["role"], (*at, "role"), "key") if "role" in fields else _NOWHERE,
        contract=form.contract(fields, at),
        valid_from=form.moment(fields, "validFrom", at),
        valid_until=form.moment(fields, "validUntil", at),
    )


def _read_level(form: _Form, data: Any, at: At) -> LevelDesired:
    if isinstance(data, str):
        parts = data.rsplit(":", 2)
        if len(parts) < len(_LEVEL):
            form.refuse(at, f"`{show(data)}` is no access level", "such as `C-100:telephony:USER`")
            return LevelDesired(contract=_NOWHERE, product="", level=AccessLevel.USER)
        data = dict(zip(_LEVEL, (part.strip() for part in parts), strict=True))
    fields = form.fields(data, at, _LEVEL, _LEVEL)
    return LevelDesired(
        contract=form.ref(fields["contract"], (*at, "contract"), "number") if "contract" in fields else _NOWHERE,
        product=form.name(fields, "product", at),
        level=form.word(fields.get("level", "USER"), (*at, "level"), _LEVELS),
    )


def _read_grant(form: _Form, data: Any, at: At) -> GrantDesired:
    if isinstance(data, str):
        permission, equals, text = (part.strip() for part in data.partition("="))
        data = {"permission": permission} | ({"value": text} if equals else {})
    fields = form.fields(data, at, _GRANT, ("permission",))
    value = fields.get("value")
    return GrantDesired(
        permission=form.name(fields, "permission", at),
        value=None if value is None else _read_value(form, value, (*at, "value")),
        contract=form.contract(fields, at),
        valid_from=form.moment(fields, "validFrom", at),
        valid_until=form.moment(fields, "validUntil", at),
    )


def _read_value(form: _Form, data: Any, at: At) -> ValueInput | None:
    """A value: one field of `RightValueInput`, or plainly a text, a number, true or false."""
    match data:
        case bool():
            return ValueInput("on", data)
        case int():
            return ValueInput("amount", data)
        case str():
            return ValueInput("text", form.checked(data, at, _read_plain, ""))
        case dict() if len(data) == 1:
            return _read_value_field(form, *next(iter(data.items())), at)
        case dict():
            form.refuse(at, f"{len(data)} fields for one value", f"exactly one of {list_names(_VALUE)}")
        case _:
            form.refuse(at, f"{_describe(data)} is no value", "a text, a number, `true`, `false`, or an object")
    return None


def _read_value_field(form: _Form, field: str, given: Any, at: At) -> ValueInput | None:
    match field, given:
        case "on", bool():
            return ValueInput(field, given)
        case (("full" | "none"), True):
            return ValueInput(field, True)
        case "level", str():
            return ValueInput(field, form.checked(given, (*at, field), _read_plain, ""))
        case "amount", int() if not isinstance(given, bool):
            return ValueInput(field, given)
        case (("scopes" | "members"), list()):
            names = [form.checked(name, (*at, field, str(i)), _read_plain, "") for i, name in enumerate(given)]
            return ValueInput(field, tuple(names))
    if field in _VALUE:
        form.refuse((*at, field), f"{_describe(given)} is not for `{field}`", _EXPECTED_OF_VALUE[field])
    else:
        form.refuse((*at, show(field)), *refuse_unknown("field", field, _VALUE))
    return None


_EXPECTED_OF_VALUE = {
    "on": "`true` or `false`",
    "level": "a text",
    "scopes": "a list of texts",
    "amount": "a whole number",
    "members": "a list of texts",
    "full": "`true`",
    "none": "`true`",
}


# ---------------------------------------------------------------------- texts


@lru_cache(maxsize=4096)  # roles, teams and contracts are few, and the same ones on every line
def _read_ref(attribute: Attribute, text: str) -> Ref:
    return Ref.of(attribute, read_name(text))


_REFS: dict[str, Callable[[str], Ref]] = {
    "id": lambda text: _read_ref("id", text),
    "key": lambda text: _read_ref("key", text),
    "number": lambda text: _read_ref("number", text),
}
_NOWHERE = Ref("id", "")  # stands for a reference that could not be read


def _read_moment(text: str) -> datetime:
    """A time with an offset, in UTC. Raises `InvalidValue`."""
    match = _MOMENT.fullmatch(text)
    try:
        if match is not None:
            offset = "+00:00" if match[4] in "Zz" else match[4]
            return datetime.fromisoformat(f"{match[1]}T{match[2]}{match[3] or ''}{offset}").astimezone(UTC)
    except (ValueError, OverflowError):
        pass
    expected = "an ISO 8601 time with its offset, such as `2026-06-01T09:00:00Z`"
    raise InvalidValue(f"`{show(text)}` is not a time with an offset", expected=expected)


def _read_plain(text: str) -> str:
    """A text that stands for a value: its type judges it later. Raises `InvalidValue` for what no database takes."""
    return read_text(text)


def _describe(data: Any) -> str:
    match data:
        case None:
            return "null"
        case bool():
            return "true" if data else "false"
        case int() | float():
            return f"`{data}`"
        case str():
            return f"`{show(data)}`"
        case list():
            return "a list"
    return "an object"
