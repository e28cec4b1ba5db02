"""Drafts of catalogs in few words, for examples written by hand."""

from decimal import Decimal

from app.domain.catalog import Catalog, Fact, FactOwner, FactType, ManualReference, Polarity, Product
from app.domain.catalog_building import (
    DraftAll,
    DraftAny,
    DraftAtom,
    DraftGrant,
    DraftNode,
    DraftRequirement,
    DraftRule,
    DraftSystem,
    build_catalog,
)
from app.domain.contracts import ACCESS_LEVEL_TYPE
from app.domain.requirements import FactTest
from app.domain.values import SwitchType, ValueType

PAGE = ManualReference("a manual", "a heading")

CREDIT = Fact("credit", FactType.DECIMAL, "EUR", FactOwner.CONTRACT, None, "alfa")
SCORE = Fact("score", FactType.INTEGER, None, FactOwner.USER, None, "alfa")
TRAINED = Fact("trained", FactType.BOOLEAN, None, FactOwner.USER, None, "alfa")
LINKED = Fact("subscriber_linked", FactType.BOOLEAN, None, FactOwner.SUBSCRIBER_LINK, None, "alfa")
FACTS = (CREDIT, SCORE, TRAINED, LINKED)


def subject(reference: str, value: str | None = None) -> DraftAtom:
    """The subject has at least a value; None: the least there is."""
    return DraftAtom("subject", reference, value)


def target(reference: str, value: str | None = None) -> DraftAtom:
    return DraftAtom("target", reference, value)


def fact(name: str, bound: int | None = None, test: FactTest = FactTest.AT_LEAST) -> DraftAtom:
    """A fact that is true, or at least a bound."""
    if bound is None:
        return DraftAtom("fact", name, test=FactTest.TRUE)
    return DraftAtom("fact", name, test=test, bound=Decimal(bound))


def every(*parts: DraftRequirement) -> DraftAll:
    return DraftAll(parts)


def some(*parts: DraftRequirement) -> DraftAny:
    return DraftAny(parts)


def permission(
    key: str,
    kind: ValueType | None = None,
    *needs: DraftRequirement | DraftRule,
    implies: tuple[DraftGrant, ...] = (),
    polarity: Polarity = Polarity.PERMISSION,
    product: str | None = None,
    parent: str | None = None,
    place: str = "drafts.py",
) -> DraftNode:
    """A permission; a requirement among `needs` belongs to the whole node. A switch unless it says otherwise."""
    rules = tuple(need if isinstance(need, DraftRule) else DraftRule(need) for need in needs)
    return DraftNode(
        kind="permission", key=key, label=key, source=PAGE, place=place, parent=parent, value_type=kind or SwitchType(),
        rules=rules, implies=implies, polarity=polarity, product=product,
    )  # fmt: skip


def operation(
    key: str, needs: DraftRequirement | None, *, product: str | None = None, place: str = "drafts.py"
) -> DraftNode:
    return DraftNode(
        kind="operation", key=key, label=key, source=PAGE, place=place, requirement=needs, product=product,
        menu_path=("Menu",),
    )  # fmt: skip


def group(key: str, *, parent: str | None = None, place: str = "drafts.py") -> DraftNode:
    return DraftNode(kind="group", key=key, label=key, source=PAGE, place=place, parent=parent)


def access(product: str) -> DraftNode:
    """The access-level node of a product."""
    return DraftNode(
        kind="permission", key=f"core.access.{product}", label=f"Access to {product}", source=PAGE, place="drafts.py",
        value_type=ACCESS_LEVEL_TYPE, product=product, access_level=True,
    )  # fmt: skip


def core(*products: str) -> DraftSystem:
    """A system `core` with the access levels of these products."""
    return DraftSystem(
        key="core", label="Core", place="drafts.py", nodes=tuple(access(product) for product in products),
        products=tuple((Product(product, product), "drafts.py") for product in products),
    )  # fmt: skip


def alfa(*nodes: DraftNode, **more: object) -> DraftSystem:
    """A system `alfa` with the facts above."""
    fields: dict[str, object] = {"facts": tuple((known, "drafts.py") for known in FACTS)} | more
    return DraftSystem(key="alfa", label="Alfa", place="drafts.py", nodes=nodes, **fields)  # type: ignore[arg-type]


def catalog_of(*nodes: DraftNode) -> Catalog:
    """The nodes in a system `alfa`, beside a `core` with the product `tel`."""
    return build_catalog([core("tel"), alfa(*nodes)], digest="by hand")
