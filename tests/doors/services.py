"""The services over a real database; nothing of GraphQL."""

from collections.abc import Sequence
from pathlib import Path

from app.domain.callers import Caller
from app.domain.catalog import Catalog, Permission
from app.domain.changes import MissingPrerequisites
from app.domain.contracts import AccessLevel
from app.domain.holders import ContractStatus, TeamKind, UserStatus
from app.domain.paging import Slice
from app.domain.references import Ref
from app.domain.wishes.roles import RoleAsked
from app.domain.wishes.teams import TeamAsked
from app.domain.wishes.users import UNCHANGED
from app.domain.world import Change, World
from app.services import access
from app.services import contracts as contract_services
from app.services import grants as grant_services
from app.services import roles as role_services
from app.services import teams as team_services
from app.services import users as user_services
from app.services.context import Services
from app.services.grants import AssignItem, GrantItem, RevokeItem
from app.services.references import HolderRef
from app.services.writing import WriteOptions, Written
from tests import casefiles as form
from tests.casefiles import Ask, Do
from tests.casewords import Answer, Names, Outcome, word_change, word_decision, word_error
from tests.doors.door import (
    Snapshot,
    UnknownName,
    read_dependents,
    read_facts,
    read_patch,
    read_user,
    read_value,
)
from tests.factories import Place, read_database, select

NO_CHANGE = ('INSERT INTO "tokens"', 'INSERT INTO "security_events"')  # asking uses a token, a refusal is noted


class ServicesDoor:
    """The services over a real database; nothing of GraphQL."""

    name = "services"

    def __init__(
        self, services: Services, caller: Caller, place: Place | None = None, *, known: World | None = None
    ) -> None:
        self.services = services
        self.place = place or Path(str(services.database.engine.url.database))
        self.catalog = services.catalog
        self.caller = caller
        self.has_written = False
        self._known = known  # as it was when last looked at: only `do` changes it

    async def known_world(self) -> World:
        """The world as it was last looked at, to tell names by."""
        if self._known is None:
            self._known = await read_world(self.services)
        return self._known

    def forget(self) -> None:
        """What was known is known no more: something was written."""
        self.has_written = True
        self._known = None

    async def look(self) -> Snapshot:
        """Read past the program: every row of every table, whatever wrote it."""
        lines = read_database(self.place).splitlines()
        content = tuple(line for line in lines if not line.startswith(NO_CHANGE))
        (last,) = select(self.place, "SELECT revision, hash FROM audit_entries ORDER BY revision DESC LIMIT 1")
        return Snapshot(*last, content)

    async def ask(self, ask: Ask) -> Answer:
        async with self.services.reading(self.caller) as reading:
            decision = (await access.check_many(reading, [self._question(ask)]))[0]
        return word_decision(Names(self.catalog, await self.known_world()), decision)

    def _question(self, ask: Ask) -> access.CheckAsked:
        return access.CheckAsked(
            user=Ref.of("user_name", ask.user), node=ask.node,
            at_least=read_value(self.catalog, ask.node, ask.at_least), contract=_contract_ref(ask.contract),
            target=None if ask.target is None else Ref.of("user_name", ask.target),
            target_subscriber=ask.target_subscriber, facts=tuple(ask.facts.items()), at=ask.at,
        )  # fmt: skip

    async def cross_check(self, ask: Ask, answer: Answer) -> None:
        node = self.catalog.nodes.get(ask.node)
        if answer.errors or node is None or ask.target is not None or ask.target_subscriber is not None:
            return
        circumstances = access.Circumstances(
            contract=_contract_ref(ask.contract), facts=tuple(ask.facts.items()), at=ask.at
        )
        async with self.services.reading() as reading:
            user = await user_services.find_user(reading, Ref.of("user_name", ask.user))
            assert user is not None
            if isinstance(node, Permission):
                choice = access.Choice(nodes=frozenset([node.key]))
                (right,) = await access.list_effective_rights(reading, user.id, circumstances, choice)
                if ask.at_least is None:
                    assert (right.value != node.value_type.bottom) is answer.allowed
            else:
                decisions = await access.list_operations(reading, user.id, circumstances, system=node.system)
                assert [d.state for d in decisions if d.node is node] == [answer.state]
            if not ask.facts and ask.at is None:
                page, number = await access.list_holders(
                    reading, node, contract=_contract_ref(ask.contract),  # type: ignore[arg-type]  # no group is asked
                    at_least=read_value(self.catalog, ask.node, ask.at_least), part=Slice(limit=100),
                )  # fmt: skip
                assert number == len(page.items)
                assert (ask.user in {holder.user_name for holder in page.items}) is answer.allowed

    async def do(self, do: Do, *, dry: bool = False) -> Outcome:
        before = await self.known_world()
        options = WriteOptions(reason=do.reason, dry_run=dry or do.dry_run)
        written = await self._write(do.deed, Names(self.catalog, before), options)
        if written.changes and not options.dry_run:
            self.forget()
        names = Names(self.catalog, written.after or await self.known_world())
        names.of |= Names(self.catalog, before).of
        return Outcome(
            errors=tuple(word_error(names, error) for error in written.errors),
            warnings=tuple(word_error(names, warning) for warning in written.warnings),
            changes=tuple(word_change(names, record) for record in written.changes),
            revision=written.revision,
        )

    async def _write(self, deed: form.Deed, names: Names, options: WriteOptions) -> Written:
        services, caller, catalog = self.services, self.caller, self.catalog
        match deed:
            case form.Grant():
                return await grant_services.grant_permissions(
                    services, caller, _holder_ref(deed.to), _grant_items(catalog, deed.rights),
                    on_missing=MissingPrerequisites(deed.on_missing), options=options,
                )  # fmt: skip
            case form.Revoke():
                return await grant_services.revoke_permissions(
                    services, caller, _holder_ref(deed.from_), _revoke_items(names, deed.rights),
                    on_dependents=read_dependents(deed), options=options,
                )  # fmt: skip
            case form.Limit():
                return await grant_services.limit_permissions(
                    services, caller, _holder_ref(deed.on_), _grant_items(catalog, deed.rights),
                    on_dependents=read_dependents(deed), options=options,
                )  # fmt: skip
            case form.Lift():
                return await grant_services.lift_limits(
                    services, caller, _holder_ref(deed.from_), _revoke_items(names, deed.rights), options=options
                )
            case form.Assign():
                return await grant_services.assign_roles(
                    services, caller, _holder_ref(deed.to), _assign_items(deed.roles), options=options
                )
            case form.Unassign():
                return await grant_services.unassign_roles(
                    services, caller, _holder_ref(deed.from_), _assign_items(deed.roles),
                    on_dependents=read_dependents(deed), options=options,
                )  # fmt: skip
            case form.AddMembers():
                return await team_services.add_team_members(services, caller, _members(deed), options=options)
            case form.RemoveMembers():
                return await team_services.remove_team_members(
                    services, caller, _members(deed), on_dependents=read_dependents(deed), options=options
                )
            case form.CreateRole() | form.UpdateRole() | form.CloneRole() | form.ArchiveRole():
                return await self._write_role(deed, options)
            case form.CreateTeam() | form.UpdateTeam() | form.ArchiveTeam():
                return await self._write_team(deed, options)
            case form.CreateUser() | form.UpdateUser() | form.SetStatus() | form.SetOwner():
                return await self._write_user(deed, options)
        return await self._write_contract(deed, options)

    async def _write_role(self, deed: form.Deed, options: WriteOptions) -> Written:
        services, caller = self.services, self.caller
        match deed:
            case form.CreateRole():
                return await role_services.create_role(
                    services, caller, deed.key, RoleAsked(), parents=[Ref.of("key", key) for key in deed.parents],
                    grants=_grant_items(self.catalog, deed.rights), on_missing=MissingPrerequisites(deed.on_missing),
                    options=options,
                )  # fmt: skip
            case form.CloneRole():
                return await role_services.clone_role(
                    services, caller, Ref.of("key", deed.role), deed.key, None, options=options
                )
            case form.ArchiveRole():
                return await role_services.archive_role(
                    services, caller, Ref.of("key", deed.role), on_dependents=read_dependents(deed), options=options
                )
            case form.UpdateRole():
                parents = None if deed.parents is None else [Ref.of("key", key) for key in deed.parents]
                asked = RoleAsked(
                    display_name=read_patch(deed, "label"), description=read_patch(deed, "description"),
                    archived=UNCHANGED if deed.archived is None else deed.archived,
                )  # fmt: skip
                return await role_services.update_role(
                    services, caller, Ref.of("key", deed.role), asked,
                    parents=UNCHANGED if parents is None else parents, on_dependents=read_dependents(deed),
                    options=options,
                )  # fmt: skip
        raise UnknownName(type(deed).__name__)

    async def _write_team(self, deed: form.Deed, options: WriteOptions) -> Written:
        services, caller = self.services, self.caller
        match deed:
            case form.CreateTeam():
                parent = None if deed.parent is None else Ref.of("key", deed.parent)
                return await team_services.create_team(
                    services, caller, deed.key, TeamKind(deed.kind), TeamAsked(), parent=parent, options=options
                )
            case form.ArchiveTeam():
                return await team_services.archive_team(
                    services, caller, Ref.of("key", deed.team), on_dependents=read_dependents(deed), options=options
                )
            case form.UpdateTeam():
                parent = None if deed.parent is None else Ref.of("key", deed.parent)
                return await team_services.update_team(
                    services, caller, Ref.of("key", deed.team), TeamAsked(display_name=read_patch(deed, "label")),
                    parent=parent if "parent" in deed.model_fields_set else UNCHANGED,
                    on_dependents=read_dependents(deed), options=options,
                )  # fmt: skip
        raise UnknownName(type(deed).__name__)

    async def _write_user(self, deed: form.Deed, options: WriteOptions) -> Written:
        services, caller = self.services, self.caller
        match deed:
            case form.CreateUser():
                return await user_services.create_user(services, caller, read_user(deed), options=options)
            case form.UpdateUser():
                return await user_services.update_user(
                    services, caller, Ref.of("user_name", deed.user), read_user(deed), options=options
                )
            case form.SetStatus():
                return await user_services.set_user_status(
                    services, caller, Ref.of("user_name", deed.user), UserStatus(deed.status), options=options
                )
            case form.SetOwner():
                return await user_services.set_account_owner(
                    services, caller, Ref.of("user_name", deed.user), is_owner=deed.owner, options=options
                )
        raise UnknownName(type(deed).__name__)

    async def _write_contract(self, deed: form.Deed, options: WriteOptions) -> Written:
        services, caller = self.services, self.caller
        match deed:
            case form.Register():
                return await contract_services.register_contract(
                    services, caller, number=deed.number, name=deed.name, owner=Ref.of("user_name", deed.owner),
                    products=deed.products, options=options,
                )  # fmt: skip
            case form.UpdateContract():
                return await contract_services.update_contract(
                    services, caller, Ref.of("number", deed.contract), name=read_patch(deed, "name"),
                    status=UNCHANGED if deed.status is None else ContractStatus(deed.status),
                    products=read_patch(deed, "products"), on_dependents=read_dependents(deed), options=options,
                )  # fmt: skip
            case form.SetLevels():
                levels = [
                    contract_services.LevelItem(
                        user=Ref.of("user_name", item.user), product=item.product,
                        level=None if item.level is None else AccessLevel(item.level),
                    )
                    for item in deed.levels
                ]  # fmt: skip
                return await contract_services.set_access_levels(
                    services, caller, Ref.of("number", deed.contract), levels, options=options
                )
            case form.Transfer():
                return await contract_services.transfer_contract(
                    services, caller, Ref.of("number", deed.contract), Ref.of("user_name", deed.to), options=options
                )
            case form.Link():
                return await contract_services.link_subscriber(
                    services, caller, Ref.of("number", deed.contract), Ref.of("user_name", deed.user),
                    read_patch(deed, "subscriber"), options=options,
                )  # fmt: skip
            case form.SetFacts():
                return await contract_services.set_facts(
                    services, caller, contract=_contract_ref(deed.contract),
                    user=None if deed.user is None else Ref.of("user_name", deed.user), facts=read_facts(deed),
                    options=options,
                )  # fmt: skip
        raise UnknownName(type(deed).__name__)


async def read_world(services: Services) -> World:
    """Everything that the database knows now."""
    async with services.database.reading(services.catalog) as unit:
        directory = await unit.worlds.load_directory()
        people = await unit.worlds.load_people(None)
    return directory.changed(Change(None, record) for record in people)


def _contract_ref(number: str | None) -> Ref | None:
    return None if number is None else Ref.of("number", number)


def _holder_ref(holder: form.HolderName) -> HolderRef:
    return HolderRef(holder.noun, Ref.of("user_name" if holder.noun == "user" else "key", holder.name))


def _grant_items(catalog: Catalog, rights: Sequence[form.Right]) -> list[GrantItem]:
    return [
        GrantItem(
            permission=right.right, value=read_value(catalog, right.right, right.value),
            contract=_contract_ref(right.contract), valid_from=right.from_, valid_until=right.until,
        )
        for right in rights
    ]  # fmt: skip


def _revoke_items(names: Names, rights: Sequence[form.Ended]) -> list[RevokeItem]:
    return [
        RevokeItem(
            id=row.id if row.row is None else names.find_row(row.row), permission=row.right,
            contract=_contract_ref(row.contract), source=row.source,
        )
        for row in rights
    ]  # fmt: skip


def _assign_items(roles: Sequence[form.AssignedRole]) -> list[AssignItem]:
    return [
        AssignItem(
            role=Ref.of("key", item.role), contract=_contract_ref(item.contract), valid_from=item.from_,
            valid_until=item.until,
        )
        for item in roles
    ]  # fmt: skip


def _members(deed: form.AddMembers | form.RemoveMembers) -> team_services.Members:
    return team_services.Members(
        team=Ref.of("key", deed.team), users=[Ref.of("user_name", name) for name in deed.users],
        supervisor=deed.supervisor, contract=_contract_ref(deed.contract), valid_from=deed.from_,
        valid_until=deed.until,
    )  # fmt: skip
