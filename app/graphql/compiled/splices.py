"""Answers that are there as JSON already, spliced in where a selection asks for them.

For a field of an object type somebody may register a `Splice`. In a plan it is asked before the resolver is, with what
the resolver would be given and the key of the selection:

- it gives an `orjson.Fragment`: the JSON of the field's answer. Neither is the resolver called nor anything completed.
- it gives None: the field is resolved and completed as ever.
- it gives a function: the field is resolved and completed as ever; where nothing failed meanwhile, the function is
  given what came of it, writes it as JSON (to keep it, or parts of it), and that is the answer.
- it gives a `Partly`: the same, but what is completed is the value in it. The resolver is not called.

Whoever registers one answers for three things: that it asks the services whether the caller may see the answer, as the
resolver would; that the JSON is the one of this object, these arguments and this key; and that there is no error in it.
Errors that it raises are those of the field.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

import orjson
from graphql import (
    BooleanValueNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    InlineFragmentNode,
    SelectionNode,
    print_ast,
)

from app.graphql.compiled.arguments import find_variables

MAX_KEY = 4000  # characters of a key: fragments that spread others twice make short documents long
Keep = Callable[[Any], orjson.Fragment]
"""From what was completed to the same as JSON."""


class Partly(NamedTuple):
    """What is completed in place of what the resolver gives, and what makes the answer of it."""

    value: Any
    write: Keep


Splice = Callable[[Any, Any, Mapping[str, Any], str | None], "orjson.Fragment | Keep | Partly | None"]
"""`(source, info, arguments, key)`: the object, what strawberry calls `info`, the arguments of the Python resolver (one
that was left out is not there), and the key of the selection; None where that hangs on variables, or is too long."""
Splices = Mapping[tuple[str, str], Splice]
"""By the name of an object type and of its field, as the schema has them."""


class _Keyless(Exception):
    """There is no key: the selection hangs on a variable, or is too long."""


def find_key(nodes: Iterable[FieldNode], fragments: Mapping[str, FragmentDefinitionNode]) -> str | None:
    """What is selected of a field: the same text for the same selection, whatever its fragments are called.

    None where a variable bears on it, in an argument or in `@skip` and `@include`, or where it is too long.
    """
    parts: list[str] = []
    left = MAX_KEY

    def add(text: str) -> None:
        nonlocal left
        left -= len(text)
        if left < 0:
            raise _Keyless
        parts.append(text)

    def walk(selections: Iterable[SelectionNode]) -> None:
        for node in selections:
            if not _is_included(node):
                continue
            if isinstance(node, FieldNode):
                if find_variables(node):
                    raise _Keyless
                alias = f"{node.alias.value}:" if node.alias else ""
                arguments = ",".join(sorted(print_ast(one) for one in node.arguments or ()))
                add(f"{alias}{node.name.value}({arguments})" if arguments else f"{alias}{node.name.value}")
                if node.selection_set is not None:
                    add("{")
                    walk(node.selection_set.selections)
                    add("}")
            else:
                within = fragments[node.name.value] if isinstance(node, FragmentSpreadNode) else node
                assert isinstance(within, InlineFragmentNode | FragmentDefinitionNode)
                condition = within.type_condition
                add("...{" if condition is None else f"...{condition.name.value}{{")
                walk(within.selection_set.selections)
                add("}")
            add(" ")

    try:
        for node in nodes:
            if node.selection_set is not None:
                walk(node.selection_set.selections)
    except _Keyless:
        return None
    return "".join(parts)


def _is_included(node: SelectionNode) -> bool:
    """Whether something stands in the answer by its `@skip` and `@include`, which are constant."""
    is_included = True
    for directive in node.directives or ():
        for argument in directive.arguments or ():
            if not isinstance(argument.value, BooleanValueNode):
                raise _Keyless
            is_included &= argument.value.value is (directive.name.value == "include")
    return is_included
