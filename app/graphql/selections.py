"""What a field was asked for, as far as it is worth knowing beforehand."""

from graphql import FieldNode, FragmentSpreadNode, InlineFragmentNode, SelectionSetNode

from app.graphql.context import Info

ROWS = frozenset({"roles", "teams", "grants", "limits", "contracts", "facts"})  # of a person, who is loaded for them


def asks_for(info: Info, names: frozenset[str]) -> bool:
    """Whether a field of one of these names stands anywhere in what is selected, be it left out or not."""
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
                continue
            if isinstance(node, FieldNode) and node.name.value in names:
                return True
            if isinstance(node, FieldNode | InlineFragmentNode):
                waiting.append(node.selection_set)
    return False
