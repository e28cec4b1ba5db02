"""What is worked out once for all people of a profile, against the oracle: every question, in any order of time.

By default 150 random worlds, `-m deep` 1,500; each is asked about all its people, in all its contracts, at all moments.
"""

import random
from collections.abc import Generator, Iterable, Mapping
from dataclasses import fields, replace
from datetime import datetime
from typing import Any

import pytest

from app.domain import profiles
from app.domain.compiled import Holding, compile_catalog
from app.domain.holders import AnyRow, ContractId, RoleId, User, UserId, UserStatus
from app.domain.kinds import Kinds
from app.domain.people import MOST_CHANGED, People, Person
from app.domain.profiles import CONTRACTS_KEPT, INACTIVE, OWNER, Profile, Rows, Standings
from app.domain.rights import Evaluation, Subject
from app.domain.values import Level, Value
from app.domain.world import World
from tests.domain.test_laws import Case, on_random_worlds, questions
from tests.oracle import Oracle, Who
from tests.worlds import INSTANTS, POOL_SIZE, Pool, draw_case

UNSAID = {"id", "source", "reason", "actor", "created_at", "revision", "holder", "user"}


class Told:
    """The profiles of the people of a world, and the rows that stand behind their numbers."""

    def __init__(self, world: World) -> None:
        self.rows: list[AnyRow | UserId] = []
        self.numbers: dict[Any, int] = {}
        owners = {contract.owner for contract in world.contracts.values()}
        self.profiles = {user.id: self._profile(world, user, owners) for user in world.users.values()}

    def _profile(self, world: World, user: User, owners: set[UserId]) -> Profile:
        numbers = {self._number(row, _say(row)) for row in world.rows_of(user.id)}
        if user.id in owners:
            numbers.add(self._number(user.id, user.id))
        flags = (OWNER if user.is_owner else 0) | (0 if user.status is UserStatus.ACTIVE else INACTIVE)
        return (flags, *sorted(numbers))

    def _number(self, row: AnyRow | UserId, said: Any) -> int:
        if said not in self.numbers:
            self.numbers[said] = len(self.rows)
            self.rows.append(row)
        return self.numbers[said]

    def read(self, profile: Profile) -> Rows:
        told = [self.rows[number] for number in profile[1:]]
        names = [one for one in told if isinstance(one, str)]
        rows = [_hand_over(one, "somebody") for one in told if not isinstance(one, str)]
        return Rows(World.of(rows).rows_of("somebody"), names[0] if names else None)


def _say(row: AnyRow) -> Any:
    return type(row), *((f.name, getattr(row, f.name)) for f in fields(row) if f.name not in UNSAID)


def _hand_over(row: AnyRow, to: str) -> AnyRow:
    column = "holder" if "holder" in {field.name for field in fields(row)} else "user"
    return replace(row, **{column: to})


def standings_of(case: Case, told: Told) -> Standings:
    world = case.world
    directory = World(roles=world.roles, teams=world.teams, contracts=world.contracts, rows={
        holder: rows for holder, rows in world.rows.items() if holder not in world.users
    })  # fmt: skip
    return Standings(compile_catalog(case.catalog), directory, told.read)


@pytest.mark.long
@on_random_worlds(1000)
def test_standings_answer_as_the_oracle_does_at_any_moment(case: Case, pick: int) -> None:
    told, world = Told(case.world), case.world
    standings, rnd = standings_of(case, told), random.Random(pick)
    for _ in range(12):
        user, at = rnd.choice(list(world.users)), rnd.choice(INSTANTS)
        contract = rnd.choice([None, *world.contracts])
        standing = standings.find(told.profiles[user], contract, at)
        assert standing.lasts(at)
        oracle, plain = Oracle(case.catalog, world, contract=contract, at=at), Who(user=user, facts={})
        steps = oracle.steps(plain)
        for node, asked in questions(replace(case, subject=Subject(user=user))):
            decision, answer = standing.decide(node, asked), oracle.check(plain, node.key, asked, steps)
            if rnd.random() < 0.1:
                assert standings.holds(told.profiles[user], node, asked, contract, at) is answer.allowed
            assert (decision.allowed, decision.state, decision.stage) == (answer.allowed, answer.state, answer.step)
            assert {(str(o.kind), o.fields, o.values) for o in decision.obligations if str(o.kind) != "SCOPE"} == (
                oracle.obligations(plain, node.key) if decision.allowed else set()
            )
        for number, permission in enumerate(case.catalog.permissions):
            value = standings.program.value(standing.effective.certain, number)
            rank = value.rank if isinstance(value, Level) else int(value != permission.value_type.bottom)
            assert standings.rank(told.profiles[user], contract, at)[number] == rank


@on_random_worlds(1000)
def test_questions_with_targets_and_facts_are_answered_as_by_the_engine(case: Case) -> None:
    told, subject = Told(case.world), case.subject
    if subject.user not in told.profiles or (subject.target is not None and subject.target not in told.profiles):
        return
    standings, evaluation = standings_of(case, told), case.evaluate()
    effective, oracle = evaluation.effective(subject), case.ask_oracle()
    steps = oracle.steps(case.who)
    for node, asked in questions(case):
        answer = standings.ask(
            told.profiles[subject.user], node, asked, contract=case.contract, at=case.at,
            target=None if subject.target is None else told.profiles[subject.target],
            is_oneself=subject.target == subject.user, target_subscriber=subject.target_subscriber,
            facts=subject.facts, assert_facts=subject.assert_facts,
        )  # fmt: skip
        expected = oracle.check(case.who, node.key, asked, steps)
        assert (answer.allowed, answer.state, answer.stage) == (expected.allowed, expected.state, expected.step)
        assert answer.value == evaluation.value_for(effective, node)


def test_what_roles_give_is_worked_out_once_for_many_questions_of_a_moment(monkeypatch: pytest.MonkeyPatch) -> None:
    """In each contract, though nothing of it is kept for now; and how long it is so once for all contracts."""
    worked_out, looked = list[tuple[RoleId, ContractId | None]](), list[datetime]()
    hold, find = Evaluation.held_by_role, profiles.find_next_moment

    def count_roles(evaluation: Evaluation, role: RoleId) -> Holding:
        worked_out.append((role, evaluation.contract_id))
        return hold(evaluation, role)

    def count_looks(world: World, holders: Iterable[str], after: datetime) -> datetime | None:
        looked.extend([after] if holders is world.rows else [])
        return find(world, holders, after)

    monkeypatch.setattr(Evaluation, "held_by_role", count_roles)
    monkeypatch.setattr(profiles, "find_next_moment", count_looks)
    asked = 0
    for seed in range(60):
        case = draw_case(Pool(random.Random(seed).randbytes(POOL_SIZE)))
        told = Told(case.world)
        standings = standings_of(case, told)
        worked_out.clear()
        looked.clear()
        for node, value in questions(case)[:3]:
            for profile in told.profiles.values():
                for contract in (None, *case.world.contracts):
                    standings.ask(profile, node, value, contract=contract, at=case.at)
                    asked += 1
        assert len(worked_out) == len(set(worked_out))
        assert len(looked) <= 1
    assert asked > 1000


@on_random_worlds(300)
def test_people_who_differ_in_anything_that_decides_are_never_one(case: Case) -> None:
    """Whoever shares a profile with another has the same answers in every contract at every moment."""
    told, world = Told(case.world), case.world
    program = compile_catalog(case.catalog)
    first: dict[Profile, UserId] = {}
    for user, profile in told.profiles.items():
        other = first.setdefault(profile, user)
        for contract in (None, *world.contracts):
            for at in INSTANTS:
                evaluation = Evaluation(program, world, contract=contract, at=at)
                assert evaluation.effective(Subject(user=user)) == evaluation.effective(Subject(user=other))


@on_random_worlds(300)
def test_who_goes_by_an_id_of_their_own_has_what_they_have_in_the_whole_world(case: Case, pick: int) -> None:
    """Until the moment that is told; and nobody is brought in for it who stays."""
    told, world, rnd = Told(case.world), case.world, random.Random(pick)
    standings, program = standings_of(case, told), compile_catalog(case.catalog)
    for _ in range(8):
        user, now, at = rnd.choice(list(world.users)), rnd.choice(INSTANTS), rnd.choice(INSTANTS)
        alone, until = standings.find_world(told.profiles[user], user, now)
        assert until is None or until > now
        subject = Subject(user=user)
        for contract in (None, *world.contracts):
            expected = Evaluation(program, world, contract=contract, at=now).effective(subject)
            assert Evaluation(program, alone, contract=contract, at=now).effective(subject) == expected
            if now <= at and (until is None or at < until):
                assert Evaluation(program, world, contract=contract, at=at).effective(subject) == expected
    assert not standings.world.users


def test_somebody_else_of_the_same_profile_is_not_oneself() -> None:
    """What reaches oneself alone does not reach a colleague who has exactly the same rows."""
    found = 0
    for seed in range(300):
        case = draw_case(Pool(random.Random(seed).randbytes(POOL_SIZE)))
        told = Told(case.world)
        standings = standings_of(case, told)
        for user, profile in told.profiles.items():
            if any(isinstance(told.rows[n], str) for n in profile[1:]):
                continue
            twin = _twin(case.world, user)
            evaluation = Evaluation(standings.program, twin, contract=case.contract, at=case.at)
            for other in (user, TWIN):
                subject = Subject(user=user, target=other)
                effective = evaluation.effective(subject)
                for node, asked in questions(replace(case, subject=subject)):
                    answer = standings.ask(
                        profile, node, asked, contract=case.contract, at=case.at, target=profile,
                        is_oneself=other == user,
                    )  # fmt: skip
                    assert answer.allowed is evaluation.decide(effective, node, asked).allowed
                    found += answer.allowed
    assert found > 100, "the worlds are too poor to show a difference"


TWIN = UserId("usr_twin")


def _twin(world: World, user: UserId) -> World:
    """The world with somebody else in it who has all that a person has."""
    records = [replace(world.users[user], id=TWIN)]
    return world.joined([*records, *(_hand_over(row, TWIN) for row in world.rows_of(user))])


# ---------------------------------------------------------------------- people


def _somebody(rnd: random.Random, number: int, profiles: int) -> Person:
    name = "".join(rnd.choice("abzé☎😀_") for _ in range(rnd.randrange(1, 6))) + str(number)
    external = None if rnd.random() < 0.3 else f"x{rnd.randrange(10**6)}-{number}"
    return Person(UserId(f"usr_{number:05}"), name, external, (0, rnd.randrange(profiles)))


def test_people_are_found_and_counted_through_any_history_of_changes() -> None:
    rnd = random.Random(7)
    everybody = {person.id: person for person in (_somebody(rnd, number, 9) for number in range(300))}
    people = People.of(everybody.values())
    for step in range(60):
        touched: dict[str, Person | None] = {}
        for _ in range(rnd.randrange(1, 12)):
            number = rnd.randrange(400)
            user = UserId(f"usr_{number:05}")
            touched[user] = None if rnd.random() < 0.1 else _somebody(rnd, number, 12)
        people = people.changed(touched)
        everybody = _changed(everybody, touched)
        if step % 7 == 6:
            people = People.of(people)
        _assert_same(people, everybody, rnd)


def _changed(everybody: dict[UserId, Person], touched: Mapping[str, Person | None]) -> dict[UserId, Person]:
    left = {user: person for user, person in everybody.items() if user not in touched}
    return left | {person.id: person for person in touched.values() if person is not None}


def _assert_same(people: People, everybody: Mapping[UserId, Person], rnd: random.Random) -> None:
    assert {person.id: person for person in people} == everybody
    for person in everybody.values():
        assert people.profile(person.id) == person.profile
        assert people.find("id", person.id) == person.id
        assert people.find("user_name", person.user_name) == person.id
        assert person.external_id is None or people.find("external_id", person.external_id) == person.id
    assert people.find("user_name", "nobody") is None
    assert people.find("external_id", "") is None
    assert people.find("user_name", "\ud800") is None
    is_wanted = {profile: rnd.random() < 0.5 for profile in (*people.packed.profiles, *people.profiles_beside())}
    wanted = sorted(p.user_name for p in everybody.values() if is_wanted[p.profile])
    assert people.count(is_wanted.__getitem__) == len(wanted)
    after, before = (rnd.choice([None, "b", *wanted[:50]]) for _ in range(2))
    within = [n for n in wanted if (after is None or n > after) and (before is None or n < before)]
    for backwards in (False, True):
        found = people.select(is_wanted.__getitem__, after=after, before=before, most=7, backwards=backwards)
        names = [everybody[user].user_name for user in found]
        assert names == (within[::-1] if backwards else within)[:7]


def test_many_changes_are_packed_anew() -> None:
    people = People.of([])
    many = {f"usr_{n}": Person(UserId(f"usr_{n}"), f"name{n}", None, (0,)) for n in range(MOST_CHANGED + 1)}
    assert not people.changed(many).beside
    assert people.changed(many).count({(0,): True}.__getitem__) == MOST_CHANGED + 1
    assert len(People.of([]).changed(dict(list(many.items())[:5])).beside) == 5


def test_levels_are_kept_for_a_few_contracts_and_for_none() -> None:
    """Whoever asks about one contract after another fills no memory, and is answered as at first."""
    case = draw_case(Pool(random.Random(1).randbytes(POOL_SIZE)))
    told = Told(case.world)
    standings = standings_of(case, told)
    contract = next(iter(case.world.contracts.values()))
    many = {ContractId(f"c{number}"): replace(contract, id=ContractId(f"c{number}")) for number in range(100, 150)}
    standings.world.contracts.update(many)  # type: ignore[attr-defined]  # a dictionary
    (profile, *_) = told.profiles.values()
    first = standings.rank(profile, None, case.at)
    levels = {one: standings.rank(profile, one, case.at) for one in many}
    assert len(standings._ranked) <= CONTRACTS_KEPT + 1
    assert standings.rank(profile, None, case.at) is first
    assert {one: standings.rank(profile, one, case.at) for one in many} == levels


@pytest.mark.long
@on_random_worlds(300)
def test_what_is_known_by_number_is_what_the_oracle_says_at_any_moment(case: Case, pick: int) -> None:
    told, world, rnd = Told(case.world), case.world, random.Random(pick)
    standings, profiles = standings_of(case, told), tuple(dict.fromkeys(told.profiles.values()))
    sizes = [list(told.profiles.values()).count(profile) for profile in profiles]
    everywhere = {contract: Kinds(standings, profiles, contract) for contract in (None, *world.contracts)}
    for _ in range(12):
        contract, at = rnd.choice(list(everywhere)), rnd.choice(INSTANTS)
        kinds, allowed = everywhere[contract], dict[tuple[str, Value | None], set[UserId]]()
        oracle, asking = (
            Oracle(case.catalog, world, contract=contract, at=at),
            questions(replace(case, contract=contract)),
        )
        for user, profile in told.profiles.items():
            steps = oracle.steps(Who(user=user, facts={}))
            levels = kinds.levels(profiles.index(profile), at)
            for number, permission in enumerate(case.catalog.permissions):
                answer = oracle.check(Who(user=user, facts={}), permission.key, None, steps)
                assert bool(levels[number]) == answer.allowed
            for node, asked in asking:
                if oracle.check(Who(user=user, facts={}), node.key, asked, steps).allowed:
                    allowed.setdefault((node.key, asked), set()).add(user)
        for node, asked in asking:
            expected = allowed.get((node.key, asked), set())
            for _ in range(2):  # worked out, and then known
                answers = _work(kinds.decide(node, asked, at))
                has = dict(zip(profiles, kinds.tell(answers, iter(range(len(profiles)))), strict=True))
                assert {user for user, profile in told.profiles.items() if has[profile]} == expected
                assert _work(kinds.count(answers, sizes)) == len(expected)


def _work(pieces: Generator[None, None, Any]) -> Any:
    """What comes of some work in pieces."""
    while True:
        try:
            next(pieces)
        except StopIteration as end:
            return end.value
