"""What a caller sees of a world: the one way by which doors come to records and rows."""

from collections.abc import Iterator
from dataclasses import dataclass

from app.domain.holders import AnyRow, Contract, ContractId, HolderId, Role, RoleId, Team, TeamId, User, UserId
from app.domain.sight import Sight
from app.domain.world import HolderRows, World


@dataclass(frozen=True, slots=True)
class Seen:
    """A world through the eyes of a caller. What is not to be seen is None, as what is not there."""

    world: World
    sight: Sight

    def user(self, user: str | None) -> User | None:
        record = self.world.users.get(UserId(user or ""))
        return record if record is not None and self.sight.sees_user(self.world, record.id) else None

    def role(self, role: str | None) -> Role | None:
        record = self.world.roles.get(RoleId(role or ""))
        return record if record is not None and self.sight.sees_role(record.id) else None

    def team(self, team: str | None) -> Team | None:
        record = self.world.teams.get(TeamId(team or ""))
        return record if record is not None and self.sight.sees_team(record.id) else None

    def contract(self, contract: str | None) -> Contract | None:
        record = self.world.contracts.get(ContractId(contract or ""))
        return record if record is not None and self.sight.sees_contract(record.id) else None

    def roles(self) -> Iterator[Role]:
        return (role for role in self.world.roles.values() if self.sight.sees_role(role.id))

    def teams(self) -> Iterator[Team]:
        return (team for team in self.world.teams.values() if self.sight.sees_team(team.id))

    def contracts(self) -> Iterator[Contract]:
        return (contract for contract in self.world.contracts.values() if self.sight.sees_contract(contract.id))

    def holder(self, holder: str | None) -> User | Role | Team | None:
        return self.user(holder) or self.role(holder) or self.team(holder)

    def rows_of(self, holder: HolderId | ContractId | str) -> HolderRows:
        """The rows of a holder that are to be seen."""
        return self.sight.rows_of(self.world, holder)

    def row(self, row: AnyRow) -> AnyRow | None:
        return row if self.sight.sees_row(row) else None
