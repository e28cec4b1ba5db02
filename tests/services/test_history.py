"""Law 8: `asOf(r)` today, with the same `at` and facts, is what was answered at r.

Random histories of real changes through the services, catalogs that change in between among them. At every revision
some questions are asked and the whole answers kept: checks, explanations, effective rights, operations. At the end they
are asked again, about then: by revision and by time, with rows revoked, people archived and nodes gone since.

By default 10 histories; `-m deep` 200.
"""

import asyncio
import random
import shutil
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

import pytest

from app.domain.callers import Caller
from app.domain.catalog import Operation, Permission, has_reach
from app.domain.changes import Dependents, MissingPrerequisites
from app.domain.contracts import AccessLevel
from app.domain.decisions import Decision
from app.domain.errors import Refused
from app.domain.explanation import explain
from app.domain.holders import ContractStatus, UserStatus
from app.domain.references import Ref
from app.domain.values import ValueInput
from app.domain.wishes.roles import RoleAsked
from app.domain.wishes.teams import TeamAsked
from app.domain.wishes.users import UNCHANGED, UserAsked
from app.services import access, contracts, grants, roles, teams, users
from app.services.access import CheckAsked, Circumstances, EffectiveRight
from app.services.context import Reading, Services
from app.services.grants import AssignItem, GrantItem, RevokeItem
from app.services.history import AsOf, read_past
from app.services.references import HolderRef
from app.services.systems import adopt_catalog, find_catalog_files
from app.services.writing import WriteOptions, Written
from tests.factories import CONTRACT_PRODUCTS, SEEDS, Clock, Template, copy_services
from tests.worlds import values_to_ask

T = TypeVar("T")
STEPS = 12  # attempts at a change in one history
QUESTIONS = 2  # of a revision
PEOPLE, ROLES, TEAMS = ("ana", "ben", "cleo", "dora"), ("agents", "writers", "leads"), ("support", "night")
FACTS = (("credit_balance", "5"), ("credit_balance", "0"), ("trained", "true"))
EDITIONS: tuple[tuple[tuple[str, str], ...], ...] = (  # of `desk.yaml`, each a few edits away from the seeds
    (),
    (("permission: Real time\n", "permission: Real-time board\n        key: real_time\n"),),
    (
        (
            "requires: reports.real_time\n      - permission: Export",
            "requires: reports.menu\n      - permission: Export",
        ),
    ),
    (
        ("permission: Export\n", "permission: Export\n        key: export_tables\n"),
        ("facts:\n", "renamed:\n  desk.reports.export: desk.reports.export_tables\n\nfacts:\n"),
    ),
    (("      - permission: Withhold number\n        polarity: restriction\n", ""),),
    (("- permission: Show phone numbers\n", "- permission: Show numbers\n        implies: [staff.read_contacts]\n"),),
)


@dataclass(frozen=True)
class Question:
    """A question with everything that bears on its answer but the revision."""

    asked: CheckAsked
    user: str  # the id
    circumstances: Circumstances
    explained: bool


@dataclass(frozen=True)
class Kept:
    """What was answered at a revision, and when that was committed."""

    question: Question
    revision: int
    committed: datetime
    answer: Any


@dataclass
class History:
    """One random history. Everything in it comes from the seed."""

    services: Services
    caller: Caller
    clock: Clock
    ids: dict[str, Any]
    seeds: Path
    chance: random.Random
    kept: list[Kept] = field(default_factory=list)
    done: Counter[str] = field(default_factory=Counter)
    rows: list[str] = field(default_factory=list)  # ids of rows, some of which are over

    def pick(self, options: Sequence[T]) -> T:
        return self.chance.choice(options)

    def maybe(self, value: T, share: float = 0.5) -> T | None:
        return value if self.chance.random() < share else None

    # ------------------------------------------------------------------ changes

    def person(self) -> Ref:
        return Ref("id", self.ids[self.pick(PEOPLE)])

    def holder(self) -> HolderRef:
        noun = self.pick(("user", "user", "role", "team"))
        key = self.pick({"user": PEOPLE, "role": ROLES, "team": TEAMS}[noun])
        return HolderRef(noun, Ref("id", self.ids[key]))  # type: ignore[arg-type]  # one of the three nouns

    def contract(self) -> Ref:
        return Ref("number", "C-1")

    def window(self) -> tuple[datetime | None, datetime | None]:
        since, until = self.chance.randint(-2, 2), self.chance.randint(3, 6)
        now = self.clock()
        return self.maybe(now + timedelta(hours=since), 0.3), self.maybe(now + timedelta(hours=until), 0.3)

    def item(self) -> GrantItem:
        nodes = [n for n in self.services.catalog.permissions if not n.access_level and n.system == "desk"]
        node, (since, until) = self.pick(nodes), self.window()
        text = node.value_type.print(self.pick(values_to_ask(node.value_type)))
        return GrantItem(
            permission=node.key, value=ValueInput("text", text), contract=self.maybe(self.contract(), 0.3),
            valid_from=since, valid_until=until,
        )  # fmt: skip

    async def step(self) -> None:
        """One attempt at a change, and some time."""
        options, dependents = WriteOptions(), self.pick(tuple(Dependents))
        s, c, pick = self.services, self.caller, self.pick
        role, team = Ref("id", self.ids[pick(ROLES)]), Ref("id", self.ids[pick(TEAMS)])
        since, until = self.window()
        revoke = [RevokeItem(id=pick(self.rows))] if self.rows else [RevokeItem(permission="desk.reports.menu")]
        assign = [AssignItem(role=role, contract=self.maybe(self.contract(), 0.3), valid_from=since, valid_until=until)]
        members = teams.Members(
            team=team, users=[self.person()], supervisor=self.chance.random() < 0.3, valid_from=since, valid_until=until
        )
        rung = pick((*tuple(AccessLevel)[:3], None))
        level = contracts.LevelItem(user=self.person(), product=pick(CONTRACT_PRODUCTS), level=rung)
        attempts: dict[str, Callable[[], Awaitable[Written]]] = {
            "grant": lambda: grants.grant_permissions(
                s, c, self.holder(), [self.item()], on_missing=pick(tuple(MissingPrerequisites)), options=options
            ),
            "revoke": lambda: grants.revoke_permissions(
                s, c, self.holder(), revoke, on_dependents=dependents, options=options
            ),
            "limit": lambda: grants.limit_permissions(
                s, c, self.holder(), [self.item()], on_dependents=dependents, options=options
            ),
            "lift": lambda: grants.lift_limits(s, c, self.holder(), revoke, options=options),
            "assign": lambda: grants.assign_roles(s, c, self.holder(), assign, options=options),
            "unassign": lambda: grants.unassign_roles(
                s, c, self.holder(), [AssignItem(role=role)], on_dependents=dependents, options=options
            ),
            "join": lambda: teams.add_team_members(s, c, members, options=options),
            "leave": lambda: teams.remove_team_members(s, c, members, on_dependents=dependents, options=options),
            "status": lambda: users.set_user_status(s, c, self.person(), pick(tuple(UserStatus)), options=options),
            "rename": lambda: users.update_user(
                s, c, self.person(), UserAsked(user_name=f"u{self.chance.random()}"), options=options
            ),
            "own": lambda: users.set_account_owner(
                s, c, self.person(), is_owner=self.chance.random() < 0.3, options=options
            ),
            "role": lambda: roles.update_role(
                s, c, role, RoleAsked(archived=self.chance.random() < 0.4),
                parents=pick((UNCHANGED, (), (Ref("id", self.ids[pick(ROLES)]),))), on_dependents=dependents,
                options=options,
            ),
            "team": lambda: teams.update_team(
                s, c, team, TeamAsked(archived=self.chance.random() < 0.4), parent=pick((UNCHANGED, None)),
                on_dependents=dependents, options=options,
            ),
            "contract": lambda: contracts.update_contract(
                s, c, self.contract(), name=UNCHANGED, status=pick((UNCHANGED, *ContractStatus)),
                products=pick((UNCHANGED, CONTRACT_PRODUCTS[:2], CONTRACT_PRODUCTS)), on_dependents=dependents,
                options=options,
            ),
            "level": lambda: contracts.set_access_levels(s, c, self.contract(), [level], options=options),
            "transfer": lambda: contracts.transfer_contract(s, c, self.contract(), self.person(), options=options),
            "link": lambda: contracts.link_subscriber(
                s, c, self.contract(), self.person(), pick(("100", "101", None)), options=options
            ),
            "facts": lambda: contracts.set_facts(
                s, c, contract=self.contract(), user=None, facts=[pick(FACTS[:2])], options=options
            ),
            "facts of a person": lambda: contracts.set_facts(
                s, c, contract=None, user=self.person(), facts=[FACTS[2]], options=options
            ),
        }  # fmt: skip
        name = pick([*attempts, "grant", "grant", "assign", "catalog", "catalog"])
        if name == "catalog":
            await self.adopt()
        else:
            written = await attempts[name]()
            self.done[name] += bool(written.changes)
            self.rows += [change.row for change in written.changes if change.row is not None]
        self.clock.advance(minutes=self.pick((0, 1, 60, 90)))

    async def adopt(self) -> None:
        """Puts another edition of the catalog in force, where no row stands in the way, as a restart would."""
        text = (SEEDS / "desk.yaml").read_text("utf-8")
        for old, new in self.pick(EDITIONS):
            assert old in text
            text = text.replace(old, new)
        (self.seeds / "desk.yaml").write_text(text, "utf-8")
        services = self.services
        with suppress(Refused):
            services.program = await adopt_catalog(
                services.database, find_catalog_files(self.seeds), at=self.clock(), new_id=services.new_id
            )
            self.done["catalog"] += 1

    # ------------------------------------------------------------------ questions

    def question(self) -> Question:
        nodes = [node for node in self.services.catalog.nodes.values() if isinstance(node, Permission | Operation)]
        node = self.pick([node for node in nodes if node.system != "gateway"])
        asked = self.pick((None, *values_to_ask(node.value_type))) if isinstance(node, Permission) else None
        text = None if asked is None or not isinstance(node, Permission) else node.value_type.print(asked)
        target = self.maybe(self.person()) if isinstance(node, Permission) and has_reach(node) else None
        user, contract = self.person(), self.maybe(self.contract())
        facts = tuple(dict(self.chance.sample(FACTS, self.chance.randint(0, 2))).items())
        at = self.clock() + timedelta(hours=self.pick((0, 0, 1, 4, -1)))
        asked_so = CheckAsked(
            user=user, node=node.key, at_least=None if text is None else ValueInput("text", text), contract=contract,
            target=target, facts=facts, at=at,
        )  # fmt: skip
        circumstances = Circumstances(contract=contract, facts=facts, at=at)
        return Question(asked_so, user.value, circumstances, explained=self.chance.random() < 0.5)

    async def ask(self) -> None:
        """Asks about now, and keeps the answers."""
        questions = [self.question() for _ in range(QUESTIONS)]
        async with self.services.reading(self.caller) as reading:
            (entry,) = await reading.unit.audit.find([reading.revision])
            for question in questions:
                answer = await answer_all(reading, question, None)
                self.kept.append(Kept(question, reading.revision, entry.at, answer))

    async def ask_again(self) -> None:
        """Asks about then, in another order, and compares; by time where the revision was the last of its time."""
        self.services.past.__init__()  # type: ignore[misc]  # what was compiled for the answers of then helps no more
        committed = {entry[1]: entry[0] for entry in await self.entries()}
        revisions = sorted({kept.revision for kept in self.kept})
        for revision in self.chance.sample(revisions, len(revisions)):
            async with self.services.reading(self.caller) as reading:
                for kept in self.kept:
                    if kept.revision != revision:
                        continue
                    moments = [AsOf(revision=kept.revision)]
                    if kept.revision == committed[kept.committed]:
                        moments.append(AsOf(time=kept.committed))
                    for moment in moments:
                        answer = await answer_all(reading, kept.question, moment)
                        assert answer == kept.answer, (kept.revision, kept.question)

    async def entries(self) -> list[tuple[int, datetime]]:
        async with self.services.reading() as reading:
            entries = await reading.unit.audit.find(list(range(1, reading.revision + 1)))
        return sorted((entry.revision, entry.at) for entry in entries)


async def answer_all(reading: Reading, question: Question, as_of: AsOf | None) -> Any:
    """Everything that is answered to one question, as plain data that says nothing of where it came from."""
    ((decision, known),) = [
        (answer.decision, answer.reading)
        for answer in await access.answer_many(reading, [replace(question.asked, as_of=as_of)])
    ]
    past = await read_past(reading, as_of)
    assert past is known
    user: Any = question.user
    rights = await access.list_effective_rights(past, user, question.circumstances)
    operations = await access.list_operations(past, user, question.circumstances)
    found = {
        "revision": known.revision,
        "decision": describe(decision),
        "rights": [describe_right(right) for right in rights],
        "operations": [describe(operation) for operation in operations],
    }
    if question.explained and not decision.errors:
        why = explain(decision)
        found["why"] = (set(why.would_allow), set(why.would_deny), why.complete)
    return found


def describe(decision: Decision) -> Any:
    node, catalog = decision.node, None if decision.evaluation is None else decision.evaluation.program.catalog
    missing = [] if catalog is None else [catalog.render(requirement) for requirement in decision.missing]
    return (
        decision.allowed, decision.state, decision.stage, None if node is None else (node.key, node.label),
        decision.asked, decision.value, [(str(error), error.path) for error in decision.errors], missing,
        decision.missing_facts, decision.obligations, decision.subject, decision.contract, decision.evaluated_at,
    )  # fmt: skip


def describe_right(right: EffectiveRight) -> Any:
    return (
        right.permission.key, right.permission.label, right.value, right.granted, right.state,
        [right.catalog.render(requirement) for requirement in right.missing], set(right.contributions()),
    )  # fmt: skip


async def begin_history(template: Template, folder: Path, seed: int) -> History:
    """A history before its first step; whoever begins it closes its services."""
    clock = Clock()
    services = copy_services(template, folder / f"{seed}.db", clock)
    services.randomness = random.Random(seed).randbytes
    shutil.copytree(SEEDS, folder / f"{seed}")
    caller = Caller(user=template.owner, user_name="olga")  # type: ignore[arg-type]  # the id of a user
    history = History(services, caller, clock, dict(template.ids), folder / f"{seed}", random.Random(seed))
    options = WriteOptions()
    for key in ("dora",):
        made = await users.create_user(services, caller, UserAsked(user_name=key), options=options)
        history.ids[key] = made.subject
    made = await roles.create_role(
        services, caller, "leads", RoleAsked(), parents=(), grants=[GrantItem(permission="desk.reports.export")],
        on_missing=MissingPrerequisites.REJECT, options=options,
    )  # fmt: skip
    history.ids["leads"] = made.subject
    return history


async def make_history(template: Template, folder: Path, seed: int) -> History:
    history = await begin_history(template, folder, seed)
    try:
        for _ in range(STEPS):
            await history.ask()
            await history.step()
        await history.ask_again()
    finally:
        await history.services.close()
    return history


@pytest.mark.long
@pytest.mark.parametrize(
    "histories", [pytest.param(10, id="default"), pytest.param(200, id="deep", marks=pytest.mark.deep)]
)
def test_law_8_what_is_answered_about_then_is_what_was_answered_then(
    histories: int, stocked_template: Template, tmp_path: Path
) -> None:
    done: Counter[str] = Counter()
    for seed in range(histories):
        history = asyncio.run(make_history(stocked_template, tmp_path, seed))
        done += history.done

    assert done["catalog"] >= histories // 2
    assert len(done) >= 15, f"few kinds of change came about: {done}"
