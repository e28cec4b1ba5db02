"""What a field was asked for, as far as it is worth knowing beforehand."""

from collections.abc import Iterator

from graphql import FieldNode, FragmentSpreadNode, InlineFragmentNode, SelectionSetNode

from app.graphql.context import Info

# Of a person, what takes no record of them.
NAMES = frozenset({"__typename", "id", "userName", "externalId", "effectiveRights", "can"})
ROWS = frozenset({"roles", "teams", "grants", "limits", "contracts", "facts"})  # of a person, who is loaded for them
PATHS = frozenset({"contributions"})  # of a right, by which it is reached


def asks_for(info: Info, names: frozenset[str]) -> bool:
    """Whether a field of one of these names stands anywhere in what is selected, be it left out or not."""
    return any(node.name.value in names for node in _iterate_fields(info, deep=True))


def asks_only(info: Info, names: frozenset[str]) -> bool:
    """Whether no fields but these are asked of what a field gives, be they left out or not."""
    return all(node.name.value in names for node in _iterate_fields(info, deep=False))


def _iterate_fields(info: Info, *, deep: bool) -> Iterator[FieldNode]:
    """The fields that are selected of what a field gives; `deep`: and all fields within these."""
    raw = info._raw_info  # noqa: SLF001  # strawberry's own way to it converts every argument
    waiting: list[SelectionSetNode | None] = [node.selection_set for node in raw.field_nodes]
    spread: set[str] = set()
    while waiting:
        selected = waiting.pop()
        for node in () if selected is None else selected.selections:
            if isinstance(node, FragmentSpreadNode):
                name = node.name.value
                if name not in spread:
                    spread.add(name)
                    waiting.append(raw.fragments[name].selection_set)
            elif isinstance(node, FieldNode):
                yield node
                if deep:
                    waiting.append(node.selection_set)
            elif isinstance(node, InlineFragmentNode):
                waiting.append(node.selection_set)
