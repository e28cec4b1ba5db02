"""What is kept as JSON: the rights of everybody of a profile, for a selection (see `app.graphql.compiled.splices`).

What is spliced in says nothing of who asks or who is asked about. So only selections of the fields in `PURE` are kept:
what these show follows from the catalog and from how a profile stands.
"""

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import orjson

from app.graphql.compiled.splices import Keep, Splices
from app.graphql.context import Info
from app.graphql.inputs import read_optional_ref
from app.graphql.types.users import User
from app.services import access, at_once

PURE = frozenset({
    "__typename", "value", "granted", "state", "permission", "missing",  # of a right
    "id", "key", "label", "description", "polarity",  # of a permission
    "text", "on", "level", "rank", "scopes", "amount", "unlimited", "members", "all",  # of a value or a requirement
})  # fmt: skip
_FIELD = re.compile(r"\.\.\.\w*|(?:\w+:)?(\w+)")  # a fragment, which is no field; or a field, without its alias
UNKEPT = frozenset({"facts", "at", "as_of"})  # arguments of questions that have answers of their own


def splice_rights(
    user: User, info: Info, arguments: Mapping[str, Any], key: str | None
) -> "orjson.Fragment | Keep | None":
    """The effective rights of a user, where they are those of the profile and the caller may see them."""
    operation = info.context
    index = operation.find_index()
    if index is None or key is None or not is_pure(key) or any(arguments.get(name) for name in UNKEPT):
        return None
    circumstances = access.Circumstances(contract=read_optional_ref(arguments.get("contract")))
    standing = at_once.stand(index, operation.caller, user.record.id, circumstances, operation.now)
    if standing is None:
        return None
    chosen = (arguments.get("system"), _freeze(arguments.get("nodes")), _freeze(arguments.get("states")))
    asked = ("effectiveRights", chosen, key)
    kept = standing.kept.get(asked)
    if kept is not None:
        return orjson.Fragment(kept)
    return lambda data: standing.keep(asked, data)


def _freeze(names: list[Any] | None) -> tuple[Any, ...] | None:
    return None if names is None else tuple(names)


@lru_cache(maxsize=1024)
def is_pure(key: str) -> bool:
    """Whether a selection shows nothing but what follows from catalog and profile."""
    return "(" not in key and all(name in PURE for name in _FIELD.findall(key) if name)


SPLICES: Splices = {("User", "effectiveRights"): splice_rights}
