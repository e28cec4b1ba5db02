"""Nobody ever ends with more than the actor could give (SEMANTICS sections 7, 8), on random worlds.

Several callers, most of them with rights of the gateway, try change sets one after the other; what the guards let
through is done. What somebody has and could give is worked out by the oracle (`gatekeeping.Standing`), never by the
guards' own means. By default every law looks at 500 worlds, with `-m deep` at 10,000.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime

import pytest
from hypothesis import HealthCheck, given, settings

from app.domain.callers import GATEWAY, Right
from app.domain.catalog import Catalog, Polarity
from app.domain.compiled import Program
from app.domain.contracts import AccessLevel
from app.domain.errors import ErrorCode
from app.domain.guards import guard_token
from app.domain.holders import (
    Access,
    Assignment,
    Contract,
    ContractId,
    Grant,
    HolderId,
    Limit,
    Membership,
    Role,
    StoredFact,
    SubscriberLink,
    Team,
    User,
    UserId,
    UserKind,
    UserStatus,
)
from app.domain.values import Value
from app.domain.violations import Judgement
from app.domain.world import Change, World
from tests.gatekeeping import CALLERS, Deed, Scattered, Standing, Story, authority_of, draw_story, stories
from tests.oracle import Oracle, Values, is_at_least, join

Scope = ContractId | None
LARGE = (HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example)


class Sides:
    """A deed looked at by the oracle: the world before it and after it, and what its caller could give."""

    def __init__(self, catalog: Catalog, deed: Deed) -> None:
        self.catalog = catalog
        self.deed = deed
        self.actor = Standing(catalog, deed.before, deed.caller)
        self.after_actor = Standing(catalog, deed.after, deed.caller)
        self.permissions = {p.key: p for p in catalog.permissions if not p.access_level}
        self._values: dict[tuple[Oracle, HolderId], Values] = {}

    def scopes(self) -> tuple[Scope, ...]:
        return (None, *self.deed.before.contracts)

    def places(self) -> Iterator[tuple[Scope, datetime, Oracle, Oracle]]:
        """Every scope and each moment at which something is new there, with the oracles of before and after."""
        for contract in self.scopes():
            seen = set()
            for at in self.deed.moments():
                both = self.actor.oracle(contract, at), self.after_actor.oracle(contract, at)
                if both not in seen:
                    seen.add(both)
                    yield contract, at, *both

    def value(self, oracle: Oracle, holder: HolderId) -> Values:
        """`value(holder)`, worked out once."""
        if (oracle, holder) not in self._values:
            self._values[oracle, holder] = oracle.value(holder)
        return self._values[oracle, holder]

    def raised(self, had: Values, has: Values, polarity: Polarity = Polarity.PERMISSION) -> list[str]:
        """The keys of which there is more."""
        return [
            key
            for key, value in has.items()
            if key in self.permissions
            and self.permissions[key].polarity is polarity
            and not is_at_least(self.permissions[key].value_type, self.get(had, key), value)
        ]

    def beyond(self, had: Values, has: Values, giving: Values) -> list[str]:
        """The keys of which there is more than there was and could be given."""
        together = dict(had)
        for key, value in giving.items():
            if key in self.permissions:
                together[key] = join(self.permissions[key].value_type, self.get(had, key), value)
        return self.raised(together, has)

    def get(self, values: Values, key: str) -> Value:
        return values.get(key, self.permissions[key].value_type.bottom)


def whole(oracle: Oracle, user: UserId) -> Values:
    """What a person has, by owning too, under their own limits; nothing while not active."""
    if not oracle.is_active(user):
        return {}
    return oracle.limit(user, oracle._after_ownership(user, oracle.held(user)))


def accepted(story: Story) -> Iterator[Sides]:
    """What was let through of callers who do not own the account."""
    for deed in story.deeds:
        if deed.accepted and not deed.before.users[deed.caller].is_owner:
            yield Sides(story.catalog, deed)


# ---------------------------------------------------------------------- the laws of what is accepted


@pytest.mark.long
@pytest.mark.parametrize("part", range(5))  # 500 stories in all, 10,000 deep: parts are shared out to processors
@pytest.mark.parametrize(
    "count", [pytest.param(100, id="default"), pytest.param(2_000, id="deep", marks=pytest.mark.deep)]
)
def test_every_law_holds_whatever_is_tried_by_whom(count: int, part: int) -> None:
    @settings(max_examples=count, deadline=None, suppress_health_check=LARGE)
    @given(stories())
    def look(story: Story) -> None:
        whatever_is_accepted_keeps_every_law(story)
        what_plainly_lies_within_what_the_caller_holds_is_accepted(story)
        a_token_of_another_opens_nothing_that_is_not_ones_own(story)

    look()


def whatever_is_accepted_keeps_every_law(story: Story) -> None:
    for sides in accepted(story):
        for law in LAWS:
            law(sides)
    no_right_comes_from_nowhere(story)


def nobody_ends_with_more_than_the_actor_could_give(sides: Sides) -> None:
    handed_over = {
        (change.after.id, change.after.owner)
        for change in sides.deed.touches(Contract)
        if isinstance(change.after, Contract)
    }
    for contract, at, before, after in sides.places():
        giving = sides.actor.giving(contract, at)
        for user in sides.deed.after.users:
            place = (user, contract, at)
            assert sides.beyond(sides.value(before, user), sides.value(after, user), giving) == [], place
            if (contract, user) not in handed_over:
                assert sides.beyond(whole(before, user), whole(after, user), giving) == [], place


def nobody_raises_themselves(sides: Sides) -> None:
    deed, caller = sides.deed, sides.deed.caller
    for change in deed.changes:
        assert getattr(change.after, "user", None) != caller or isinstance(change.after, Access), change
    # What a contract is, its facts among it, gives nobody anything.
    circumstances = {change.record.id for change in deed.touches(Contract)}
    circumstances |= {fact.contract for fact in (c.record for c in deed.changes) if isinstance(fact, StoredFact)}
    for contract, at, before, after in sides.places():
        assert before.owns(caller) or sides.raised(sides.value(before, caller), sides.value(after, caller)) == [], (
            contract,
            at,
        )
        if contract in circumstances:
            continue
        had, has = sides.actor.steps(contract, at), sides.after_actor.steps(contract, at)
        for name in ("certain", "possible"):
            assert sides.raised(getattr(had, name), getattr(has, name)) == [], (name, contract, at)


def nobody_lifts_a_restriction_from_themselves_or_while_it_binds_them(sides: Sides) -> None:
    for contract, at, before, after in sides.places():
        for holder in (*sides.deed.before.users, *sides.deed.before.roles, *sides.deed.before.teams):
            for key in sides.raised(sides.value(after, holder), sides.value(before, holder), Polarity.RESTRICTION):
                assert holder != sides.deed.caller, (key, contract, at)
                assert not sides.actor.bound(key, contract, at), (key, holder, contract, at)


def nobody_touches_whoever_has_more(sides: Sides) -> None:
    for holder, contracts in touched(sides.deed).items():
        if holder != sides.deed.caller:
            assert find_wider(sides, holder, contracts) == []


def touched(deed: Deed) -> dict[HolderId, set[Scope]]:
    """The holders that a change set names, each with where."""
    found: dict[HolderId, set[Scope]] = {}
    for change in deed.changes:
        record = change.record
        if isinstance(record, Grant | Limit | Assignment | Membership | SubscriberLink):
            found.setdefault(record.holder, set()).add(record.contract)
        elif isinstance(record, StoredFact) and record.user is not None:
            found.setdefault(record.user, set()).add(record.contract)
        elif isinstance(record, User | Role | Team):
            found.setdefault(record.id, set()).add(None)
    return found


def find_wider(sides: Sides, holder: HolderId, contracts: set[Scope]) -> list[tuple[str, Scope]]:
    """Rights of the gateway, and rights that change, of which a holder has or will have more than the caller has."""
    found = []
    for contract, _, before, after in sides.places():
        if None not in contracts and contract not in contracts:
            continue
        had = theirs = sides.value(before, holder)
        if holder in sides.deed.before.users:
            theirs = before.limit(holder, before._after_ownership(holder, before.held(holder)))
        changing = {k for k in sides.permissions if sides.get(had, k) != sides.get(sides.value(after, holder), k)}
        mine = sides.actor.holding(contract, sides.deed.now, met=True)
        for key in sides.raised(mine, theirs):
            if key in changing or sides.permissions[key].system == GATEWAY:
                found.append((key, contract))
    return found


def every_change_is_made_with_the_right_that_it_needs(sides: Sides) -> None:
    for change in sides.deed.changes:
        for right, contract in needs(change):
            assert sides.actor.holds(right, contract, sides.deed.now), (right, contract)


def needs(change: Change) -> Iterator[tuple[Right, Scope]]:
    """What SEMANTICS section 8 asks of one change; levels, links, transfers, ownership have rules of their own."""
    record, old = change.record, change.before
    match record:
        case Grant() | Limit() | Assignment():
            yield Right.GRANT_RIGHTS, record.contract
        case Membership():
            yield Right.MANAGE_MEMBERS, record.contract
        case StoredFact():
            yield Right.SET_FACTS, record.contract
        case Role():
            yield Right.MANAGE_ROLES, None
        case Team():
            yield Right.MANAGE_TEAMS, None
        case User(kind=UserKind.PERSON):
            yield Right.MANAGE_USERS, None
        case User() if isinstance(old, User) and old.ceiling != record.ceiling:
            yield Right.MANAGE_SERVICE_ACCOUNTS, None
        case Contract() if old is None:
            yield Right.REGISTER_CONTRACTS, None
        case Contract() if isinstance(old, Contract) and old.owner == record.owner:
            yield Right.MANAGE_CONTRACTS, record.id


def levels_are_set_as_section_7_says(sides: Sides) -> None:
    deed = sides.deed
    moved = {change.record.id for change in deed.touches(Contract)}
    for user, contract, product in levelled(deed):
        present, wanted = level(deed.before, user, contract, product), level(deed.after, user, contract, product)
        if contract in moved or present == wanted:
            continue
        setter = core_level(sides, contract)
        assert may_set(setter, product, present, wanted), (setter, present, wanted)
        assert user != deed.caller or rung(wanted) < rung(present)
        machine = deed.before.users[deed.caller]
        if machine.kind is UserKind.SERVICE and wanted is not None:
            caps = [] if machine.ceiling is None else machine.ceiling.levels
            assert any((c, p) == (contract, product) and rung(wanted) <= rung(most) for c, p, most in caps)
    for contract in deed.after.contracts.values():
        assert_owned(deed, contract)
        if deed.before.users[deed.caller].kind is UserKind.SERVICE:  # whose ceiling, as drawn, holds no OWNER
            former = deed.before.contracts.get(contract.id)
            assert former is not None
            assert (contract.owner, contract.products - former.products) == (former.owner, frozenset())


def levelled(deed: Deed) -> set[tuple[UserId, ContractId, str]]:
    rows = [change.record for change in deed.touches(Access)]
    return {(r.user, r.contract, r.product) for r in rows if isinstance(r, Access) and r.contract is not None}


def level(world: World, user: UserId, contract: ContractId, product: str) -> AccessLevel | None:
    """The highest level that somebody has."""
    rows = [r for r in world.rows_of(user).access if (r.contract, r.product) == (contract, product)]
    return max((row.level for row in rows), key=rung, default=None)


def rung(level: AccessLevel | None) -> int:
    return [None, *AccessLevel].index(level)


def core_level(sides: Sides, contract: ContractId) -> AccessLevel | None:
    value = sides.actor.steps(contract, sides.deed.now).effective.get("core.access.core")
    return None if value is None else [None, *AccessLevel][value.rank]  # type: ignore[union-attr]


def may_set(setter: AccessLevel | None, product: str, present: AccessLevel | None, wanted: AccessLevel | None) -> bool:
    """SEMANTICS section 7, sentence by sentence; account owners left out."""
    if setter not in {AccessLevel.ADMINISTRATOR, AccessLevel.OWNER}:
        return False  # only ADMINISTRATOR or OWNER in System [CORE] sets levels
    if wanted is AccessLevel.OWNER:
        return False  # nobody appoints an OWNER
    if setter is AccessLevel.ADMINISTRATOR and present is AccessLevel.OWNER:
        return False  # an ADMINISTRATOR never changes an OWNER
    if product == "core" and wanted in {None, AccessLevel.WITHOUT_ACCESS}:
        return setter is AccessLevel.OWNER  # there an OWNER alone appoints WITHOUT_ACCESS and removes
    return True


def assert_owned(deed: Deed, contract: Contract) -> None:
    """Whoever owns a contract and was OWNER in a product of it still is, and nobody else becomes OWNER."""
    former = deed.before.contracts.get(contract.id)
    for user in deed.after.users:
        for product in contract.products:
            had, has = (level(w, user, contract.id, product) for w in (deed.before, deed.after))
            if has is AccessLevel.OWNER and had is not AccessLevel.OWNER:
                assert user == contract.owner
            if had is AccessLevel.OWNER and former is not None and former.owner == contract.owner == user:
                assert has is AccessLevel.OWNER


LAWS = (
    nobody_ends_with_more_than_the_actor_could_give,
    nobody_raises_themselves,
    nobody_lifts_a_restriction_from_themselves_or_while_it_binds_them,
    nobody_touches_whoever_has_more,
    every_change_is_made_with_the_right_that_it_needs,
    levels_are_set_as_section_7_says,
)


def no_right_comes_from_nowhere(story: Story) -> None:
    """Over a whole story: what nobody had at first, nobody has in the end; one who owns the account has everything."""
    if not story.deeds or any(deed.before.users[deed.caller].is_owner for deed in story.deeds):
        return
    last = story.deeds[-1]
    first_world, last_world = story.deeds[0].before, last.after if last.accepted else last.before
    for contract in (None, *first_world.contracts):
        for at in last.moments():
            before, after = (Oracle(story.catalog, w, contract=contract, at=at) for w in (first_world, last_world))
            had: Values = {}
            for user in first_world.users:
                for key, value in before.limit(user, before._after_ownership(user, before.held(user))).items():
                    before.add(had, key, value)
            for user in last_world.users:
                for key, value in after.value(user).items():
                    permission = before.permissions[key]
                    if permission.polarity is Polarity.PERMISSION and not permission.access_level:
                        assert is_at_least(permission.value_type, before.get(had, key), value), (user, key, contract)


# ---------------------------------------------------------------------- tokens


def a_token_of_another_opens_nothing_that_is_not_ones_own(story: Story) -> None:
    for deed in story.deeds[:1]:
        for other in CALLERS:
            if has_token_of(story.program, deed, other) and not deed.before.users[deed.caller].is_owner:
                assert Standing(story.catalog, deed.before, deed.caller).holds(Right.MANAGE_TOKENS, None, deed.now)
                assert find_opened(story.catalog, deed, other) == []


def has_token_of(program: Program, deed: Deed, other: UserId) -> bool:
    judgement = Judgement(program, deed.before, ())
    return other != deed.caller and not list(
        guard_token(judgement, authority_of(judgement, deed.caller, deed.now), other)
    )


def find_opened(catalog: Catalog, deed: Deed, other: UserId) -> list[tuple[str, Scope, datetime]]:
    """What another can do, now or later, that the caller cannot."""
    me, them = (Standing(catalog, deed.before, user) for user in (deed.caller, other))
    found = []
    for contract in (None, *deed.before.contracts):
        for at in deed.moments():
            mine = me.steps(contract, at).effective
            for key, value in them.steps(contract, at).effective.items():
                permission = me.oracle(contract, at).permissions[key]
                held = mine.get(key, permission.value_type.bottom)
                if permission.polarity is Polarity.PERMISSION and not is_at_least(permission.value_type, held, value):
                    found.append((key, contract, at))
    return found


# ---------------------------------------------------------------------- no wrong no


def what_plainly_lies_within_what_the_caller_holds_is_accepted(story: Story) -> None:
    for deed in story.deeds:
        if not deed.accepted and not deed.before.users[deed.caller].is_owner and is_plain(Sides(story.catalog, deed)):
            codes = {error.code for error in deed.errors}
            assert codes <= {ErrorCode.LAST_OWNER, ErrorCode.CONFLICT}, [str(error) for error in deed.errors]


def is_plain(sides: Sides) -> bool:
    """Whether all parts of a change lie within what the caller holds, and touch nobody who has more, on any reading."""
    deed, actor = sides.deed, sides.actor
    if not all(is_plain_change(sides, change) for change in deed.changes):
        return False
    if any(find_wider(sides, holder, at) for holder, at in touched(deed).items() if holder != deed.caller):
        return False
    everybody: tuple[HolderId, ...] = (*deed.after.users, *deed.after.roles, *deed.after.teams)
    for contract, at, before, after in sides.places():
        giving = actor.giving(contract, at)
        for holder in everybody:
            had, has = sides.value(before, holder), sides.value(after, holder)
            gained = {key: has[key] for key in sides.raised(had, has)}
            if sides.raised(giving, after.close(gained)):
                return False
            lifted = sides.raised(has, had, Polarity.RESTRICTION)
            if lifted and (holder == deed.caller or any(actor.bound(key, contract, at) for key in lifted)):
                return False
            if holder == deed.caller and sides.raised(had, has, Polarity.SETTING):
                return False
        for change in deed.changes:
            for holder in given_by(change):
                if not counts_at(change, contract, at):
                    continue
                if sides.raised(giving, after.close(sides.value(after, holder))):
                    return False
                if is_setting_of_ones_own(sides, change, before, sides.value(after, holder)):
                    return False
            given = change.after if counts_at(change, contract, at) else None
            if isinstance(given, Grant) and (
                sides.raised(giving, after.close({given.node: given.value}))
                or is_setting_of_ones_own(sides, change, before, {given.node: given.value})
            ):
                return False
            wakes = isinstance(change.before, User) and change.before.status is not UserStatus.ACTIVE
            if wakes and isinstance(change.after, User) and sides.raised(giving, whole(after, change.after.id)):
                return False
    return True


def is_setting_of_ones_own(sides: Sides, change: Change, before: Oracle, given: Values) -> bool:
    """Whether a row gives the caller a setting that they have less of, though a limit hides it today."""
    mine = getattr(change.after, "holder", None) == sides.deed.caller
    return mine and bool(sides.raised(sides.value(before, sides.deed.caller), given, Polarity.SETTING))


def given_by(change: Change) -> tuple[HolderId, ...]:
    """The holders that somebody comes to include."""
    new, old = change.after, change.before
    match new:
        case Assignment():
            return (new.role,)
        case Membership():
            return (new.team,)
        case Role():
            return tuple(p for p in new.parents if not isinstance(old, Role) or p not in old.parents)
        case Team():
            moved = new.parent is not None and (not isinstance(old, Team) or old.parent != new.parent)
            return (new.parent,) if moved and new.parent is not None else ()
    return ()


def counts_at(change: Change, contract: Scope, at: datetime) -> bool:
    row = change.after
    return not isinstance(row, Grant | Assignment | Membership) or row.counts(contract, at)


def is_plain_change(sides: Sides, change: Change) -> bool:
    """Whether the caller has the right that one change needs, and it is none that has rules of its own."""
    record, caller = change.record, sides.deed.caller
    if getattr(record, "user", None) == caller or (isinstance(record, User) and record.id == caller):
        return False
    if isinstance(change.before, User) and isinstance(change.after, User):
        plain = replace(change.before, status=change.after.status, display_name=change.after.display_name)
        if change.after != plain:
            return False
    if isinstance(record, User) and (record.is_owner or record.kind is UserKind.SERVICE):
        return False
    if isinstance(record, Contract) and sides.deed.before.users[caller].kind is UserKind.SERVICE:
        return False
    if isinstance(record, Contract) and (change.before is None or change.before.owner != record.owner):  # type: ignore[union-attr]
        return False
    if isinstance(record, SubscriberLink):
        return sides.actor.holds(Right.MANAGE_CONTRACTS, record.contract, sides.deed.now)
    if isinstance(record, Access):
        assert record.contract is not None
        if sides.deed.before.users[caller].kind is UserKind.SERVICE:
            return False
        present = level(sides.deed.before, record.user, record.contract, record.product)
        wanted = level(sides.deed.after, record.user, record.contract, record.product)
        return may_set(core_level(sides, record.contract), record.product, present, wanted)
    return all(sides.actor.holds(right, contract, sides.deed.now) for right, contract in needs(change))


# ---------------------------------------------------------------------- the stories themselves


@pytest.mark.long
def test_random_stories_are_rich() -> None:
    """What the laws are worth: of what is tried, of every kind, a good share is accepted and a good share refused.

    Always the same stories, so that the test says something of how they are drawn and nothing of the day.
    """
    seen: Counter[object] = Counter()
    for seed in range(200):
        story = draw_story(Scattered(seed))
        for deed in story.deeds:
            if deed.before.users[deed.caller].is_owner:
                continue
            sides = Sides(story.catalog, deed)
            seen["deeds"] += 1
            seen["accepted"] += deed.accepted
            seen.update(("refused", code) for code in {error.code for error in deed.errors})
            seen.update((kind, deed.accepted) for kind in {type(change.record) for change in deed.changes})
            seen["by", deed.before.users[deed.caller].kind, deed.accepted] += 1
            seen["list", len(deed.changes) > 2, deed.accepted] += 1
            if deed.accepted:
                seen["plain"] += is_plain(sides)
                seen.update(find_effects(sides))
        for deed in story.deeds[:1]:
            tokens = [has_token_of(story.program, deed, other) for other in CALLERS if other != deed.caller]
            seen.update(("token", had) for had in tokens)
    share = seen["accepted"] / seen["deeds"]
    assert 0.2 < share < 0.8
    assert seen["plain"] / seen["accepted"] > 0.3
    kinds = (Grant, Limit, Assignment, Membership, Role, Team, User, Contract, Access, SubscriberLink, StoredFact)
    expected: list[object] = [
        *((kind, done) for kind in kinds for done in (True, False)),
        *(("refused", code) for code in (ErrorCode.NOT_PERMITTED, ErrorCode.DELEGATION_EXCEEDED,
                                         ErrorCode.SELF_ELEVATION, ErrorCode.LAST_OWNER)),
        *(("by", kind, done) for kind in UserKind for done in (True, False)),
        *(("list", long, done) for long in (True, False) for done in (True, False)),
        *(("token", had) for had in (True, False)),
        *EFFECTS,
    ]  # fmt: skip
    assert {thing for thing in expected if seen[thing] < 2} == set()


EFFECTS = (
    "somebody gains",
    "somebody gains in a contract",
    "somebody gains later",
    "somebody loses",
    "lifted",
    "woken",
)


def find_effects(sides: Sides) -> set[str]:
    """What came about by a change."""
    found = set()
    for contract, at, before, after in sides.places():
        for user in sides.deed.before.users:
            had, has = sides.value(before, user), sides.value(after, user)
            if sides.raised(had, has):
                found |= {"somebody gains", *(["somebody gains in a contract"] if contract else [])}
                found |= {"somebody gains later"} if at > sides.deed.now else set()
            if sides.raised(has, had):
                found.add("somebody loses")
            if sides.raised(has, had, Polarity.RESTRICTION):
                found.add("lifted")
            if after.is_active(user) and not before.is_active(user) and has:
                found.add("woken")
    return found
