"""Roles and access levels as one text each: `agent`, `agent@C-100`, `C-100:telephony:USER`.

`%`, `@` and `:` within a key or a number are written as `%25`, `%40` and `%3A`.
"""

from urllib.parse import unquote

from app.domain.contracts import AccessLevel
from app.domain.names import show
from app.domain.references import Ref
from app.domain.sync.desired import AssignmentDesired, LevelDesired
from app.web.scim.faults import ScimFault

Given = AssignmentDesired | LevelDesired
FORMS = "`role`, `role@contract` or `contract:product:LEVEL`"
_LEVELS = frozenset(AccessLevel)


def spell_role(key: str, contract: str | None) -> str:
    """A role, everywhere or in a contract."""
    return _escape(key) if contract is None else f"{_escape(key)}@{_escape(contract)}"


def spell_level(contract: str, product: str, level: AccessLevel) -> str:
    """A level in a product of a contract."""
    return f"{_escape(contract)}:{_escape(product)}:{level}"


def read_value(text: str) -> Given:
    """What a text gives. Raises `ScimFault` for one that says nothing."""
    parts = text.split(":")
    if len(parts) == 3 and parts[2].upper() in _LEVELS:
        contract, product = (unquote(part) for part in parts[:2])
        if contract and product:
            return LevelDesired(
                contract=Ref.of("number", contract), product=product, level=AccessLevel(parts[2].upper())
            )
    else:
        role, at, contract = text.rpartition("@") if "@" in text else (text, "", "")
        if role and bool(contract) is bool(at):
            return AssignmentDesired(
                role=Ref.of("key", unquote(role)), contract=Ref.of("number", unquote(contract)) if at else None
            )
    raise ScimFault(400, f"`{show(text)}` is neither a role nor an access level: expected {FORMS}", "invalidValue")


def _escape(part: str) -> str:
    return part.replace("%", "%25").replace("@", "%40").replace(":", "%3A")
