"""The closed vocabularies of the domain, described for the schema.

Importing this module is what makes them GraphQL enums, under the names of their classes; the schema uses the domain's
own classes.
"""

from collections.abc import Mapping
from enum import EnumMeta, StrEnum

import strawberry

from app.domain.catalog import Polarity
from app.domain.changes import Dependents, MissingPrerequisites
from app.domain.contracts import AccessLevel
from app.domain.errors import ErrorCode
from app.domain.holders import ContractStatus, TeamKind, UserKind, UserStatus
from app.domain.requirements import Enforcement
from app.domain.rights import State
from app.domain.sync.desired import SyncMode
from app.domain.sync.runs import SyncAction, SyncStatus


class PermissionNodeKind(StrEnum):
    """What an entry of a catalog is. Upper case noun, as the contract spells it."""

    GROUP = "GROUP"
    PERMISSION = "PERMISSION"
    OPERATION = "OPERATION"


def _describe(enum: EnumMeta, description: str, values: Mapping[str, str], *, name: str | None = None) -> None:
    strawberry.enum(enum, name=name or enum.__name__, description=description)
    for value in enum.__strawberry_definition__.values:  # type: ignore[attr-defined]  # the line above put it there
        value.description = values[value.name]


_describe(
    Polarity,
    "What more of a right means.",
    {
        "PERMISSION": "More may be done.",
        "RESTRICTION": "Less may be done; whoever imposes it, imposes it.",
        "SETTING": "Neither: something about the person is set.",
    },
)
_describe(
    Enforcement,
    "Whether a requirement is kept up.",
    {
        "ENFORCED": "Stated by the manual: a write that would break it is refused, a right without it suspended.",
        "ADVISORY": "Suggested by good sense: a warning when it is not met, never a refusal.",
    },
)
_describe(
    State,
    "How a right stands: whether it is there, or at which step of the decision it was lost.",
    {
        "ACTIVE": "It holds.",
        "SUSPENDED": "It is granted, but what it requires does not hold.",
        "LIMITED": "It is granted, but an inactive person, a contract, a product or a limit holds it back.",
        "CONDITIONAL": "It holds if facts or a target that are not known are as they should be. Not a yes.",
        "NOT_GRANTED": "Nothing gives it.",
    },
    name="RightState",
)
_describe(
    UserStatus,
    "Whether somebody may do anything at all.",
    {
        "ACTIVE": "May do what their rights allow.",
        "SUSPENDED": "May do nothing for now; rights and memberships stay.",
        "ARCHIVED": "Gone; kept for the history. The name is not given again.",
    },
)
_describe(UserKind, "A human being or a machine.", {"PERSON": "A human being.", "SERVICE": "A service account."})
_describe(
    TeamKind,
    "What a team is in the contact centre.",
    {
        "TEAM": "People who share roles.",
        "GROUP": "A group of agents: rights of the scope `same group` reach its members.",
        "QUEUE": "A queue: rights of the scope `same queue` reach its members.",
    },
)
_describe(
    ContractStatus,
    "Whether a contract is in force.",
    {
        "ACTIVE": "In force.",
        "SUSPENDED": "Not in force for now: permissions in it are held back, but for account owners.",
        "ENDED": "Not in force any more.",
    },
)
_describe(
    AccessLevel,
    "The level of a person in one product of a contract. From the lowest: WITHOUT_ACCESS, USER, ADMINISTRATOR, OWNER.",
    {
        "WITHOUT_ACCESS": "May use the product, not view or edit its data.",
        "USER": "Views the settings of the product.",
        "ADMINISTRATOR": "Changes the settings of the product.",
        "OWNER": "The owner of the contract; comes with registering or transferring it alone.",
    },
)
_describe(
    MissingPrerequisites,
    "What to do where a granted right lacks what it needs.",
    {
        "REJECT": "Refuse, naming what is missing and the smallest sets that would do.",
        "INCLUDE": "Grant the smallest set along, where there is only one.",
    },
)
_describe(
    Dependents,
    "What to do with rights that stand on what goes.",
    {
        "REJECT": "Refuse, naming them.",
        "CASCADE": "End them on the same holder too; no other holder is touched.",
        "SUSPEND": "Leave them: they are suspended until what they need is back.",
    },
)
_describe(
    SyncMode,
    "What a sync does where items break a rule.",
    {
        "ATOMIC": "Nothing at all: everything, or nothing.",
        "PARTIAL": "The rest: what is valid, and does not build upon what is refused.",
    },
)
_describe(
    SyncStatus,
    "What has become of a plan.",
    {
        "PLANNED": "It can be applied, where the brake does not stop it.",
        "APPLIED": "It was done.",
        "REFUSED": "Something stands in its way: mend what the source sends, and plan again.",
        "STALE": "Something that it read has changed: plan again.",
    },
)
_describe(
    SyncAction,
    "What an item of a plan does, or what stands in its way.",
    {
        "CREATE": "Makes a person, a role, a team or a row.",
        "UPDATE": "Changes a person, a role or a team, suspends or archives it; or puts a level in place of another.",
        "REMOVE": "Ends a row of the source.",
        "CONFLICT": "It contradicts what another source or a person manages; `takeOver` adopts that.",
        "REFUSED": "It breaks a rule, a guard, or cannot be read.",
    },
)
_describe(
    PermissionNodeKind,
    "What an entry of a catalog is.",
    {
        "GROUP": "A heading of the manual.",
        "PERMISSION": "A right that can be granted, or an access level.",
        "OPERATION": "Something that is done; computed from its requirement.",
    },
)
_describe(
    ErrorCode,
    "What kind of refusal or warning.",
    {
        "PREREQUISITE_NOT_MET": "A right would stand without what it needs.",
        "DEPENDENTS_EXIST": "Other rights stand on what would go.",
        "INVALID_VALUE": "A field holds what it cannot hold.",
        "NOT_FOUND": "Nothing there, or nothing there for the caller.",
        "NOT_PERMITTED": "The caller, or anybody, may not do this.",
        "DELEGATION_EXCEEDED": "The caller holds less than they would give.",
        "SELF_ELEVATION": "The caller would raise themselves.",
        "LAST_OWNER": "The account or a contract would be left without its owner.",
        "UNMANAGEABLE_RIGHT": "Nobody but account owners could manage the right any more.",
        "CONFLICT": "The request contradicts what stands.",
        "STALE_REVISION": "Something changed since the revision that the request expects.",
        "STALE_PLAN": "Something that the plan read has changed.",
        "BRAKE": "The change would take away more than is let through without an override.",
        "CYCLE": "A role or team would include itself.",
        "DUPLICATE": "A name is taken, or a thing stands twice in the request.",
        "IN_USE": "Something still uses it.",
        "IDEMPOTENCY_MISMATCH": "The idempotency key was used with another input.",
        "NOT_GRANTABLE": "This takes no grants or limits.",
        "ADVISORY": "Done, but an advisory requirement is not met, or something holds the right back.",
        "PREREQUISITE_ENDS_EARLIER": "What the right needs ends before it does.",
        "TOO_MANY": "More than is taken or listed in one request.",
    },
)
