"""Where a request asks for what an error is about."""

from collections.abc import Callable, Iterable, Mapping

from app.domain.holders import Assignment, Grant, Limit, Membership
from app.domain.world import Change

Path = tuple[str, ...]
IncludedIn = Callable[[str], frozenset[str]]  # everything that a holder includes
Brings = Callable[[str, str], bool]  # whether a role or team, or what it includes, is granted a right


class Blame:
    """The changes of a request, by what they are about. `paths` are by the id of a record."""

    def __init__(
        self, changes: Iterable[Change], paths: Mapping[str, Path], included_in: IncludedIn, brings: Brings
    ) -> None:
        self.paths = paths
        self._included_in = included_in
        self._brings = brings
        self._joined: dict[str, list[tuple[str, Path]]] = {}  # by holder, what it comes to include or no longer does
        self._first: Path = ()
        self._of_rights: dict[str, dict[str, Path]] = {}  # by holder and node
        self._of_node: dict[str, Path] = {}
        self._of_holder: dict[str, Path] = {}
        self._asked: str | None = None
        self._near: tuple[list[dict[str, Path]], Path] = [], ()
        if paths:
            self._sort(changes)

    def _sort(self, changes: Iterable[Change]) -> None:
        for change in changes:
            record = change.record
            path = self.paths.get(record.id)
            if not path:
                continue
            self._first = self._first or path
            self._of_holder.setdefault(record.id, path)
            holder = getattr(record, "holder", None)
            if holder is not None:
                self._of_holder.setdefault(holder, path)
            if isinstance(record, Assignment | Membership):
                joined = record.role if isinstance(record, Assignment) else record.team
                self._joined.setdefault(record.holder, []).append((joined, path))
            if isinstance(record, Grant | Limit):
                self._of_rights.setdefault(record.holder, {}).setdefault(record.node, path)
                self._of_node.setdefault(record.node, path)

    def path_to(self, holder: str | None = None, key: str | None = None) -> Path:
        """Where the request asks for a right of a holder, or comes nearest to asking for it:

        1. a grant or a limit of the right on the holder; 2. on what the holder includes, before or after the change;
        3. a role or a team by which it comes to the holder; 4. any change of the holder; 5. of what it includes;
        6. a grant or a limit of the right on anybody; 7. anything.
        """
        if not self._first:
            return ()
        if holder is not None:
            rights, path = self._find_near(holder)
            for of_node in rights:
                if key in of_node:
                    return of_node[key]
            for joined, by in self._joined.get(holder, ()):
                if key is not None and self._brings(joined, key):
                    return by
            if path:
                return path
        return self._first if key is None else self._of_node.get(key, self._first)

    def _find_near(self, holder: str) -> tuple[list[dict[str, Path]], Path]:
        """The rights that change on a holder and on what it includes, and the nearest of all changes."""
        if holder != self._asked:
            near = (holder, *sorted(self._included_in(holder)))
            path = next((self._of_holder[one] for one in near if one in self._of_holder), ())
            self._near = [self._of_rights[one] for one in near if one in self._of_rights], path
            self._asked = holder
        return self._near
