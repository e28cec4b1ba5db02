"""Who calls, and the one table that says which operation needs which right of the gateway (SEMANTICS section 8).

The gateway's own rights are permissions of the built-in system `gateway`, granted like any other. An operation that is
not in the table is refused. `authority` tells whether a caller holds what the table asks; `guards` asks again of every
single change, whichever operation brings it about.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from app.domain.holders import UserId, UserKind

GATEWAY = "gateway"  # the built-in system of the gateway's own rights
SYSTEM_ACTOR = "permgate"  # the actor of what the gateway does by itself: loading a catalog, the first owner


@dataclass(frozen=True, slots=True)
class Caller:
    """An authenticated user or service account, as it was when it was authenticated.

    `token` is the id of the gateway token it came with, None for a token of another issuer. After `expires_at` it is
    not good any more.
    """

    user: UserId
    user_name: str
    token: str | None = None
    expires_at: datetime | None = None
    kind: UserKind = UserKind.PERSON
    is_owner: bool = False


class Right(StrEnum):
    """A permission of the system `gateway`, by its key in `catalogs/gateway.yaml`: group, then verb."""

    VIEW_USERS = "gateway.users.view"
    MANAGE_USERS = "gateway.users.manage"
    VIEW_ROLES = "gateway.roles.view"
    MANAGE_ROLES = "gateway.roles.manage"
    VIEW_TEAMS = "gateway.teams.view"
    MANAGE_TEAMS = "gateway.teams.manage"
    MANAGE_MEMBERS = "gateway.teams.manage_members"
    VIEW_RIGHTS = "gateway.rights.view"
    GRANT_RIGHTS = "gateway.rights.grant"
    ASSERT_FACTS = "gateway.rights.assert_facts"
    VIEW_CONTRACTS = "gateway.contracts.view"
    REGISTER_CONTRACTS = "gateway.contracts.register"
    MANAGE_CONTRACTS = "gateway.contracts.manage"
    SET_FACTS = "gateway.contracts.set_facts"
    MANAGE_TOKENS = "gateway.callers.manage_tokens"
    MANAGE_SERVICE_ACCOUNTS = "gateway.callers.manage_service_accounts"
    VIEW_HISTORY = "gateway.history.view"
    VIEW_SYNC = "gateway.sync.view"
    RUN_SYNC = "gateway.sync.run"


class Standing(StrEnum):
    """What opens an operation beside a right of the gateway, in words for a description. Noun phrase."""

    ANYBODY = "nothing but a valid token"
    ONESELF = "to be the user it is about"
    PART = "to have part in it"  # a role or team that the caller includes, a contract of theirs
    CORE_ADMINISTRATOR = "the level ADMINISTRATOR or OWNER in System [CORE] of the contract"
    CONTRACT_OWNER = "to own the contract"
    ACCOUNT_OWNER = "to own the account"


@dataclass(frozen=True, slots=True)
class Need:
    """What an operation needs: `right`, or one of `standing`. Owners of the account have every right.

    A right held in one contract opens what is scoped to it; `everywhere`: it opens nothing here.
    """

    right: Right | None = None
    standing: tuple[Standing, ...] = ()
    everywhere: bool = False

    def __str__(self) -> str:
        """A sentence for a description."""
        if self.right is None:
            return f"Needs {' or '.join(self.standing)}."
        held = " held everywhere" if self.everywhere else ""
        others = "".join(f", or {standing}" for standing in self.standing)
        return f"Needs the right `{self.right}`{held}{others}."


_ANYBODY = Need(standing=(Standing.ANYBODY,))
_ONESELF = (Standing.ONESELF,)
_PART = (Standing.PART,)
_LEVELS = (Standing.CORE_ADMINISTRATOR,)

OPERATIONS: Mapping[str, Need] = {
    # ---- changing: the mutations, by their names
    "createUser": Need(Right.MANAGE_USERS, everywhere=True),
    "updateUser": Need(Right.MANAGE_USERS, everywhere=True),
    "setUserStatus": Need(Right.MANAGE_USERS, everywhere=True),
    "createRole": Need(Right.MANAGE_ROLES, everywhere=True),
    "updateRole": Need(Right.MANAGE_ROLES, everywhere=True),
    "cloneRole": Need(Right.MANAGE_ROLES, everywhere=True),
    "archiveRole": Need(Right.MANAGE_ROLES, everywhere=True),
    "createTeam": Need(Right.MANAGE_TEAMS, everywhere=True),
    "updateTeam": Need(Right.MANAGE_TEAMS, everywhere=True),
    "archiveTeam": Need(Right.MANAGE_TEAMS, everywhere=True),
    "addTeamMembers": Need(Right.MANAGE_MEMBERS),
    "removeTeamMembers": Need(Right.MANAGE_MEMBERS),
    "grantPermissions": Need(Right.GRANT_RIGHTS),
    "revokePermissions": Need(Right.GRANT_RIGHTS),
    "limitPermissions": Need(Right.GRANT_RIGHTS),
    "liftLimits": Need(Right.GRANT_RIGHTS),
    "assignRoles": Need(Right.GRANT_RIGHTS),
    "unassignRoles": Need(Right.GRANT_RIGHTS),
    "registerContract": Need(Right.REGISTER_CONTRACTS, everywhere=True),
    "updateContract": Need(Right.MANAGE_CONTRACTS),
    "setAccessLevels": Need(standing=(Standing.CORE_ADMINISTRATOR, Standing.ACCOUNT_OWNER)),
    "transferContract": Need(standing=(Standing.CONTRACT_OWNER, Standing.ACCOUNT_OWNER)),
    "linkSubscriber": Need(Right.MANAGE_CONTRACTS, standing=_LEVELS),
    "setFacts": Need(Right.SET_FACTS),
    "setAccountOwner": Need(standing=(Standing.ACCOUNT_OWNER,)),
    "createServiceAccount": Need(Right.MANAGE_SERVICE_ACCOUNTS, everywhere=True),
    "updateServiceAccount": Need(Right.MANAGE_SERVICE_ACCOUNTS, everywhere=True),
    "issueToken": Need(Right.MANAGE_TOKENS, standing=_ONESELF, everywhere=True),
    "revokeToken": Need(Right.MANAGE_TOKENS, standing=_ONESELF, everywhere=True),
    "planSync": Need(Right.RUN_SYNC, everywhere=True),
    "applySync": Need(Right.RUN_SYNC, everywhere=True),
    # ---- asking: the queries, by their names
    "viewer": _ANYBODY,
    "revision": _ANYBODY,
    "systems": _ANYBODY,
    "system": _ANYBODY,
    "permissionNode": _ANYBODY,
    "permissionNodes": _ANYBODY,
    "products": _ANYBODY,
    "node": _ANYBODY,
    "nodes": _ANYBODY,
    "user": Need(Right.VIEW_USERS, standing=_ONESELF),
    "users": Need(Right.VIEW_USERS, standing=_ONESELF),
    "role": Need(Right.VIEW_ROLES, standing=_PART),
    "roles": Need(Right.VIEW_ROLES, standing=_PART),
    "team": Need(Right.VIEW_TEAMS, standing=_PART),
    "teams": Need(Right.VIEW_TEAMS, standing=_PART),
    "contract": Need(Right.VIEW_CONTRACTS, standing=_PART),
    "contracts": Need(Right.VIEW_CONTRACTS, standing=_PART),
    "facts": Need(Right.VIEW_CONTRACTS, standing=_LEVELS),
    "check": Need(Right.VIEW_RIGHTS, standing=_ONESELF),
    "checkMany": Need(Right.VIEW_RIGHTS, standing=_ONESELF),
    "simulate": Need(Right.VIEW_RIGHTS),
    "auditLog": Need(Right.VIEW_HISTORY),
    "syncRun": Need(Right.VIEW_SYNC, everywhere=True),
    "syncRuns": Need(Right.VIEW_SYNC, everywhere=True),
    "syncSources": Need(Right.VIEW_SYNC, everywhere=True),
    "verifyAudit": Need(Right.VIEW_HISTORY, everywhere=True),
    # ---- asking further: fields that show what their parent alone does not open
    "Holder.grants": Need(Right.VIEW_RIGHTS, standing=(Standing.ONESELF, Standing.PART)),
    "Holder.limits": Need(Right.VIEW_RIGHTS, standing=(Standing.ONESELF, Standing.PART)),
    "User.roles": Need(Right.VIEW_RIGHTS, standing=_ONESELF),
    "User.teams": Need(Right.VIEW_TEAMS, standing=_ONESELF),
    "User.contracts": Need(Right.VIEW_CONTRACTS, standing=(Standing.ONESELF, *_LEVELS)),
    "User.facts": Need(Right.VIEW_USERS, standing=_ONESELF),
    "User.tokens": Need(Right.MANAGE_TOKENS, standing=_ONESELF, everywhere=True),
    "User.effectiveRights": Need(Right.VIEW_RIGHTS, standing=_ONESELF),
    "User.can": Need(Right.VIEW_RIGHTS, standing=_ONESELF),
    "User.operations": Need(Right.VIEW_RIGHTS, standing=_ONESELF),
    "Role.rights": Need(Right.VIEW_RIGHTS, standing=_PART),
    "Role.members": Need(Right.VIEW_RIGHTS),
    "Team.roles": Need(Right.VIEW_RIGHTS, standing=_PART),
    "Team.members": Need(Right.VIEW_TEAMS),
    "Contract.owner": Need(Right.VIEW_USERS, standing=_ONESELF),
    "Contract.facts": Need(Right.VIEW_CONTRACTS, standing=_LEVELS),
    "Contract.access": Need(Right.VIEW_CONTRACTS, standing=_LEVELS),
    "Permission.holders": Need(Right.VIEW_RIGHTS),
    "Operation.holders": Need(Right.VIEW_RIGHTS),
    # ---- listening: the subscriptions, by their names
    "changes": Need(Right.VIEW_HISTORY),
    "rightsChanged": Need(Right.VIEW_RIGHTS, standing=_ONESELF),
}
