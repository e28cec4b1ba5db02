"""HTTP: the real application through its ASGI interface."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import httpx

from app.domain.catalog import Catalog, Operation, Permission
from app.domain.requirements import AtLeast, iterate_atoms
from tests import casefiles as form
from tests.casefiles import Ask, Do
from tests.casewords import (
    Answer,
    Names,
    Outcome,
    Refused,
    Words,
    read_step,
    say_change,
    say_obligation,
    say_path,
    word_grant,
    word_other,
)
from tests.doors.door import Snapshot, UnknownName, read_facts, read_value
from tests.doors.services import ServicesDoor

HOLDER = "{ __typename id ... on User { userName } ... on Role { key } ... on Team { key } }"
FIX = f"""{{
  grants {{ holder {HOLDER} permission {{ key }} value {{ text }} contract {{ id number }} }}
  removals {{ id }} other
}}"""
ERROR = f"""{{
  __typename code path message
  ... on InvalidValue {{ expected }}
  ... on PrerequisiteNotMet {{ holder {HOLDER} permission {{ key }} affectedCount missing {{ text }} fixes {FIX} }}
  ... on DependentsExist {{ holder {HOLDER} permission {{ key }} affectedCount dependents {{ key }} }}
}}"""
CHECK = f"""query Check($input: CheckInput!) {{
  check(input: $input) {{
    allowed state value {{ text }} missing {{ text }} missingFacts evaluatedAt
    obligations {{ kind fields values keep }} errors {ERROR}
    explanation {{
      complete steps {{ rule outcome }} wouldAllow {FIX} wouldDeny {FIX}
      contributions {{
        value {{ text }} source validUntil holders {HOLDER} impliedBy {{ key }} contract {{ id number }}
        grant {{ permission {{ key }} }}
      }}
    }}
  }}
}}"""
VIEWS = """query Views(
  $user: UserRef!, $node: String!, $contract: ContractRef, $facts: [FactInput!], $at: DateTime, $target: UserRef,
  $atLeast: RightValueInput
) {
  user(ref: $user) {
    can(node: $node, contract: $contract, facts: $facts, at: $at, target: $target, atLeast: $atLeast) { state }
    effectiveRights(nodes: [$node], contract: $contract, facts: $facts, at: $at) { value { text } state }
  }
}"""


class HttpDoor:
    """The real application through its ASGI interface: real documents, a real token."""

    name = "http"

    def __init__(self, below: ServicesDoor, client: httpx.AsyncClient) -> None:
        self.below = below
        self.catalog = below.catalog
        self.client = client

    async def look(self) -> Snapshot:
        return await self.below.look()

    async def run(self, query: str, variables: dict[str, Any]) -> dict[str, Any]:
        """The data of a document that must run without a fault."""
        response = await self.client.post("/graphql", json={"query": query, "variables": variables})
        answer = response.json()
        assert response.status_code == 200, answer
        assert "errors" not in answer, answer["errors"]
        data: dict[str, Any] = answer["data"]
        return data

    async def ask(self, ask: Ask) -> Answer:
        data = (await self.run(CHECK, {"input": self._question(ask)}))["check"]
        names = Names(self.catalog, await self.below.known_world())
        explanation = data["explanation"]
        steps = [step["rule"] for step in explanation["steps"] if step["outcome"] == "decided"]
        obligations = [say_obligation(o["kind"], o["fields"], o["keep"], o["values"]) for o in data["obligations"]]
        return Answer(
            allowed=data["allowed"],
            state=data["state"],
            value=None if data["value"] is None else data["value"]["text"],
            step=read_step(steps),
            missing=tuple(requirement["text"] for requirement in data["missing"]),
            missing_facts=tuple(data["missingFacts"]),
            obligations=tuple(sorted(obligations)),
            errors=tuple(_read_error(names, error) for error in data["errors"]),
            paths=tuple(sorted(_read_path(names, path, ask.node) for path in explanation["contributions"])),
            would_allow=_read_fixes(names, explanation["wouldAllow"]),
            would_deny=_read_fixes(names, explanation["wouldDeny"]),
            complete=explanation["complete"],
            evaluated_at=datetime.fromisoformat(data["evaluatedAt"]),
        )

    def _question(self, ask: Ask) -> dict[str, Any]:
        return _drop_none(
            user={"userName": ask.user}, node=ask.node, atLeast=_value_json(self.catalog, ask.node, ask.at_least),
            contract=_contract_json(ask.contract), target=None if ask.target is None else {"userName": ask.target},
            targetSubscriber=ask.target_subscriber,
            facts=[{"name": name, "value": text} for name, text in ask.facts.items()] or None, at=_moment(ask.at),
        )  # fmt: skip

    async def cross_check(self, ask: Ask, answer: Answer) -> None:
        if answer.errors or ask.target_subscriber is not None:
            return
        data = (await self.run(VIEWS, self._question(ask)))["user"]
        assert data["can"]["state"] == answer.state
        node = self.catalog.nodes[ask.node]
        if isinstance(node, Permission) and ask.at_least is None and ask.target is None:
            (right,) = data["effectiveRights"]
            assert (right["value"]["text"] != node.value_type.print(node.value_type.bottom)) is answer.allowed

    async def do(self, do: Do, *, dry: bool = False) -> Outcome:
        names = Names(self.catalog, await self.below.known_world())
        field_name, fields = self._mutation(do.deed, names)
        given = _drop_none(reason=do.reason) | ({"dryRun": True} if dry or do.dry_run else {})
        query = (
            f"mutation Do($input: {field_name[0].upper()}{field_name[1:]}Input!) {{ {field_name}(input: $input) {{ "
            f"revision errors {ERROR} warnings {ERROR} changes {{ action row before after detail holder {HOLDER} "
            "permission { key } role { id key } team { id key } contract { id number } } } }"
        )
        if isinstance(do.deed, form.Unassign):
            query = query.replace("UnassignRolesInput", "AssignRolesInput")
        if isinstance(do.deed, form.AddMembers | form.RemoveMembers):
            query = query.replace("AddTeamMembersInput", "TeamMembersInput")
            query = query.replace("RemoveTeamMembersInput", "TeamMembersInput")
        data = (await self.run(query, {"input": fields | given}))[field_name]
        if data["changes"] and data["revision"] is not None:
            self.below.forget()
        after = Names(self.catalog, await self.below.known_world())
        names.of = after.of | names.of
        names.rows |= after.rows
        return Outcome(
            errors=tuple(_read_error(names, error) for error in data["errors"]),
            warnings=tuple(_read_error(names, warning) for warning in data["warnings"]),
            changes=tuple(_read_change(names, change) for change in data["changes"]),
            revision=None if data["revision"] is None else int(data["revision"]),
        )

    def _mutation(self, deed: form.Deed, names: Names) -> tuple[str, dict[str, Any]]:
        """The field of the mutation and its input."""
        match deed:
            case form.Grant():
                return "grantPermissions", {
                    "holder": _holder_json(deed.to), "grants": self._grants(deed.rights),
                    "onMissingPrerequisites": deed.on_missing,
                }  # fmt: skip
            case form.Revoke():
                return "revokePermissions", {
                    "holder": _holder_json(deed.from_), "revokes": _revokes(names, deed.rights),
                    "onDependents": deed.on_dependents,
                }  # fmt: skip
            case form.Limit():
                return "limitPermissions", {
                    "holder": _holder_json(deed.on_), "limits": self._grants(deed.rights),
                    "onDependents": deed.on_dependents,
                }  # fmt: skip
            case form.Lift():
                return "liftLimits", {"holder": _holder_json(deed.from_), "limits": _revokes(names, deed.rights)}
            case form.Assign():
                return "assignRoles", {"holder": _holder_json(deed.to), "roles": _roles_json(deed.roles)}
            case form.Unassign():
                return "unassignRoles", {
                    "holder": _holder_json(deed.from_), "roles": _roles_json(deed.roles),
                    "onDependents": deed.on_dependents,
                }  # fmt: skip
            case form.AddMembers():
                return "addTeamMembers", _members_json(deed)
            case form.RemoveMembers():
                return "removeTeamMembers", _members_json(deed) | {"onDependents": deed.on_dependents}
            case form.CreateRole():
                return "createRole", {
                    "key": deed.key, "parents": [{"key": key} for key in deed.parents],
                    "grants": self._grants(deed.rights), "onMissingPrerequisites": deed.on_missing,
                }  # fmt: skip
            case form.UpdateRole():
                parents = None if deed.parents is None else [{"key": key} for key in deed.parents]
                changed = _given(deed, label="displayName", description="description")
                changed |= _drop_none(parents=parents, archived=deed.archived)
                return "updateRole", {"role": {"key": deed.role}, "onDependents": deed.on_dependents, **changed}
            case form.CloneRole():
                return "cloneRole", {"role": {"key": deed.role}, "key": deed.key}
            case form.ArchiveRole():
                return "archiveRole", {"role": {"key": deed.role}, "onDependents": deed.on_dependents}
            case form.CreateTeam():
                parent = None if deed.parent is None else {"key": deed.parent}
                return "createTeam", {"key": deed.key, "kind": deed.kind, **_drop_none(parent=parent)}
            case form.UpdateTeam():
                changed = _given(deed, label="displayName", parent="parent")
                if deed.parent is not None:
                    changed["parent"] = {"key": deed.parent}
                return "updateTeam", {"team": {"key": deed.team}, "onDependents": deed.on_dependents, **changed}
            case form.ArchiveTeam():
                return "archiveTeam", {"team": {"key": deed.team}, "onDependents": deed.on_dependents}
        return self._other_mutation(deed)

    def _other_mutation(self, deed: form.Deed) -> tuple[str, dict[str, Any]]:
        attributes = {"user_name": "userName", "label": "displayName", "email": "email", "external_id": "externalId"}
        match deed:
            case form.CreateUser():
                return "createUser", _given(deed, **attributes)
            case form.UpdateUser():
                return "updateUser", {"user": {"userName": deed.user}, **_given(deed, **attributes)}
            case form.SetStatus():
                return "setUserStatus", {"user": {"userName": deed.user}, "status": deed.status}
            case form.SetOwner():
                return "setAccountOwner", {"user": {"userName": deed.user}, "isOwner": deed.owner}
            case form.Register():
                return "registerContract", {
                    "number": deed.number, "name": deed.name, "owner": {"userName": deed.owner},
                    "products": deed.products,
                }  # fmt: skip
            case form.UpdateContract():
                return "updateContract", {
                    "contract": {"number": deed.contract}, "onDependents": deed.on_dependents,
                    **_given(deed, name="name", status="status", products="products"),
                }  # fmt: skip
            case form.SetLevels():
                levels = [
                    {"user": {"userName": item.user}, "product": item.product, "level": item.level}
                    for item in deed.levels
                ]
                return "setAccessLevels", {"contract": {"number": deed.contract}, "levels": levels}
            case form.Transfer():
                return "transferContract", {"contract": {"number": deed.contract}, "to": {"userName": deed.to}}
            case form.Link():
                return "linkSubscriber", {
                    "contract": {"number": deed.contract}, "user": {"userName": deed.user},
                    **_given(deed, subscriber="subscriber"),
                }  # fmt: skip
            case form.SetFacts():
                facts = [{"name": name, "value": text} for name, text in read_facts(deed)]
                user = None if deed.user is None else {"userName": deed.user}
                return "setFacts", {"facts": facts, **_drop_none(contract=_contract_json(deed.contract), user=user)}
        raise UnknownName(type(deed).__name__)

    def _grants(self, rights: Sequence[form.Right]) -> list[dict[str, Any]]:
        return [
            _drop_none(
                permission=right.right, value=_value_json(self.catalog, right.right, right.value), **_window_json(right)
            )
            for right in rights
        ]


def _drop_none(**fields: Any) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not None}


def _given(deed: Any, **fields: str) -> dict[str, Any]:
    """The fields that the case gives, null ones too, under their names in the schema."""
    return {camel_name: getattr(deed, name) for name, camel_name in fields.items() if name in deed.model_fields_set}


def _moment(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat()


def _contract_json(number: str | None) -> dict[str, str] | None:
    return None if number is None else {"number": number}


def _holder_json(holder: form.HolderName) -> dict[str, Any]:
    return {holder.noun: {"userName" if holder.noun == "user" else "key": holder.name}}


def _value_json(catalog: Catalog, node: str, raw: form.RawValue) -> dict[str, Any] | None:
    value = read_value(catalog, node, raw)
    return None if value is None else {value.field: value.given}


def _window_json(item: Any) -> dict[str, Any]:
    return _drop_none(
        contract=_contract_json(item.contract), validFrom=_moment(item.from_), validUntil=_moment(item.until)
    )


def _roles_json(roles: Sequence[form.AssignedRole]) -> list[dict[str, Any]]:
    return [{"role": {"key": item.role}, **_window_json(item)} for item in roles]


def _revokes(names: Names, rights: Sequence[form.Ended]) -> list[dict[str, Any]]:
    return [
        _drop_none(
            id=row.id if row.row is None else names.find_row(row.row), permission=row.right,
            contract=_contract_json(row.contract), source=row.source,
        )
        for row in rights
    ]  # fmt: skip


def _members_json(deed: form.AddMembers | form.RemoveMembers) -> dict[str, Any]:
    users = [{"userName": name} for name in deed.users]
    return {"team": {"key": deed.team}, "users": users, "supervisor": deed.supervisor, **_window_json(deed)}


# ---------------------------------------------------------------------- answers in words


def _learn(names: Names, data: dict[str, Any] | None) -> str | None:
    """The id of a holder or a contract; what the names do not know yet (what a dry run made) they learn."""
    if data is None:
        return None
    words = data.get("userName") or data.get("number")
    if words is None:
        words = f"{data.get('__typename', 'Role').lower()} {data['key']}"
    names.of.setdefault(data["id"], words)
    identity: str = data["id"]
    return identity


def _read_fixes(names: Names, fixes: list[dict[str, Any]]) -> frozenset[Words]:
    return frozenset(_read_fix(names, fix) for fix in fixes)


def _read_fix(names: Names, fix: dict[str, Any]) -> Words:
    words = [
        word_grant(
            names, grant["permission"]["key"], grant["value"]["text"], _learn(names, grant["holder"]),
            _learn(names, grant["contract"]),
        )
        for grant in fix["grants"]
    ]  # fmt: skip
    words += [names.ended(names.rows[row["id"]]) for row in fix["removals"]]
    return frozenset([*words, *(word_other(names, sentence) for sentence in fix["other"])])


def _read_path(names: Names, path: dict[str, Any], asked: str) -> str:
    grant = path["grant"]
    key = asked if grant is None else grant["permission"]["key"]
    giver = None if path["impliedBy"] is None else path["impliedBy"]["key"]
    node = names.catalog.nodes[asked]
    # Of what an operation needs HTTP does not say which right a path brings, where the grant is of another or none.
    if isinstance(node, Operation) and (grant is None or giver is not None):
        given = {permission.key for permission in names.catalog.access_nodes.values()}
        if giver is not None:
            given = {implied.node for implied in names.catalog.require_permission(giver).implies}
        needed = [atom.node for atom in iterate_atoms(node.requirement) if isinstance(atom, AtLeast)]
        key = next(node for node in needed if node in given)
    elif giver is not None:
        key = asked
    until = path["validUntil"]
    return say_path(
        names, [str(_learn(names, holder)) for holder in path["holders"]], names.right(key, path["value"]["text"]),
        giver, _learn(names, path["contract"]),
        None if until is None else datetime.fromisoformat(until), path["source"],
    )  # fmt: skip


TYPE_OF_CODE = {"PREREQUISITE_NOT_MET": "PrerequisiteNotMet", "DEPENDENTS_EXIST": "DependentsExist"}


def _read_error(names: Names, error: dict[str, Any]) -> Refused:
    whole: dict[str, Any] = {"code": error["code"], "path": ".".join(error["path"]), "message": error["message"]}
    kind = error["__typename"]
    if kind == "InvalidValue":
        whole["expected"] = error["expected"]
    if kind in TYPE_OF_CODE.values():
        assert TYPE_OF_CODE[error["code"]] == kind
        holder = _learn(names, error["holder"])
        whole["holder"] = None if holder is None else names.of[holder]
        whole["permission"] = error["permission"]["key"]
        whole["affected"] = error["affectedCount"]
    if kind == "PrerequisiteNotMet":
        whole["missing"] = tuple(requirement["text"] for requirement in error["missing"])
        whole["fixes"] = _read_fixes(names, error["fixes"])
    if kind == "DependentsExist":
        whole["dependents"] = tuple(sorted(node["key"] for node in error["dependents"]))
    return Refused(**whole)


def _read_change(names: Names, change: dict[str, Any]) -> str:
    assert change["row"], "every change names its row"
    role, team = change["role"], change["team"]
    return say_change(
        names, action=change["action"], holder=_learn(names, change["holder"]),
        node=None if change["permission"] is None else change["permission"]["key"],
        role=None if role is None else _learn(names, role | {"__typename": "Role"}),
        team=None if team is None else _learn(names, team | {"__typename": "Team"}),
        contract=_learn(names, change["contract"]), before=change["before"], after=change["after"],
        detail=change["detail"],
    )  # fmt: skip
