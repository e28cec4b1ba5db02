"""Facts: what a requirement may lean on besides rights (SEMANTICS section 3).

A fact that was sent with a question counts only where none is stored, or for a caller who may assert facts.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Protocol

from app.domain.catalog import Catalog, Fact, FactOwner, FactType
from app.domain.errors import InvalidValue
from app.domain.holders import ContractId, UserId
from app.domain.requirements import FactHolds, FactTest, Truth
from app.domain.world import HolderRows, World

_NUMBER = {
    FactType.INTEGER: (re.compile(r"-?[0-9]{1,18}", re.ASCII), "a whole number such as `12`"),
    FactType.DECIMAL: (re.compile(r"-?[0-9]{1,18}(\.[0-9]{1,9})?", re.ASCII), "a number such as `12.5`"),
}


def parse_fact(fact: Fact, text: str) -> Decimal | bool:
    """The value of a fact's text. Raises `InvalidValue` with what was expected."""
    if fact.type is FactType.BOOLEAN:
        if text in {"true", "false"}:
            return text == "true"
        raise InvalidValue(f"`{text}` is not a value of the fact `{fact.name}`", expected="true or false")
    pattern, expected = _NUMBER[fact.type]
    if not pattern.fullmatch(text):
        raise InvalidValue(f"`{text}` is not a value of the fact `{fact.name}`", expected=expected)
    return Decimal(text)


class HasRows(Protocol):
    """A world, or what somebody sees of one."""

    def rows_of(self, holder: str) -> HolderRows: ...


def stored_facts(world: HasRows, *, contract: ContractId | None, user: UserId | None) -> Mapping[str, str]:
    """The facts stored of a contract and of a user; a user's fact of the contract goes before one of everywhere."""
    found: dict[str, str] = {}
    if user is not None:
        rows = world.rows_of(user).facts
        found |= {row.name: row.text for row in rows if row.contract is None}
        if contract is not None:
            found |= {row.name: row.text for row in rows if row.contract == contract}
    if contract is not None:
        found |= {row.name: row.text for row in world.rows_of(contract).facts if row.user is None}
    return found


@dataclass(frozen=True, slots=True)
class KnownFacts:
    """What is known of the facts that concern one person in one contract; a name that is absent is unknown."""

    values: Mapping[str, Decimal | bool]

    def truth_of(self, atom: FactHolds) -> Truth:
        value = self.values.get(atom.fact)
        if value is None:
            return None
        if atom.test is FactTest.TRUE:
            return value is True
        if isinstance(value, bool) or atom.bound is None:
            return False  # a fact that changed its type since it was stored holds nothing
        return value > atom.bound if atom.test is FactTest.ABOVE else value >= atom.bound


def gather_facts(
    catalog: Catalog,
    world: World,
    *,
    contract: ContractId | None,
    user: UserId,
    sent: Mapping[str, str],
    asserted: bool = False,
    target_subscriber: str | None = None,
) -> KnownFacts:
    """The facts of a question. `sent` must have been checked by `parse_fact`.

    `asserted`: what was sent goes before what is stored. Of the target of a question only facts of the contract may be
    sent: facts of a person that were sent are the subject's.
    """
    stored = stored_facts(world, contract=contract, user=user)
    texts = {**stored, **sent} if asserted else {**sent, **stored}
    values: dict[str, Decimal | bool] = {}
    for name, text in texts.items():
        fact = catalog.facts.get(name)
        if fact is not None and fact.owner is not FactOwner.SUBSCRIBER_LINK:
            try:
                values[name] = parse_fact(fact, text)
            except InvalidValue:
                continue  # stored under an older catalog that gave the fact another type: unknown, so never a yes
    linked = find_subscriber(world, contract=contract, user=user)
    for fact in catalog.facts.values():
        if fact.owner is FactOwner.SUBSCRIBER_LINK:
            values[fact.name] = linked is not None and target_subscriber in (None, linked)
    return KnownFacts(values)


def find_subscriber(world: HasRows, *, contract: ContractId | None, user: UserId) -> str | None:
    """The subscriber to whom a person is linked in a contract."""
    if contract is None:
        return None
    return next((link.subscriber for link in world.rows_of(user).links if link.contract == contract), None)
