"""What screens ask all day: queries of `check` and `checkMany` alone, answered from the index as they came.

Such a query is usual where it asks for nothing but whether it is allowed, and how the right stands; where it names a
person, a node and perhaps a contract; and where these stand in the document or come in variables as plain texts. It is
answered without being bound and run. Whatever is less plain, or is not known, or is to be refused, gives None here: it
goes the way of all others, which says the same about what is usual (`tests/web/test_shortcut.py`).
"""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, NamedTuple

import orjson
from graphql import (
    DocumentNode,
    FieldNode,
    ListValueNode,
    ObjectValueNode,
    OperationDefinitionNode,
    OperationType,
    SelectionSetNode,
    StringValueNode,
    TypeNode,
    ValueNode,
    VariableNode,
    print_ast,
)

from app.domain.callers import Caller
from app.domain.decisions import Decision
from app.domain.references import Attribute, Ref, normalize
from app.graphql.limits import Costs
from app.services.access import MAX_CHECKS
from app.services.at_once import Question, decide_one, decide_plain
from app.services.index import RightsIndex
from app.telemetry.requests import name_operation

Variables = Mapping[str, Any]
Read = Callable[[Variables], Any]
"""From the variables as they came to a text, or to something else where it is none."""
Ask = Callable[[Variables], Question | None]
"""From the variables as they came to a question; None where it is not a usual one."""
AskMany = Callable[[Variables], list[Question] | None]

MAX_FIELDS = 20  # in a row: what asks more has `checkMany`
USERS: Mapping[str, Attribute] = {"userName": "user_name", "id": "id", "externalId": "external_id"}
CONTRACTS: Mapping[str, Attribute] = {"number": "number", "id": "id"}
TEXTS = frozenset({"String", "String!", "ID", "ID!"})
SHOWN: Mapping[str, Callable[[Decision], object]] = {
    "allowed": lambda decision: decision.allowed,
    "state": lambda decision: decision.state.value,
    "__typename": lambda decision: "Decision",
}


class _Unusual(Exception):
    """Something that is not read here."""


class Field(NamedTuple):
    """A field of the query: of `check` what asks it, of `checkMany` what asks all of it."""

    response: bytes  # its name in the answer, as JSON, with its colon
    ask: Ask | None
    ask_many: AskMany | None
    show: Callable[[Decision], bytes]


class Answer(NamedTuple):
    """The JSON of `data`, and how many of its questions were answered how."""

    data: bytes
    allowed: int
    denied: int


class Usual:
    """A query whose fields are all of this kind."""

    def __init__(self, operation: OperationDefinitionNode, fields: list[Field], costs: Costs) -> None:
        self.name = name_operation(None if operation.name is None else operation.name.value)
        self._operation = operation
        self._fields = fields
        self._costs = costs

    def count(self, variables: Variables) -> int:
        """What it costs with these variables: of whatever is counted, lists, those that came are as long as coerced."""
        return self._costs.count(self._operation, variables)

    def answer(self, index: RightsIndex, caller: Caller, variables: Variables, now: datetime) -> Answer | None:
        """The answer; None where this is not the place for it."""
        parts: list[bytes] = []
        allowed = denied = 0
        for response, ask, ask_many, show in self._fields:
            if ask is not None:
                question = ask(variables)
                decision = None if question is None else decide_one(index, caller, question, now)
                if decision is None:
                    return None
                yes, no = (1, 0) if decision.allowed else (0, 1)
                written = show(decision)
            else:
                questions = None if ask_many is None else ask_many(variables)
                decisions = None if questions is None else decide_plain(index, caller, questions, now)
                if decisions is None:
                    return None
                yes = sum([decision.allowed for decision in decisions])
                no = len(decisions) - yes
                written = b"[%b]" % b",".join([show(decision) for decision in decisions])
            allowed, denied = allowed + yes, denied + no
            parts.append(response + written)
        return Answer(b"{%b}" % b",".join(parts), allowed, denied)


def read_usual(document: DocumentNode, operation: OperationDefinitionNode, costs: Costs) -> Usual | None:
    """The usual query that an operation of a valid document is; None where it is none."""
    if operation.operation is not OperationType.QUERY or operation.directives or len(document.definitions) != 1:
        return None
    types: dict[str, TypeNode] = {}
    for one in operation.variable_definitions or ():
        if one.default_value is not None or one.directives:
            return None
        types[one.variable.name.value] = one.type
    try:
        fields = [_read_field(node, types) for node in operation.selection_set.selections]
    except _Unusual:
        return None
    names = {field.response for field in fields}
    return Usual(operation, fields, costs) if len(names) == len(fields) <= MAX_FIELDS else None


def _read_field(node: object, types: Mapping[str, TypeNode]) -> Field:
    if not isinstance(node, FieldNode) or node.directives or node.selection_set is None:
        raise _Unusual
    name = node.name.value
    if name not in {"check", "checkMany"} or len(node.arguments or ()) != 1:
        raise _Unusual
    value = (node.arguments or ())[0].value
    response = f'"{node.name.value if node.alias is None else node.alias.value}":'.encode()
    show = _read_selection(node.selection_set)
    if name == "check":
        return Field(response, _read_one(value, types), None, show)
    return Field(response, None, _read_many(value, types), show)


# ---------------------------------------------------------------------- what is shown


def _read_selection(selected: SelectionSetNode) -> Callable[[Decision], bytes]:
    """What writes a decision. How it looks follows from its state, and so each look is written once."""
    shown: dict[str, Callable[[Decision], object]] = {}
    for node in selected.selections:
        if not isinstance(node, FieldNode) or node.directives or node.name.value not in SHOWN:
            raise _Unusual
        response = node.name.value if node.alias is None else node.alias.value
        if response in shown:
            raise _Unusual
        shown[response] = SHOWN[node.name.value]
    written: dict[int, bytes] = {}

    def show(decision: Decision) -> bytes:
        look = id(decision.state)  # there is one of each, and to hash it takes longer
        found = written.get(look)
        if found is None:
            found = written[look] = orjson.dumps({name: read(decision) for name, read in shown.items()})
        return found

    return show


# ---------------------------------------------------------------------- what is asked


def _read_many(value: ValueNode, types: Mapping[str, TypeNode]) -> AskMany:
    """The questions of `checkMany`."""
    if isinstance(value, ListValueNode) and len(value.values) <= MAX_CHECKS:
        asks = [_read_one(one, types) for one in value.values]

        def ask_each(variables: Variables) -> list[Question] | None:
            found: list[Question] = []
            for ask in asks:
                question = ask(variables)
                if question is None:
                    return None
                found.append(question)
            return found

        return ask_each
    name = _find_variable(value, types, {"[CheckInput!]!", "[CheckInput!]"})

    def ask_all(variables: Variables) -> list[Question] | None:
        given = variables.get(name)
        if given.__class__ is not list or len(given) > MAX_CHECKS:
            return None
        found: list[Question] = []
        for one in given:
            question = _take(one)
            if question is None:
                return None
            found.append(question)
        return found

    return ask_all


def _read_one(value: ValueNode, types: Mapping[str, TypeNode]) -> Ask:
    """The question of `check`."""
    if not isinstance(value, ObjectValueNode):
        name = _find_variable(value, types, {"CheckInput!", "CheckInput"})

        return lambda variables: _take(variables.get(name))
    given = {field.name.value: field.value for field in value.fields}
    if not {"user", "node"} <= given.keys() <= {"user", "node", "contract"}:
        raise _Unusual
    user, read_user = _read_ref(given["user"], USERS, types)
    read_node = _read_text(given["node"], types)
    contract, read_contract = None, None
    if "contract" in given:
        contract, read_contract = _read_ref(given["contract"], CONTRACTS, types)

    def ask(variables: Variables) -> Question | None:
        named, node = read_user(variables), read_node(variables)
        if named.__class__ is not str or node.__class__ is not str:
            return None
        within = None
        if contract is not None and read_contract is not None:
            number = read_contract(variables)
            if number.__class__ is not str:
                return None
            within = Ref.of(contract, number)
        return user, normalize(named), node, within

    return ask


def _read_ref(
    value: ValueNode, attributes: Mapping[str, Attribute], types: Mapping[str, TypeNode]
) -> tuple[Attribute, Read]:
    """By what something is named, and what gives its name."""
    if not isinstance(value, ObjectValueNode) or len(value.fields) != 1:
        raise _Unusual
    (field,) = value.fields
    return attributes[field.name.value], _read_text(field.value, types)


def _read_text(value: ValueNode, types: Mapping[str, TypeNode]) -> Read:
    """What gives a text that stands in the document, or is a variable."""
    if isinstance(value, StringValueNode):
        text = value.value
        return lambda _variables: text
    name = _find_variable(value, types, TEXTS)
    return lambda variables: variables.get(name)


def _find_variable(value: ValueNode, types: Mapping[str, TypeNode], of: "frozenset[str] | set[str]") -> str:
    if not isinstance(value, VariableNode) or print_ast(types[value.name.value]) not in of:
        raise _Unusual
    return value.name.value


def _take(given: Any) -> Question | None:
    """The question of a `CheckInput` as it came, where it names no more than whom, what and perhaps where."""
    if given.__class__ is not dict:
        return None
    user, node = given.get("user"), given.get("node")
    if user.__class__ is not dict or node.__class__ is not str or len(user) != 1:
        return None
    ((named_by, name),) = user.items()
    attribute = USERS.get(named_by)
    if attribute is None or name.__class__ is not str:
        return None
    if len(given) == 2:
        return attribute, normalize(name), node, None
    contract = given.get("contract")
    if len(given) != 3 or contract.__class__ is not dict or len(contract) != 1:
        return None
    ((named_by, number),) = contract.items()
    within = CONTRACTS.get(named_by)
    if within is None or number.__class__ is not str:
        return None
    return attribute, normalize(name), node, Ref.of(within, number)
