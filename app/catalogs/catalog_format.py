"""The shape of a catalog file, as published in `seeds/catalog.schema.json`.

A requirement is written as it is read:

    requires: staff.users >= Modify                 at least this value; without `>=` the smallest one above nothing
    requires: [staff.users >= Modify, staff.roles]  all of them
    requires: {any: [staff.users, staff.roles]}     one of them; `all` and `any` nest
    requires: target calls.can_be_listened_to       the other person's right
    requires: fact credit_balance > 0               a fact: `>`, `>=`, or bare for a truth

A node is named by its key, with or without the key of its system.
"""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag
from typing_extensions import TypeAliasType

Text = Annotated[str, Field(min_length=1)]
Slug = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_]*$")]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class AllOfPart(_Part):
    """Every one of these."""

    all: "list[Expression]"


class AnyOfPart(_Part):
    """One of these."""

    any: "list[Expression]"


# A named alias, because pydantic cannot follow a recursive one without a name.
Expression = TypeAliasType("Expression", "Text | AllOfPart | AnyOfPart | list[Expression]")


class LevelsPart(_Part):
    """Names of a ladder above nothing, lowest first; `nothing` names the bottom."""

    levels: list[Text]
    nothing: Text = "None"


class ScopesPart(_Part):
    """Names that may stand side by side. `order` lists pairs `lower < higher`; `reach` says whom a name covers."""

    scopes: list[Text]
    order: list[Annotated[str, Field(pattern=r"^[^<]+<[^<]+$")]] = []
    reach: dict[str, Literal["own", "same_group", "same_queue", "supervised", "all"]] = {}


class QuantityPart(_Part):
    """Whole amounts of `unit`; without `maximum` unlimited is the most; `descending`: less is more."""

    unit: Text
    minimum: int = 0
    maximum: int | None = None
    descending: bool = False


class MembersPart(_Part):
    """Selected names. `options` closes the list; `reserved` are symbols with a meaning of their own."""

    members: Literal[True]
    options: list[Text] | None = None
    reserved: list[Text] = []


ValuePart = Literal["switch"] | LevelsPart | ScopesPart | QuantityPart | MembersPart


class RulePart(_Part):
    """A requirement from a value upwards: enforced (`requires`) or advisory (`advises`)."""

    from_: Text = Field(alias="from")
    requires: Expression | None = None
    advises: Expression | None = None


class NodePart(_Part):
    """What every node may have. `heading` and `manual` cite the manual; by default the group's own."""

    key: Slug | None = None
    description: Text | None = None
    heading: Text | None = None
    manual: Text | None = None


class GroupPart(NodePart):
    """A heading of the manual, and what stands under it. The key is made of the label where none is given."""

    group: Text
    nodes: "list[AnyNodePart]" = []


class PermissionPart(NodePart):
    """A right that can be granted; with `access_level_of` the access level in a product, which is set."""

    permission: Text
    value: ValuePart = "switch"
    polarity: Literal["permission", "restriction", "setting"] = "permission"
    requires: Expression | None = None
    advises: Expression | None = None
    rules: list[RulePart] = []
    implies: list[Text] = []
    access_level_of: Text | None = None


class OperationPart(NodePart):
    """What somebody does, with the menu path that leads there (`A > B > C`)."""

    operation: Text
    menu: Text | None = None
    requires: Expression
    product: Text | None = None


def _kind_of_node(part: object) -> str | None:
    """Which of the three a node is, by the key that names it, so that its faults are those of that one alone."""
    for kind in ("group", "permission", "operation"):
        if kind in part if isinstance(part, dict) else hasattr(part, kind):
            return kind.title()
    return None


AnyNodePart = Annotated[
    Annotated[GroupPart, Tag("Group")]
    | Annotated[PermissionPart, Tag("Permission")]
    | Annotated[OperationPart, Tag("Operation")],
    Discriminator(
        _kind_of_node,
        custom_error_type="node",
        custom_error_message="a node begins with `group`, `permission` or `operation`",
    ),
]


class FactPart(_Part):
    """A fact that requirements may lean on."""

    name: Slug
    type: Literal["integer", "decimal", "boolean"]
    unit: Text | None = None
    of: Literal["contract", "user", "subscriber_link"]
    description: Text | None = None


class ProductPart(_Part):
    """What a contract is concluded about."""

    product: Text
    key: Slug | None = None


class ObligationPart(_Part):
    """What goes with a yes on the nodes `on_` (groups and the whole system too), when `when` and not `unless` holds."""

    obligation: Literal["MASK", "FILTER_TAGS", "FILTER_ROLE", "SCOPE"]
    on_: list[Text] = Field(alias="on", min_length=1)
    when: Expression | None = None
    unless: Expression | None = None
    fields: list[Text] = []
    keep: int | None = None
    values_of: Text | None = None
    values: Literal["roles"] | None = None


class TemplatePart(_Part):
    """A role that the manual describes, to start a role from. `grants`: node, or `node >= value`."""

    template: Text
    key: Slug | None = None
    description: Text | None = None
    heading: Text | None = None
    grants: list[Text]


class CatalogFile(_Part):
    """One system: one manual as data."""

    system: Slug
    label: Text
    description: Text | None = None
    manual: Text
    facts: list[FactPart] = []
    products: list[ProductPart] = []
    groups: list[GroupPart]
    obligations: list[ObligationPart] = []
    templates: list[TemplatePart] = []
    renamed: dict[str, str] = {}


def catalog_schema() -> dict[str, Any]:
    """The JSON Schema of a catalog file."""
    return CatalogFile.model_json_schema(by_alias=True)
