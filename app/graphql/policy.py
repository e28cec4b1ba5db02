"""Which documents are taken from whom: any or only trusted ones, those about the schema or not. And how they are run.

A trusted document is named by an id and was vouched for by whoever runs the gateway. Its variables are as hostile as
any: whatever is checked of a request is checked of one for a trusted document as well.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from graphql import DocumentNode, FieldNode, GraphQLError, visit
from graphql.language import BREAK, Visitor, VisitorAction

from app.domain.callers import Caller
from app.domain.holders import UserKind

INTROSPECTION = frozenset({"__schema", "__type"})  # `__typename` tells of an answer, not of the schema


class Trust(StrEnum):
    """What trusted documents are to a kind of caller. Lower case verb, as the setting spells it."""

    OFF = "off"
    PREFER = "prefer"
    REQUIRE = "require"


class Introspection(StrEnum):
    """Who may ask about the schema, and is helped with its names. Lower case, as the setting spells it."""

    ALL = "all"
    OWNERS = "owners"
    OFF = "off"


@dataclass(frozen=True, slots=True)
class Policy:
    """`documents`: the texts of the trusted ones by id. A kind of caller that is not in `trust` has no use for them.

    `compiled`: whether queries are run by plans of their own; without it graphql-core runs all of them.
    """

    documents: Mapping[str, str] = field(default_factory=dict)
    trust: Mapping[UserKind, Trust] = field(default_factory=dict)
    introspection: Introspection = Introspection.ALL
    compiled: bool = True

    def trust_of(self, caller: Caller) -> Trust:
        """What trusted documents are to a caller."""
        return self.trust.get(caller.kind, Trust.OFF)

    def may_introspect(self, caller: Caller) -> bool:
        """Whether a caller may ask about the schema."""
        return self.introspection is Introspection.ALL or (
            self.introspection is Introspection.OWNERS and caller.is_owner
        )


OPEN = Policy()


class _Finder(Visitor):
    """Looks for a field that tells of the schema, wherever in a document it stands."""

    found: FieldNode | None = None

    def enter_field(self, node: FieldNode, *_rest: object) -> VisitorAction:
        if node.name.value in INTROSPECTION:
            self.found = node
            return BREAK
        return None


def find_introspection(document: DocumentNode) -> list[GraphQLError]:
    """What is wrong with a document for those who may not ask about the schema."""
    finder = _Finder()
    visit(document, finder)
    if finder.found is None:
        return []
    return [GraphQLError(f"`{finder.found.name.value}` is not open to you: introspection is off", finder.found)]
