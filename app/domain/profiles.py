"""Profiles: people of whom the decision sees the same are one, and what they may do is worked out once for all of them.

What the decision sees of a person is whether they are active, whether they own the account, and their rows but for who
made them, when and why. So a profile is `Profile`: flags, and the numbers of the kinds of rows (`say the same`) that
they have, in one order. Of a person who owns a contract the decision sees who they are as well: `self_id` tells it, and
whoever stands in for them owns the contract.

`Standings` answers for profiles at one state of roles, teams and contracts. Many of them differ in what does not count:
rows of another contract than the one asked about, teams that give nothing. Without that there are far fewer, and it is
for these that things are worked out (`narrow`). It asks the one decision function (`Evaluation`) about a stand-in who
has these rows, and keeps what is found for as long as time alone does not change it. Questions with facts, targets or
another moment are answered by the same stand-ins; what roles and teams give is kept for the next ones, answers are not.
"""

from collections import ChainMap
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TypeVar, cast

from app.domain.catalog import Operation, Permission
from app.domain.compiled import MOST_RANK, Beside, Holding, Program
from app.domain.decisions import Decision, check
from app.domain.holders import ContractId, Membership, TeamId, User, UserId, UserStatus
from app.domain.rights import Effective, Evaluation, Subject
from app.domain.rooms import Room
from app.domain.values import Level, Value
from app.domain.windows import find_next_moment, is_within
from app.domain.world import HolderRows, World

K = TypeVar("K")
V = TypeVar("V")
Profile = tuple[int, ...]  # flags, then the numbers of its rows: those of a kind together, and ascending
Ranked = tuple[bytes, datetime, datetime | None]  # levels, since when, and until when they are those
Evaluated = tuple[Evaluation, datetime | None]  # of what roles, teams and contracts are until then
OWNER, INACTIVE = 1, 2  # the flags
STANDINGS_KEPT = 20_000  # of a profile in a contract: some kilobytes each; beyond that all are worked out anew
DECISIONS_KEPT = 2_000  # of one standing: there are fewer rights and operations, but values without end
ASIDE_KEPT = 100  # evaluations of contracts at other moments than now: the values of roles and teams, some of them
CONTRACTS_KEPT = 16  # for which levels of everybody are kept: of 100,000 people some ten megabytes each
SUBJECT, OTHER = "usr_standin", "usr_standin_other"  # how the ids of stand-ins begin; no person has such a one


@dataclass(frozen=True, slots=True)
class Rows:
    """What the numbers of a profile stand for: the rows, and the id of a person whom contracts name as their owner."""

    rows: HolderRows
    self_id: UserId | None = None


@dataclass(frozen=True, slots=True)
class Given:
    """What a row gives, at a moment in a contract, to somebody active who has nothing else: finite rights as bits.

    `is_inside`: whether it makes them somebody inside the contract. `until`: when that changes by itself.
    """

    bits: int
    beside: Beside
    is_inside: bool
    until: datetime | None


@dataclass(slots=True, eq=False)
class Standing:
    """How everybody of a profile stands in a contract (None: in none), from `since` up to `until` (None: always)."""

    evaluation: Evaluation
    effective: Effective
    subject: Subject
    since: datetime
    until: datetime | None
    decisions: Room[tuple[str, Value | None], Decision] = field(default_factory=lambda: Room(DECISIONS_KEPT))

    def lasts(self, now: datetime) -> bool:
        """Whether it is how things stand at a moment."""
        return is_within(now, self.since, self.until)

    def decide(self, node: Permission | Operation, asked: Value | None) -> Decision:
        """The decision on a question without target and facts, about the stand-in and as of `since`."""
        decision = self.decisions.get((node.key, asked))
        if decision is None:
            decision = check(self.evaluation, self.effective, self.subject, node, asked)
            self.decisions.keep((node.key, asked), decision)
        return decision


class Standings:
    """What profiles may do at one state of roles, teams and contracts. `read` tells what the numbers stand for."""

    def __init__(self, program: Program, directory: World, read: Callable[[Profile], Rows]) -> None:
        self.program = program
        self.directory = directory
        self._read = read
        self._ranked: dict[ContractId | None, dict[Profile, Ranked]] = {}
        self._levels: dict[bytes, bytes] = {}  # one object of each
        self._counting: dict[ContractId | None, dict[int, bool]] = {}
        self._forget()

    def _forget(self) -> None:
        """Begins anew; what was handed out stays what it is."""
        self._people: dict[UserId, User] = {}
        self._self_ids: dict[UserId, UserId] = {}  # whom a stand-in stands for, where contracts name them
        self._rows: dict[str, HolderRows] = dict(self.directory.rows)
        world = self.directory
        self.world = World(self._people, world.roles, world.teams, world.contracts, self._rows)
        self._evaluations: dict[ContractId | None, Evaluated] = {}
        self._aside: Room[ContractId | None, Evaluated] = Room(ASIDE_KEPT)
        self._calm: tuple[datetime, datetime | None] | None = None
        self._found: dict[tuple[Profile, ContractId | None], Standing] = {}

    def find(self, profile: Profile, contract: ContractId | None, now: datetime) -> Standing:
        """How a profile stands in a contract now."""
        standing = self._found.get((profile, contract))
        if standing is None or not standing.lasts(now):
            if len(self._found) >= STANDINGS_KEPT:
                self._forget()
            standing = self._found[profile, contract] = self._find_narrow(self.narrow(profile, contract), contract, now)
        return standing

    def _find_narrow(self, profile: Profile, contract: ContractId | None, now: datetime) -> Standing:
        standing = self._found.get((profile, contract))
        if standing is None or not standing.lasts(now):
            subject = Subject(user=self.stand_in(profile, SUBJECT))
            evaluation, effective, until = self._work_out(subject, contract, now)
            standing = Standing(evaluation, effective, subject, now, until)
            self._found[profile, contract] = standing
        return standing

    def rank(self, profile: Profile, contract: ContractId | None, now: datetime) -> bytes:
        """For each permission, by its number, the rank of what a profile has: see `Program.rank`.

        Those who ask about people without end know the numbers of profiles: see `kinds.Kinds`.
        """
        return self.rank_narrow(self.narrow(profile, contract), contract, now)[0]

    def rank_narrow(self, profile: Profile, contract: ContractId | None, now: datetime) -> Ranked:
        """The same of a profile of which all counts, and how long it is so. Kept: half a kilobyte at most."""
        ranked = self._ranked.get(contract)
        if ranked is None:
            ranked = _make_room(self._ranked, contract)
        kept = ranked.get(profile)
        if kept is None or not is_within(now, kept[1], kept[2]):
            with self._standing_in(profile) as subject:
                _, effective, until = self._work_out(subject, contract, now)
            levels = self.program.rank(effective.certain)
            kept = ranked[profile] = self._levels.setdefault(levels, levels), now, until
        return kept

    def settle(
        self, profile: Profile, contract: ContractId | None, now: datetime
    ) -> tuple[Holding | None, int, datetime | None]:
        """The effective rights of a profile (None: it is not active), the atoms that certainly hold, and until when."""
        with self._standing_in(profile) as subject:
            _, effective, until = self._work_out(subject, contract, now)
            return effective.certain if effective.active else None, effective.certain_atoms, until

    def find_given(self, number: int, contract: ContractId | None, now: datetime) -> Given | None:
        """What a row gives to somebody who has nothing else; None: it does more than to give something."""
        with self._standing_in((0, number)) as subject:
            rows = self.world.rows_of(subject.user)
            if subject.user in self._self_ids or rows.limits or rows.facts or rows.links:
                return None
            evaluation, until = self._evaluate(contract, now, keep=True)
            own = find_next_moment(self.world, {subject.user}, now)
            held = evaluation.held_by_user(subject.user)
            ends = [moment for moment in (own, until) if moment is not None]
            return Given(held.bits, held.beside, evaluation.is_inside(subject.user), min(ends, default=None))

    # ------------------------------------------------------------------ what of a profile counts

    def narrow(self, profile: Profile, contract: ContractId | None) -> Profile:
        """A profile without what does not count in a contract, at no moment and for no question about nobody else."""
        counting = self._counting.get(contract)
        if counting is None:
            counting = _make_room(self._counting, contract)
        left = [profile[0]]
        for number in profile[1:]:
            counts = counting.get(number)
            if counts is None:
                counts = counting[number] = self._counts(number, contract)
            if counts:
                left.append(number)
        return profile if len(left) == len(profile) else tuple(left)

    def _counts(self, number: int, contract: ContractId | None) -> bool:
        told = self._read((0, number))
        if told.self_id is not None:
            return contract is not None and self.directory.contracts[contract].owner == told.self_id
        row = next(iter(told.rows))
        if row.contract is not None and row.contract != contract:
            return False
        return not (isinstance(row, Membership) and self._gives_nothing(row.team))

    def _gives_nothing(self, team: TeamId) -> bool:
        """Whether nobody has anything by being in a team."""
        record, seen = self.directory.teams.get(team), set[TeamId]()
        while record is not None and not record.archived and record.id not in seen:
            rows = self.directory.rows_of(record.id)
            if rows.grants or rows.assignments:
                return False
            seen.add(record.id)
            record = None if record.parent is None else self.directory.teams.get(record.parent)
        return True

    # ------------------------------------------------------------------

    def holds(
        self, profile: Profile, node: Permission | Operation, asked: Value | None, contract: ContractId | None,
        now: datetime,
    ) -> bool:  # fmt: skip
        """Whether a profile has a right, or at least so much of it, by what is known now."""
        if isinstance(node, Permission) and has_rank(asked):
            number = self.program.catalog.number_of[node.key]
            return self.rank(profile, contract, now)[number] >= (asked.rank if isinstance(asked, Level) else 1)
        with self._standing_in(profile) as subject:
            evaluation, effective, _ = self._work_out(subject, contract, now)
            return evaluation.decide(effective, node, asked).allowed

    def evaluate(self, world: World, contract: ContractId | None, at: datetime) -> Evaluation:
        """The evaluation of a world with the same roles, teams and contracts, of which their values are known."""
        return self._evaluate(contract, at)[0].over(world)

    def _work_out(
        self, subject: Subject, contract: ContractId | None, now: datetime
    ) -> tuple[Evaluation, Effective, datetime | None]:
        """The rights of a stand-in, and until when they stay so though nothing is written."""
        evaluation, until = self._evaluate(contract, now, subject.user, keep=True)
        own = find_next_moment(self.world, {subject.user}, now)
        if own is not None and (until is None or own < until):
            until = own
        return evaluation, evaluation.effective(subject), until

    def _evaluate(
        self, contract: ContractId | None, at: datetime, *people: UserId, keep: bool = False
    ) -> tuple[Evaluation, datetime | None]:
        """The evaluation of a contract at a moment, and until when roles, teams and contracts stay as they are then.

        What is not to be kept stays aside for a while: many questions in a row are about the same contract and moment.
        If one of these stand-ins stands for the owner of the contract, it is the owner.
        """
        kept = self._evaluations.get(contract)
        if kept is None or not is_within(at, kept[0].at, kept[1]):
            kept = self._aside.get(contract)
            if kept is None or not is_within(at, kept[0].at, kept[1]):
                kept = Evaluation(self.program, self.world, contract=contract, at=at), self._find_calm(at)
                if not keep:
                    self._aside.keep(contract, kept)
            if keep:
                self._evaluations[contract] = kept
        found, until = kept[0].moved(at), kept[1]
        if found.contract is not None:
            for person in people:
                if self._self_ids.get(person) == found.contract.owner:
                    found.contract = replace(found.contract, owner=person)
        return found, until

    def _find_calm(self, at: datetime) -> datetime | None:
        """Until when roles, teams and contracts stay as they are at a moment, in whichever contract; None: always."""
        if self._calm is None or not is_within(at, *self._calm):
            self._calm = at, find_next_moment(self.directory, self.directory.rows, at)
        return self._calm[1]

    @contextmanager
    def _standing_in(self, profile: Profile) -> Iterator[Subject]:
        """A stand-in who is there for a moment, unless somebody has brought it in for longer."""
        was_there = len(self._people)
        person = self.stand_in(profile, SUBJECT)
        try:
            yield Subject(user=person)
        finally:
            if len(self._people) > was_there:
                del self._people[person], self._rows[person]
                self._self_ids.pop(person, None)

    def stand_in(self, profile: Profile, kind: str) -> UserId:
        """The id of somebody who has what a profile has; as `OTHER` somebody else than as `SUBJECT`."""
        person = UserId(f"{kind}_{'_'.join(map(str, profile))}")
        if person not in self._people:
            told = self._read(profile)
            if told.self_id is not None:
                self._self_ids[person] = told.self_id
            self._people[person] = _make_person(profile, person)
            self._rows[person] = told.rows
        return person

    def find_world(self, profile: Profile, person: UserId, now: datetime) -> tuple[World, datetime | None]:
        """A world in which somebody of a profile has an id of their own, and until when it stays as it is now."""
        directory = self.directory
        rows = ChainMap[str, HolderRows](
            {person: self._read(profile).rows}, cast(dict[str, HolderRows], directory.rows)
        )
        world = World(
            {person: _make_person(profile, person)}, directory.roles, directory.teams, directory.contracts, rows
        )
        own, until = find_next_moment(world, {person}, now), self._evaluate(None, now, keep=True)[1]
        return world, min((moment for moment in (own, until) if moment is not None), default=None)

    def ask(
        self,
        profile: Profile,
        node: Permission | Operation,
        asked: Value | None,
        *,
        contract: ContractId | None,
        at: datetime,
        target: Profile | None = None,
        is_oneself: bool = False,
        target_subscriber: str | None = None,
        facts: Mapping[str, str] | None = None,
        assert_facts: bool = False,
    ) -> Decision:
        """The decision on any question. `target`: the profile of the other person, who may be the same one."""
        if len(self._people) >= 2 * STANDINGS_KEPT:
            self._forget()
        subject = self.stand_in(profile, SUBJECT)
        other = None
        if target is not None:
            other = subject if is_oneself else self.stand_in(target, OTHER)
        question = Subject(
            user=subject, target=other, target_subscriber=target_subscriber, facts=facts or {},
            assert_facts=assert_facts,
        )  # fmt: skip
        evaluation, _ = self._evaluate(contract, at, *([subject] if other is None else [subject, other]))
        return check(evaluation, evaluation.effective(question), question, node, asked)


def _make_person(profile: Profile, person: UserId) -> User:
    """Somebody of a profile."""
    flags = profile[0]
    return User(
        id=person, user_name=person, display_name=person, is_owner=bool(flags & OWNER),
        status=UserStatus.SUSPENDED if flags & INACTIVE else UserStatus.ACTIVE,
    )  # fmt: skip


def _make_room(of: dict[ContractId | None, dict[K, V]], contract: ContractId | None) -> dict[K, V]:
    """A place for what is kept for a contract. There is one for a few of them, and always for none."""
    others = [kept for kept in of if kept is not None]
    if len(others) >= CONTRACTS_KEPT:
        del of[others[0]]
    made: dict[K, V] = {}
    of[contract] = made
    return made


def has_rank(asked: Value | None) -> bool:
    """Whether the rank of what somebody has tells if they have what is asked (None: anything)."""
    return asked is None or (isinstance(asked, Level) and asked.rank <= MOST_RANK)
