"""Catalog files into a catalog: shape first, then meaning, all faults of either at once."""

import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from app.catalogs import catalog_format as form
from app.catalogs.documents import Document, DocumentFault, Place, canonical_json, read_document
from app.domain.callers import GATEWAY
from app.domain.catalog import Catalog, Fact, FactOwner, FactType, ManualReference, ObligationKind, Polarity, Product
from app.domain.catalog_building import (
    CatalogFaults,
    DraftAll,
    DraftAny,
    DraftAtom,
    DraftGrant,
    DraftNode,
    DraftObligation,
    DraftRequirement,
    DraftRule,
    DraftSystem,
    DraftTemplate,
    Fault,
    build_catalog,
)
from app.domain.contracts import ACCESS_LEVEL_TYPE
from app.domain.requirements import Enforcement, FactTest
from app.domain.values import (
    LevelType,
    MembersType,
    QuantityType,
    Reach,
    ScopeType,
    SwitchType,
    ValueType,
    order_scopes,
    plain_name,
)

_FACT = re.compile(r"fact\s+(?P<name>\S+)(?:\s*(?P<test>>=|>)\s*(?P<bound>-?[0-9]+(?:\.[0-9]+)?))?")
_RIGHT = re.compile(r"(?:(?P<whose>target)\s+)?(?P<node>[^\s>]+)(?:\s*>=\s*(?P<value>.+))?")


BUILT_IN = Path(__file__).parent / "gateway.yaml"  # the gateway's own rights, part of every catalog in force


def load_catalog(paths: Iterable[Path]) -> Catalog:
    """The catalog of these files. Raises `CatalogFaults` with every fault of all of them."""
    documents, faults = [], []
    for path in sorted(paths):
        try:
            documents.append(read_document(path))
        except DocumentFault as error:
            place, _, message = str(error).partition(": ")
            faults.append(Fault(place, path.stem, message))
    if faults:
        raise CatalogFaults(faults)
    return build_from_documents(documents)


def build_from_documents(documents: Iterable[Document]) -> Catalog:
    """The catalog of documents already read; their data, in the order of the systems' keys, makes the digest.

    The built-in system comes first, the others follow in the order of their keys.
    """
    documents = list(documents)
    drafts, faults = [], []
    for document in documents:
        try:
            file = form.CatalogFile.model_validate(document.data)
        except ValidationError as error:
            faults += [_shape_fault(document, fault) for fault in error.errors()]
            continue
        drafts.append(_Drafting(document, file).draft())
    if faults:
        raise CatalogFaults(dict.fromkeys(faults))
    # An order of their own, whatever the files are called and wherever they lie: the same data is the same catalog.
    drafts.sort(key=lambda draft: (draft.key != GATEWAY, draft.key))
    text = canonical_json(sorted((document.data for document in documents), key=lambda data: str(data["system"])))
    return build_catalog(drafts, digest=hashlib.sha256(text.encode()).hexdigest())


def restore_catalog(data: Iterable[Mapping[str, Any]]) -> Catalog:
    """A catalog from the data of its files, as `catalog_data` gave it: the catalog of an earlier time."""
    return build_from_documents(Document(f"{file['system']}.yaml", file, {}) for file in data)


def catalog_data(paths: Iterable[Path]) -> list[Any]:
    """The data of catalog files that are known to be sound, to be kept with the catalog's digest."""
    return [read_document(path).data for path in sorted(paths)]


def _shape_fault(document: Document, fault: Mapping[str, Any]) -> Fault:
    # Pydantic names the branch of a union it tried; only keys and positions of the document are a place in it.
    place = tuple(part for part in fault["loc"] if isinstance(part, int) or not part[:1].isupper())
    known: Place = ()
    for part in place:
        if (*known, part) in document.lines:
            known = (*known, part)
    return Fault(document.where(known), ".".join(str(part) for part in known) or document.name, fault["msg"].lower())


def make_slug(label: str) -> str:
    """The last part of a key, made of a label: letters and digits, everything else an underscore."""
    return re.sub(r"[^a-z0-9]+", "_", re.sub("['\u2019]", "", label.lower())).strip("_")


class _Drafting:
    """One file: its shape is right, its meaning unknown."""

    def __init__(self, document: Document, file: form.CatalogFile) -> None:
        self.document = document
        self.file = file

    def draft(self) -> DraftSystem:
        file = self.file
        return DraftSystem(
            key=file.system,
            label=file.label,
            place=self.document.where(("system",)),
            description=file.description,
            nodes=tuple(
                node for index, group in enumerate(file.groups) for node in self._group(group, ("groups", index), None)
            ),
            facts=tuple(
                (
                    Fact(fact.name, FactType(fact.type), fact.unit, FactOwner(fact.of), fact.description, file.system),
                    self.document.where(("facts", index)),
                )
                for index, fact in enumerate(file.facts)
            ),
            products=tuple(
                (Product(part.key or make_slug(part.product), part.product), self.document.where(("products", index)))
                for index, part in enumerate(file.products)
            ),
            obligations=tuple(self._obligation(part, index) for index, part in enumerate(file.obligations)),
            templates=tuple(self._template(part, index) for index, part in enumerate(file.templates)),
            renamed=file.renamed,
        )

    def _reference(self, part: form.NodePart, heading: str) -> ManualReference:
        return ManualReference(part.manual or self.file.manual, part.heading or heading)

    def _group(self, group: form.GroupPart, place: Place, parent: DraftNode | None) -> Iterator[DraftNode]:
        above = parent.key if parent else self.file.system
        draft = DraftNode(
            kind="group",
            key=f"{above}.{group.key or make_slug(group.group)}",
            label=group.group,
            description=group.description,
            parent=parent.key if parent else None,
            source=self._reference(group, group.group),
            place=self.document.where(place),
        )
        yield draft
        for index, part in enumerate(group.nodes):
            inner = (*place, "nodes", index)
            if isinstance(part, form.GroupPart):
                yield from self._group(part, inner, draft)
            elif isinstance(part, form.PermissionPart):
                yield self._permission(part, inner, draft)
            else:
                yield self._operation(part, inner, draft)

    def _permission(self, part: form.PermissionPart, place: Place, group: DraftNode) -> DraftNode:
        rules = [DraftRule(_requirement(part.requires))] if part.requires is not None else []
        if part.advises is not None:
            rules.append(DraftRule(_requirement(part.advises), enforcement=Enforcement.ADVISORY))
        for rule in part.rules:
            if rule.requires is not None:
                rules.append(DraftRule(_requirement(rule.requires), rule.from_))
            if rule.advises is not None:
                rules.append(DraftRule(_requirement(rule.advises), rule.from_, Enforcement.ADVISORY))
        return DraftNode(
            kind="permission",
            key=f"{group.key}.{part.key or make_slug(part.permission)}",
            label=part.permission,
            description=part.description,
            parent=group.key,
            source=self._reference(part, group.source.heading),
            place=self.document.where(place),
            value_type=ACCESS_LEVEL_TYPE if part.access_level_of else _value_type(part.value),
            polarity=Polarity(part.polarity),
            rules=tuple(rules),
            implies=tuple(_grant(text) for text in part.implies),
            product=part.access_level_of,
            access_level=part.access_level_of is not None,
        )

    def _operation(self, part: form.OperationPart, place: Place, group: DraftNode) -> DraftNode:
        return DraftNode(
            kind="operation",
            key=f"{group.key}.{part.key or make_slug(part.operation)}",
            label=part.operation,
            description=part.description,
            parent=group.key,
            source=self._reference(part, group.source.heading),
            place=self.document.where(place),
            menu_path=tuple(step.strip() for step in part.menu.split(">")) if part.menu else (),
            requirement=_requirement(part.requires),
            product=part.product,
        )

    def _obligation(self, part: form.ObligationPart, index: int) -> DraftObligation:
        return DraftObligation(
            kind=ObligationKind(part.obligation),
            on=tuple(part.on_),
            place=self.document.where(("obligations", index)),
            when=None if part.when is None else _requirement(part.when),
            unless=None if part.unless is None else _requirement(part.unless),
            fields=tuple(part.fields),
            keep=part.keep,
            values_of=part.values_of,
            roles_as_values=part.values == "roles",
        )

    def _template(self, part: form.TemplatePart, index: int) -> DraftTemplate:
        return DraftTemplate(
            key=f"{self.file.system}.{part.key or make_slug(part.template)}",
            label=part.template,
            description=part.description,
            grants=tuple(_grant(text) for text in part.grants),
            source=ManualReference(self.file.manual, part.heading or part.template),
            place=self.document.where(("templates", index)),
        )


def _value_type(part: form.ValuePart) -> ValueType:
    if isinstance(part, form.LevelsPart):
        return LevelType((part.nothing, *part.levels))
    if isinstance(part, form.ScopesPart):
        names = {plain_name(name): name for name in part.scopes}

        def name_of(text: str) -> str:
            return names.get(plain_name(text), text.strip())

        pairs = [pair.split("<") for pair in part.order]
        # A pair that names no scope is left in, for the building to complain about.
        known = dict.fromkeys([*part.scopes, *(name_of(name) for pair in pairs for name in pair)])
        below = order_scopes(known, [(name_of(lower), name_of(higher)) for lower, higher in pairs])
        reach = {name_of(name): Reach(word) for name, word in part.reach.items()}
        return ScopeType(tuple(part.scopes), below, reach)
    if isinstance(part, form.QuantityPart):
        return QuantityType(part.unit, part.minimum, part.maximum, part.descending)
    if isinstance(part, form.MembersPart):
        return MembersType(None if part.options is None else tuple(part.options), tuple(part.reserved))
    return SwitchType()


def _requirement(part: form.Expression) -> DraftRequirement:
    if isinstance(part, list):
        return DraftAll(tuple(_requirement(inner) for inner in part))
    if isinstance(part, form.AllOfPart):
        return DraftAll(tuple(_requirement(inner) for inner in part.all))
    if isinstance(part, form.AnyOfPart):
        return DraftAny(tuple(_requirement(inner) for inner in part.any))
    if part.startswith("fact "):
        fact = _FACT.fullmatch(part.strip())
        if fact is None:
            return DraftAtom("fact", part)
        test = FactTest(fact["test"]) if fact["test"] else FactTest.TRUE
        return DraftAtom("fact", fact["name"], test=test, bound=Decimal(fact["bound"]) if fact["bound"] else None)
    right = _RIGHT.fullmatch(part.strip())
    if right is None:
        return DraftAtom("subject", part)
    return DraftAtom("target" if right["whose"] else "subject", right["node"], right["value"])


def _grant(text: str) -> DraftGrant:
    right = _RIGHT.fullmatch(text.strip())
    return DraftGrant(right["node"], right["value"]) if right and not right["whose"] else DraftGrant(text)
