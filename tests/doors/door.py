"""What every door does, and how it reads what a case file says."""

from dataclasses import dataclass
from typing import Any, Protocol

from app.domain.catalog import Catalog, Permission
from app.domain.changes import Dependents
from app.domain.values import LevelType, MembersType, QuantityType, ScopeType, SwitchType, ValueInput
from app.domain.wishes.users import UNCHANGED, UserAsked
from tests import casefiles as form
from tests.casefiles import Ask, Do
from tests.casewords import Answer, Outcome


class UnknownName(LookupError):
    """A case names something that is not there; the engine by itself has no way to refuse it."""


@dataclass(frozen=True)
class Snapshot:
    """Everything that a refused change leaves alone: the revision, the head of the audit chain, all there is."""

    revision: int
    head: str
    content: object


class Door(Protocol):
    """A way to ask and to write."""

    name: str

    async def ask(self, ask: Ask) -> Answer:
        """The answer to a question."""

    async def do(self, do: Do, *, dry: bool = False) -> Outcome:
        """What came of a change; `dry`: what would come of it."""

    async def look(self) -> Snapshot:
        """How everything is now."""

    async def cross_check(self, ask: Ask, answer: Answer) -> None:
        """Asserts that the other views of one question say the same (SEMANTICS section 11, law 3)."""


def read_value(catalog: Catalog, node: str, raw: form.RawValue) -> ValueInput | None:
    """What a client would send for a value: the field of its type, or whatever a mapping says literally."""
    if raw is None:
        return None
    if isinstance(raw, dict):
        ((name, given),) = raw.items()
        return ValueInput(name, given)
    if isinstance(raw, int):
        return ValueInput("amount", raw)
    permission = catalog.permission(node)
    if raw in {"full", "none", "all", "unlimited"} and not (permission is not None and _names(permission, raw)):
        return ValueInput("none" if raw == "none" else "full", True)
    match SwitchType() if permission is None else permission.value_type:
        case LevelType():
            return ValueInput("level", raw)
        case ScopeType():
            return ValueInput("scopes", [name.strip() for name in raw.split(",")])
        case MembersType():
            return ValueInput("members", [name.strip() for name in raw.split(",")])
        case QuantityType():
            return ValueInput("amount", int(raw.split()[0]))
    return ValueInput("on", raw == "on")


def _names(permission: Permission, text: str) -> bool:
    """Whether a word with a meaning of its own is the name of a rung or a scope here."""
    kind = permission.value_type
    names = kind.levels if isinstance(kind, LevelType) else kind.names if isinstance(kind, ScopeType) else ()
    return text in names


def read_dependents(deed: Any) -> Dependents:
    """What a change does with dependents; REJECT where it has no choice."""
    return Dependents(getattr(deed, "on_dependents", "REJECT"))


def read_patch(deed: Any, name: str) -> Any:
    """A field of an update: unchanged where the case leaves it out."""
    return getattr(deed, name) if name in deed.model_fields_set else UNCHANGED


def read_user(deed: form.CreateUser | form.UpdateUser) -> UserAsked:
    """The attributes of a person that a case gives."""
    return UserAsked(
        user_name=read_patch(deed, "user_name"), display_name=read_patch(deed, "label"),
        email=read_patch(deed, "email"), external_id=read_patch(deed, "external_id"),
    )  # fmt: skip


def read_facts(deed: form.SetFacts) -> list[tuple[str, str]]:
    """The facts of a change in their order; a case may name one twice."""
    return list(deed.facts.items()) if isinstance(deed.facts, dict) else list(deed.facts)
