"""Records, answers and outcomes in the words of case files, so that every door can be held against the same text."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from app.domain.audit import ChangeRecord
from app.domain.catalog import Catalog, Operation
from app.domain.contributions import Contribution, find_contributions
from app.domain.decisions import Decision, Obligation
from app.domain.errors import DependentsExist, DomainError, InvalidValue, PrerequisiteNotMet
from app.domain.explanation import explain
from app.domain.fixes import EndRow, Fix, GiveRight, LiftLimit, Suggestion
from app.domain.holders import (
    MANUAL,
    Access,
    AnyRow,
    Assignment,
    Grant,
    Limit,
    Membership,
    StoredFact,
    SubscriberLink,
)
from app.domain.narration import describe_steps, word_suggestion
from app.domain.requirements import AtLeast, iterate_atoms
from app.domain.values import Switch, Value
from app.domain.world import World

Words = frozenset[str]


@dataclass(frozen=True, kw_only=True)
class Refused:
    """A refusal or a warning. What a code does not carry is None."""

    code: str
    path: str
    message: str
    holder: str | None = None
    permission: str | None = None
    affected: int | None = None
    missing: tuple[str, ...] | None = None
    fixes: frozenset[Words] | None = None
    dependents: tuple[str, ...] | None = None
    expected: str | None = None


@dataclass(frozen=True, kw_only=True)
class Answer:
    """A decision in words."""

    allowed: bool
    state: str
    value: str | None
    step: int | None
    missing: tuple[str, ...]
    missing_facts: tuple[str, ...]
    obligations: tuple[str, ...]
    errors: tuple[Refused, ...]
    paths: tuple[str, ...]
    would_allow: frozenset[Words]
    would_deny: frozenset[Words]
    complete: bool
    evaluated_at: datetime


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What came of a change, in words; `revision` is None when refused or dry."""

    errors: tuple[Refused, ...]
    warnings: tuple[Refused, ...]
    changes: tuple[str, ...]
    revision: int | None


@dataclass
class Names:
    """Everything in a world by its id, in words."""

    catalog: Catalog
    world: World
    of: dict[str, str] = field(default_factory=dict)
    rows: dict[str, AnyRow] = field(default_factory=dict)

    def __post_init__(self) -> None:
        world = self.world
        self.of |= {user.id: user.user_name for user in world.users.values()}
        self.of |= {role.id: f"role {role.key}" for role in world.roles.values()}
        self.of |= {team.id: f"team {team.key}" for team in world.teams.values()}
        self.of |= {contract.id: contract.number for contract in world.contracts.values()}
        self.rows |= {row.id: row for rows in world.rows.values() for row in rows}

    def right(self, node: str, value: str) -> str:
        """`node = value`; a switch that is on goes without saying."""
        return node if value == "on" else f"{node} = {value}"

    def value(self, node: str, value: Value) -> str:
        return "on" if value == Switch(True) else self.catalog.render_value(node, value)

    def row(self, row: AnyRow) -> str:
        """A row in words, such as `grant ringover.calls.tag_calls to role agent in C-1 from hr`."""
        who = self.of.get(row.holder, row.holder)
        match row:
            case Grant():
                words = f"grant {self.right(row.node, self.value(row.node, row.value))} to {who}"
            case Limit():
                words = f"limit {row.node} = {self.value(row.node, row.value)} on {who}"
            case Assignment():
                words = f"{self.of[row.role]} of {who}"
            case Membership():
                words = f"{who} in {self.of[row.team]}" + (" as supervisor" if row.supervisor else "")
            case Access():
                words = f"level {row.level} of {who} in {row.product}"
            case SubscriberLink():
                words = f"subscriber {row.subscriber} of {who}"
            case StoredFact():
                words = f"fact {row.name} = {row.text}" + (f" of {who}" if row.user else "")
        where = "" if row.contract is None else f" in {self.of[row.contract]}"
        return words + where + ("" if row.source == MANUAL else f" from {row.source}")

    def find_row(self, words: str) -> str:
        """The id of the only row of these words."""
        found = [row.id for row in self.rows.values() if self.row(row) == words]
        if len(found) != 1:
            known = "\n  ".join(sorted(self.row(row) for row in self.rows.values()))
            raise LookupError(f"{len(found)} rows are `{words}`; there are\n  {known}")
        return found[0]

    def ended(self, row: AnyRow) -> str:
        return ("lift " if isinstance(row, Limit) else "end ") + self.row(row)


# ---------------------------------------------------------------------- suggestions


def word_fix(names: Names, decision: Decision | None, fix: Fix) -> Words:
    """A set of suggestions in words."""
    return frozenset(_word_suggestion(names, decision, suggestion) for suggestion in fix)


def _word_suggestion(names: Names, decision: Decision | None, suggestion: Suggestion) -> str:
    match suggestion:
        case GiveRight():
            value = names.value(suggestion.node, suggestion.value)
            return word_grant(names, suggestion.node, value, suggestion.holder, suggestion.contract)
        case LiftLimit(limit=row) | EndRow(row=row):
            return names.ended(row)
    evaluation = None if decision is None else decision.evaluation
    return word_other(names, word_suggestion(names.catalog, evaluation, suggestion))


def word_grant(names: Names, node: str, value: str, holder: str | None, contract: str | None) -> str:
    """A grant that would help; a holder that does not exist yet is `the new role`."""
    who = "the new role" if holder is None else names.of.get(holder, "the new role")
    where = "" if contract is None else f" in {names.of[contract]}"
    return f"grant {names.right(node, value)} to {who}{where}"


def word_other(names: Names, sentence: str) -> str:
    """What the program itself puts into a sentence, without its backticks; a row that it names by id in words."""
    match = re.fullmatch(r"(?:end|lift) the \w+ (\S+)", sentence)
    return names.ended(names.rows[match[1]]) if match else sentence.replace("`", "")


# ---------------------------------------------------------------------- answers


def word_decision(names: Names, decision: Decision) -> Answer:
    """A decision of the engine in words."""
    catalog = names.catalog
    found = explain(decision)
    decided = [step.rule for step in describe_steps(catalog, decision) if step.outcome == "decided"]
    value = None
    if decision.node is not None and decision.value is not None:
        switch = isinstance(decision.node, Operation)
        value = ("on" if decision.allowed else "off") if switch else names.value(decision.node.key, decision.value)
    return Answer(
        allowed=decision.allowed,
        state=decision.state,
        value=value,
        step=read_step(decided),
        missing=tuple(catalog.render(requirement) for requirement in decision.missing),
        missing_facts=decision.missing_facts,
        obligations=tuple(sorted(map(word_obligation, decision.obligations))),
        errors=tuple(word_error(names, error) for error in decision.errors),
        paths=tuple(sorted(_word_paths(names, decision))),
        would_allow=frozenset(word_fix(names, decision, fix) for fix in found.would_allow),
        would_deny=frozenset(word_fix(names, decision, fix) for fix in found.would_deny),
        complete=found.complete,
        evaluated_at=decision.evaluated_at,
    )


def read_step(rules: Iterable[str]) -> int | None:
    """The number of the step that decided, out of the rules that did."""
    return next((int(rule[0]) for rule in rules if rule[0].isdigit()), None)


def word_obligation(obligation: Obligation) -> str:
    """`MASK phone, email, keep 2`, `FILTER_TAGS data: north`, `SCOPE: own`."""
    return say_obligation(obligation.kind, obligation.fields, obligation.keep, obligation.values)


def say_obligation(kind: str, fields: Iterable[str], keep: int | None, values: Iterable[str]) -> str:
    parts = [*fields, *([] if keep is None else [f"keep {keep}"])]
    words = " ".join([kind, ", ".join(parts)]).strip()
    return f"{words}: {', '.join(values)}" if list(values) else words


def _word_paths(names: Names, decision: Decision) -> Iterable[str]:
    if decision.evaluation is None or decision.subject is None or decision.node is None:
        return
    keys = [decision.node.key]
    if isinstance(decision.node, Operation):
        keys = [atom.node for atom in iterate_atoms(decision.node.requirement) if isinstance(atom, AtLeast)]
    for key in dict.fromkeys(keys):
        for path in find_contributions(decision.evaluation, decision.subject.user, key):
            yield _word_path(names, key, path)


def _word_path(names: Names, key: str, path: Contribution) -> str:
    return say_path(
        names, path.holders, names.right(key, names.value(key, path.value)), path.implied_by, path.contract,
        path.valid_until, path.row.source,
    )  # fmt: skip


def say_path(
    names: Names, holders: Iterable[str], right: str, giver: str | None, contract: str | None, until: datetime | None,
    source: str,
) -> str:  # fmt: skip
    """`amy > team north > role agent: node = value by giver in C-1 until 2031-01-01 from hr`."""
    words = f"{' > '.join(names.of[holder] for holder in holders)}: {right}"
    words += "" if giver is None else f" by {giver}"
    words += "" if contract is None else f" in {names.of[contract]}"
    words += "" if until is None else f" until {until:%Y-%m-%d}"
    return words + ("" if source == MANUAL else f" from {source}")


# ---------------------------------------------------------------------- outcomes


def word_error(names: Names, error: DomainError) -> Refused:
    """A refusal of the domain in words."""
    whole: dict[str, Any] = {"code": str(error.code), "path": ".".join(error.path), "message": str(error)}
    match error:
        case PrerequisiteNotMet():
            whole["missing"] = tuple(names.catalog.render(requirement) for requirement in error.missing)
            whole["fixes"] = frozenset(word_fix(names, None, fix) for fix in error.fixes)
        case DependentsExist():
            whole["dependents"] = tuple(sorted(error.dependents))
        case InvalidValue():
            whole["expected"] = error.expected
    if isinstance(error, PrerequisiteNotMet | DependentsExist):
        whole["holder"] = None if error.holder is None else names.of[error.holder]
        whole["permission"] = error.node
        whole["affected"] = error.affected
    return Refused(**whole)


def word_change(names: Names, record: ChangeRecord) -> str:
    """One change in words, such as `limit sam ringover.calls.tag_calls = off in C-1`."""
    return say_change(
        names, action=record.action, holder=record.holder, node=record.node, role=record.role, team=record.team,
        contract=record.contract, before=record.before, after=record.after, detail=record.detail,
    )  # fmt: skip


def say_change(names: Names, **record: str | None) -> str:
    holder = record["holder"]
    words = [str(record["action"])]
    words += [] if holder is None else [names.of.get(holder, "somebody new")]
    words += [] if record["node"] is None else [record["node"]]
    others = (record["role"], record["team"])
    words += [names.of.get(i, "something new") for i in others if i is not None and i != holder]
    if record["action"] in {"set_fact", "end_fact"}:
        words += re.findall(r"`([^`]*)`", str(record["detail"]))[:1]  # which fact it is stands in the sentence alone
    if not str(record["action"]).startswith(("create_", "register_")):
        words += _word_values(record["before"], record["after"], names.of)
    contract = record["contract"]
    words += [] if contract is None else [f"in {names.of.get(contract, 'something new')}"]
    return " ".join(words)


def _word_values(before: str | None, after: str | None, of: Mapping[str, str]) -> list[str]:
    def show(value: str) -> str:
        return re.sub(r"\b[a-z]{3}_[0-9a-z]{26}\b", lambda match: of.get(match[0], "something new"), value)

    if before is not None and after is not None:
        return [f"({show(before)} -> {show(after)})"]
    only = before if after is None else after
    return [] if only in {None, "assigned", "member", "on"} else [f"= {show(str(only))}"]
