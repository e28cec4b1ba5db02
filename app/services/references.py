"""References by id or natural key, resolved all together: one statement for each way in which people are named."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Literal

from app.domain.errors import DomainError, NotFound, Refused
from app.domain.holders import Contract, ContractId, HolderId, Role, RoleId, Team, TeamId, User, UserId
from app.domain.names import show
from app.domain.references import Ref
from app.services.context import Reading

Noun = Literal["user", "role", "team", "contract"]
HolderNoun = Literal["user", "role", "team"]
NOBODY = ""  # stands for what a refused reference would have named, so that the rest of a request can be read on


@dataclass(frozen=True, slots=True)
class HolderRef:
    """A user, a role or a team."""

    noun: HolderNoun
    ref: Ref


@dataclass(frozen=True, slots=True)
class Place:
    """A reference and where it stands in the request."""

    noun: Noun
    ref: Ref
    path: tuple[str, ...] = ()

    @staticmethod
    def holder(holder: HolderRef, *path: str) -> "Place":
        return Place(holder.noun, holder.ref, (*path, holder.noun))


@dataclass
class Found:
    """What references name, and the refusal of each that names nothing."""

    records: dict[tuple[Noun, Ref], User | Role | Team | Contract] = field(default_factory=dict)
    refusals: dict[Place, DomainError] = field(default_factory=dict)

    @property
    def errors(self) -> list[DomainError]:
        return list(self.refusals.values())

    def user(self, ref: Ref) -> UserId:
        return UserId(self._id("user", ref))

    def role(self, ref: Ref) -> RoleId:
        return RoleId(self._id("role", ref))

    def team(self, ref: Ref) -> TeamId:
        return TeamId(self._id("team", ref))

    def contract(self, ref: Ref | None) -> ContractId | None:
        return None if ref is None else ContractId(self._id("contract", ref))

    def holder(self, ref: HolderRef) -> HolderId:
        return UserId(self._id(ref.noun, ref.ref))

    def _id(self, noun: Noun, ref: Ref) -> str:
        record = self.records.get((noun, ref))
        return NOBODY if record is None else record.id


async def find_references(reading: Reading, places: Iterable[Place]) -> Found:
    """Resolves references. What names nothing is refused in the same words as what is not to be seen."""
    places = list(places)
    found = Found()
    users = await _find_users(reading, [place.ref for place in places if place.noun == "user"])
    audience = (await reading.sight()).audience()
    if audience is not None:
        # By the levels of today, whatever is asked about; and asked though nobody was found, so that what is not yours
        # takes as long as what is not there.
        seen_today = await reading.present.unit.users.find_seen([user.id for user in users.values()], audience)
        users = {named: user for named, user in users.items() if user.id in seen_today}
    found.records |= users
    seen = await reading.look()
    for noun, known in (("role", seen.roles), ("team", seen.teams), ("contract", seen.contracts)):
        for attribute in dict.fromkeys(place.ref.attribute for place in places if place.noun == noun):
            found.records |= {(noun, Ref(attribute, getattr(r, attribute))): r for r in known()}  # type: ignore[misc]  # three kinds in turn
    for place in places:
        if (place.noun, place.ref) not in found.records:
            message = f"there is no {place.noun} `{show(place.ref.value)}`"
            found.refusals[place] = NotFound(message, path=place.path)
    return found


async def find_scope(reading: Reading, contract: Ref | None) -> ContractId | None:
    """The contract in which something is asked about; None: in none. Raises `Refused` for one that is not there."""
    places = [] if contract is None else [Place("contract", contract, ("contract",))]
    found = await find_references(reading, places)
    if found.errors:
        raise Refused(found.errors)
    return found.contract(contract)


async def _find_users(reading: Reading, refs: Sequence[Ref]) -> dict[tuple[Noun, Ref], User]:
    found: dict[tuple[Noun, Ref], User] = {}
    world = await reading.load_world()
    for ref in refs:
        if ref.attribute == "id" and ref.value in world.users:
            found["user", ref] = world.users[UserId(ref.value)]
    for attribute in dict.fromkeys(ref.attribute for ref in refs):
        wanted = [ref.value for ref in refs if ref.attribute == attribute and ("user", ref) not in found]
        if not wanted:
            continue
        for user in await reading.unit.users.find_by(attribute, wanted):
            found["user", Ref(attribute, getattr(user, attribute))] = user
    return found
