"""What is kept as JSON: the rights of everybody of a profile, and people as pages of users show them, for a selection.

See `app.graphql.compiled.splices`. What is spliced in says nothing of who asks. So only selections are kept that show
what follows from the catalog and from how a profile stands (`PURE`), or, of people, what is the same for everybody who
may see all of it (`EDGE`).
"""

import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

import orjson

from app.domain.holders import ContractId
from app.domain.profiles import Standing
from app.graphql.compiled.splices import Keep, Partly, Splices
from app.graphql.context import Info
from app.graphql.inputs import read_as_of, read_facts, read_optional_ref
from app.graphql.types.decisions import EffectiveRight
from app.graphql.types.users import User, UserConnection
from app.services import access, at_once
from app.services.index import RightsIndex
from app.services.shown import Piece

PURE = frozenset({
    "__typename", "value", "granted", "state", "permission", "missing",  # of a right
    "id", "key", "label", "description", "polarity",  # of a permission
    "text", "on", "level", "rank", "scopes", "amount", "unlimited", "members", "all",  # of a value or a requirement
})  # fmt: skip
_FIELD = re.compile(r"\.\.\.\w*|(?:\w+:)?(\w+)")  # a fragment, which is no field; or a field, without its alias

NOWHERE: frozenset[ContractId] = frozenset()
Shape = Mapping[str, Any]  # the fields of a type, each with those of its own type


def _fields(names: str, **within: Shape) -> Shape:
    return {name: within.get(name, {}) for name in (*names.split(), *within)}


_ROLE = _fields("__typename id displayName key description archived source")
_TEAM = _fields("__typename id displayName key kind archived source")
_ROW = _fields("__typename id validFrom validUntil source reason createdAt revision")
_PERSON = _fields(
    "__typename id userName displayName externalId email kind status isOwner source",
    roles={**_ROW, "role": _ROLE}, teams={**_ROW, "supervisor": {}, "team": _TEAM},
)  # fmt: skip
EDGE = _fields("__typename cursor", node=_PERSON)
_WORD = re.compile(r"\.\.\.\w*|[\w:]+|[{}]")


def splice_rights(
    user: User, info: Info, arguments: Mapping[str, Any], key: str | None
) -> "orjson.Fragment | Keep | Partly | None":
    """The effective rights of a user, where they are those of the profile and the caller may see them."""
    operation = info.context
    index = operation.find_index()
    if index is None or key is None or not is_pure(key) or read_as_of(arguments.get("as_of")) is not None:
        return None
    circumstances = access.Circumstances(
        contract=read_optional_ref(arguments.get("contract")), facts=read_facts(arguments.get("facts")),
        at=arguments.get("at"),
    )  # fmt: skip
    choice = access.Choice(
        arguments.get("system"), _freeze(arguments.get("nodes")), _freeze(arguments.get("states"))
    )  # fmt: skip
    standing = at_once.stand(index, operation.caller, user.record.id, circumstances, operation.now)
    if standing is None or not choice.is_of(index.catalog):
        return None
    asked = (standing, choice, key)
    kept = index.answers.get(asked)
    if kept is not None:
        return orjson.Fragment(kept)

    def keep(written: bytes) -> orjson.Fragment:
        index.answers.keep(asked, written)
        return orjson.Fragment(written)

    if "missing" in key:  # what is missing is told by all that somebody has
        return lambda rights: keep(orjson.dumps(rights))
    return _join_rights(index, standing, choice, key, keep)


def _join_rights(
    index: RightsIndex, standing: Standing, choice: access.Choice, key: str, keep: Callable[[bytes], orjson.Fragment]
) -> "orjson.Fragment | Partly":
    """The rights of a standing out of pieces that others have had as well; those nobody had are completed."""
    stages = index.stages.find(standing.effective)
    pieces = index.rights.find(key, stages)
    unknown = [place for place, piece in enumerate(pieces) if piece is None]

    def write() -> orjson.Fragment:
        known = [piece for piece in pieces if piece is not None]
        if choice == access.EVERY:
            return keep(_join([text for text, _ in known]))
        permissions = [index.catalog.permissions[number] for number in index.stages.numbers]
        taken = zip(permissions, known, strict=True)
        return keep(_join([text for permission, (text, state) in taken if choice.takes(permission, state)]))

    if not unknown:
        return write()
    rights = at_once.describe_some(standing, [index.stages.numbers[place] for place in unknown])

    def fill(completed: Any) -> orjson.Fragment:
        written = [(orjson.dumps(one), right.state) for one, right in zip(completed, rights, strict=True)]
        found = dict(zip(unknown, written, strict=True))
        index.rights.keep(key, stages, found)
        for place, piece in found.items():
            pieces[place] = piece
        return write()

    return Partly([EffectiveRight.of(right) for right in rights], fill)


def splice_people(
    page: UserConnection, info: Info, _arguments: Mapping[str, Any], key: str | None
) -> "orjson.Fragment | Keep | None":
    """The people of a page of which the index knows who they are, before a caller who sees all that is shown of them.

    They are read from the database where one of them is not known, and known from then on.
    """
    operation, known = info.context, page.known
    index = operation.find_index()
    if index is None or known is None or key is None or not is_of_edge(key):
        return None
    view = index.view(operation.caller.user, operation.now)
    if view is None or not view.sees_people_in(None):
        return None
    shows_rows = "roles" in key or "teams" in key
    pieces = index.shown.find(key)
    found: list[bytes] = []
    for person in known.people:
        piece = pieces.get(person)
        if piece is None:
            break
        if piece.contracts and not all(map(view.sees_people_in, piece.contracts)):
            return None
        found.append(piece.text)
    else:
        return orjson.Fragment(_join(found))

    def keep(edges: Any) -> orjson.Fragment:
        """Keeps what was read at the revision of the index: an operation that finds another one has failed before."""
        written = [orjson.dumps(edge) for edge in edges]
        if known.contracts or not shows_rows:
            fresh = {
                person: Piece(text, known.contracts.get(person, NOWHERE))
                for person, text in zip(known.people, written, strict=True)
            }
            index.shown.keep(key, {
                person: piece for person, piece in fresh.items() if all(map(view.sees_people_in, piece.contracts))
            })  # fmt: skip
        return orjson.Fragment(_join(written))

    return keep


def _join(written: list[bytes]) -> bytes:
    return b"[" + b",".join(written) + b"]"


def _freeze(names: list[Any] | None) -> frozenset[Any] | None:
    return None if names is None else frozenset(names)


@lru_cache(maxsize=1024)
def is_pure(key: str) -> bool:
    """Whether a selection shows nothing but what follows from catalog and profile."""
    return "(" not in key and all(name in PURE for name in _FIELD.findall(key) if name)


@lru_cache(maxsize=1024)
def is_of_edge(key: str) -> bool:
    """Whether a selection of an edge shows nothing but what stands in `EDGE`."""
    if "(" in key:
        return False
    around, last = [EDGE], EDGE
    for word in _WORD.findall(key):
        if word == "{":
            around.append(last)
        elif word == "}":
            around.pop()
        elif word.startswith("..."):
            last = around[-1]  # a fragment shows fields of the same object
        else:
            name = word.rpartition(":")[2]
            if name not in around[-1]:
                return False
            last = around[-1][name]
    return True


SPLICES: Splices = {("User", "effectiveRights"): splice_rights, ("UserConnection", "edges"): splice_people}
