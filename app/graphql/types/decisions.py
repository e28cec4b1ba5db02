"""Decisions, effective rights, and why they are what they are (SEMANTICS section 5)."""

from dataclasses import replace
from datetime import datetime
from typing import cast

import strawberry

from app.domain import contributions as domain_contributions
from app.domain import decisions as domain
from app.domain import explanation as domain_explanation
from app.domain import fixes as domain_fixes
from app.domain.catalog import Catalog, Operation, Permission
from app.domain.holders import Grant as GrantRow
from app.domain.narration import describe_steps, summarise, word_suggestion
from app.domain.rights import Evaluation, State
from app.graphql.context import Info
from app.graphql.scalars import Revision
from app.graphql.types.catalog import show_node
from app.graphql.types.holders import show_holder
from app.graphql.types.names import (
    ContractType,
    GrantType,
    HolderType,
    PermissionNodeType,
    PermissionType,
    RequirementType,
    UserErrorType,
)
from app.graphql.types.nodes import Node
from app.graphql.types.requirements import show_requirement
from app.graphql.types.rows import show_contract, show_permission
from app.graphql.types.values import RightValue, SwitchValue, show_value
from app.services import access, at_once
from app.services.context import Reading
from app.services.index import RightsIndex


@strawberry.type(
    description="A path by which a right is reached: `holders` runs from the one asked about to the one with the grant."
)
class Contribution:
    value: RightValue = strawberry.field(description="What arrives by this path, limits on the way taken off.")
    source: str = strawberry.field(description="Who manages the grant.")
    valid_until: datetime | None = strawberry.field(description="When the first row of the path ends; null: never.")
    path: strawberry.Private[domain_contributions.Contribution]
    known_in: strawberry.Private[Catalog]

    @classmethod
    def of(cls, catalog: Catalog, permission: Permission, path: domain_contributions.Contribution) -> "Contribution":
        return cls(
            value=show_value(permission.value_type, path.value), source=path.row.source, valid_until=path.valid_until,
            path=path, known_in=catalog,
        )  # fmt: skip

    @strawberry.field(description="The grant; null for an access level.")
    def grant(self) -> GrantType | None:
        from app.graphql.types.rows import Grant

        return Grant.of(self.path.row, self.known_in) if isinstance(self.path.row, GrantRow) else None

    @strawberry.field(description="From the holder asked about to the one that carries the grant.")
    async def holders(self, info: Info) -> list[HolderType | None]:
        return [await show_holder(info, holder) for holder in self.path.holders]

    @strawberry.field(description="The right that brings this one along; null: it is granted itself.")
    def implied_by(self, info: Info) -> PermissionType | None:
        return None if self.path.implied_by is None else show_permission(info, self.path.implied_by, self.known_in)

    @strawberry.field(description="The contract in which alone the path counts; null: everywhere.")
    async def contract(self, info: Info) -> ContractType | None:
        return await show_contract(info, self.path.contract)


@strawberry.type(description="One permission of a holder: what it has, what was granted, and how that stands.")
class EffectiveRight:
    value: RightValue = strawberry.field(description="The effective value.")
    granted: RightValue = strawberry.field(description="What was granted, before limits and requirements.")
    state: State = strawberry.field(description="How what was granted stands.")
    right: strawberry.Private[access.EffectiveRight]

    @classmethod
    def of(cls, right: access.EffectiveRight) -> "EffectiveRight":
        value_type = right.permission.value_type
        return cls(
            value=show_value(value_type, right.value), granted=show_value(value_type, right.granted),
            state=right.state, right=right,
        )  # fmt: skip

    @strawberry.field(description="The permission.")
    def permission(self) -> PermissionType:
        from app.graphql.types.catalog import Permission as PermissionNode

        return PermissionNode.of(self.right.permission, self.right.catalog)

    @strawberry.field(description="What is not held and would have to be, all the way down; empty for a yes.")
    def missing(self) -> list[RequirementType]:
        return [show_requirement(self.right.catalog, requirement) for requirement in self.right.missing]

    @strawberry.field(description="The paths by which it is reached, at most 100.")
    def contributions(self) -> list[Contribution]:
        catalog, permission = self.right.catalog, self.right.permission
        return [Contribution.of(catalog, permission, path) for path in self.right.contributions()]


@strawberry.type(description="What must go with a yes. `kind` is MASK, FILTER_TAGS, FILTER_ROLE or SCOPE.")
class Obligation:
    kind: str = strawberry.field(
        description="MASK: show only the first `keep` characters of `fields`. FILTER_TAGS: only what carries every "
        "one of `values` (`all`: nothing). FILTER_ROLE: only what is published to one of the roles in `values`; none: "
        "nothing. SCOPE: only as far as `values` reach."
    )
    fields: list[str] = strawberry.field(description="What it is about: fields to mask, or what is filtered.")
    values: list[str] = strawberry.field(description="Tags, role keys, scopes or members.")
    keep: int | None = strawberry.field(description="How many characters a mask leaves.")


@strawberry.type(description="One step of the decision.")
class ExplanationStep:
    rule: str = strawberry.field(description="The step.")
    outcome: str = strawberry.field(description="passed, decided, or skipped.")
    detail: str = strawberry.field(description="What was found there.")


@strawberry.type(description="A grant that would help.")
class SuggestedGrant:
    value: RightValue = strawberry.field(description="How much of it.")
    suggestion: strawberry.Private[domain_fixes.GiveRight]
    known_in: strawberry.Private[Catalog]

    @strawberry.field(description="To whom; null: the holder does not exist yet.")
    async def holder(self, info: Info) -> HolderType | None:
        return await show_holder(info, self.suggestion.holder)

    @strawberry.field(description="What to grant.")
    def permission(self, info: Info) -> PermissionType:
        return show_permission(info, self.suggestion.node, self.known_in)

    @strawberry.field(description="In which contract; null: everywhere.")
    async def contract(self, info: Info) -> ContractType | None:
        return await show_contract(info, self.suggestion.contract)


@strawberry.type(description="A smallest set of changes that makes the difference; no part of it does.")
class Fix:
    grants: list[SuggestedGrant] = strawberry.field(description="Rights to grant.")
    removals: list[Node | None] = strawberry.field(description="Rows to end: limits, grants, assignments and so on.")
    other: list[str] = strawberry.field(
        description="In words, what is neither a grant nor a row to end: a role, a level, a membership, a fact."
    )

    @classmethod
    def of(cls, info: Info, evaluation: Evaluation | None, fix: domain_fixes.Fix) -> "Fix":
        catalog = info.context.catalog if evaluation is None else evaluation.program.catalog
        grants: list[SuggestedGrant] = []
        removals: list[Node | None] = []
        other: list[str] = []
        for suggestion in sorted(fix, key=lambda s: (catalog.number_of.get(getattr(s, "node", ""), 0), repr(s))):
            match suggestion:
                case domain_fixes.GiveRight():
                    value_type = catalog.require_permission(suggestion.node).value_type
                    value = show_value(value_type, suggestion.value)
                    grants.append(SuggestedGrant(value=value, suggestion=suggestion, known_in=catalog))
                case domain_fixes.LiftLimit(limit=row) | domain_fixes.EndRow(row=row):
                    shown = show_row(row, catalog)
                    if shown is None:
                        other.append(word_suggestion(catalog, evaluation, suggestion))
                    else:
                        removals.append(shown)
                case _:
                    other.append(word_suggestion(catalog, evaluation, suggestion))
        return cls(grants=grants, removals=removals, other=other)


def show_row(row: object, catalog: Catalog | None = None) -> Node | None:
    """A row, read by a catalog (None: by the one in force); None for rows that have no type of their own."""
    from app.domain import holders
    from app.graphql.types import contracts, rows

    match row:
        case holders.Grant():
            return rows.Grant.of(row, catalog)
        case holders.Limit():
            return rows.Limit.of(row, catalog)
        case holders.Assignment():
            return rows.RoleAssignment.of(row)
        case holders.Membership():
            return rows.TeamMembership.of(row)
        case holders.Access():
            return contracts.ProductAccess.of(row, catalog)
    return None


@strawberry.type(description="Why a decision is what it is, and what would make it another.")
class Explanation:
    decision: strawberry.Private[domain.Decision]
    known_in: strawberry.Private[Catalog]
    found: strawberry.Private[domain_explanation.Explanation | None] = None  # once it was searched for

    @strawberry.field(description="One sentence for a person.")
    def summary(self) -> str:
        return summarise(self.known_in, self.decision)

    @strawberry.field(description="The steps of the decision in their order.")
    def steps(self) -> list[ExplanationStep]:
        return [
            ExplanationStep(rule=step.rule, outcome=step.outcome, detail=step.detail)
            for step in describe_steps(self.known_in, self.decision)
        ]

    @strawberry.field(description="False: the search for the sets below was cut off.")
    async def complete(self, info: Info) -> bool:
        return (await self._explain(info)).complete

    async def _explain(self, info: Info) -> domain_explanation.Explanation:
        if self.found is None:
            self.found = await access.explain_to(await info.context.read(), self.decision)
        return self.found

    @strawberry.field(description="The paths by which the right, or what an operation requires, is reached.")
    def contributions(self) -> list[Contribution]:
        decision, catalog = self.decision, self.known_in
        if decision.evaluation is None or decision.subject is None or decision.node is None:
            return []
        keys = [decision.node.key]
        if isinstance(decision.node, Operation):
            keys = list(dict.fromkeys(name_own_nodes(decision.node)))
        return [
            Contribution.of(catalog, catalog.require_permission(key), path)
            for key in keys
            for path in domain_contributions.find_contributions(decision.evaluation, decision.subject.user, key)
        ]

    @strawberry.field(description="Each an inclusion-minimal set of row changes that would make it a yes.")
    async def would_allow(self, info: Info) -> list[Fix]:
        found = await self._explain(info)
        return [Fix.of(info, self.decision.evaluation, fix) for fix in found.would_allow]

    @strawberry.field(description="Each an inclusion-minimal set of rows to end that would make it a no.")
    async def would_deny(self, info: Info) -> list[Fix]:
        found = await self._explain(info)
        return [Fix.of(info, self.decision.evaluation, fix) for fix in found.would_deny]


def name_own_nodes(operation: Operation) -> list[str]:
    """The permissions of the person that an operation leans on."""
    from app.domain.requirements import AtLeast, iterate_atoms

    return [atom.node for atom in iterate_atoms(operation.requirement) if isinstance(atom, AtLeast)]


@strawberry.type(description="The answer to one question. Whatever is unknown, wrong or fails makes it a no.")
class Decision:
    allowed: bool = strawberry.field(description="Yes or no.")
    state: State = strawberry.field(description="How the right stands.")
    revision: Revision = strawberry.field(description="The revision it was answered from: that of `asOf`, if given.")
    evaluated_at: datetime = strawberry.field(description="The moment it is about.")
    decision: strawberry.Private[domain.Decision]
    known_in: strawberry.Private[Catalog]
    question: strawberry.Private[access.CheckAsked | None] = None  # of one that the index answered

    @classmethod
    def of(
        cls,
        decision: domain.Decision,
        known: Reading | RightsIndex,
        question: access.CheckAsked | None = None,
        at: datetime | None = None,
    ) -> "Decision":
        """A decision as the schema shows it; of one from the index the question that it answers, and its moment."""
        return cls(
            allowed=decision.allowed,
            state=decision.state,
            revision=Revision(known.revision),
            evaluated_at=decision.evaluated_at if at is None else at,
            decision=decision,
            known_in=known.catalog,
            question=question,
        )

    @strawberry.field(description="Facts, or `target`, that the answer hangs on and that are not known.")
    def missing_facts(self) -> list[str]:
        return list(self.decision.missing_facts)

    @strawberry.field(description="What goes with a yes.")
    def obligations(self) -> list[Obligation]:
        return [
            Obligation(kind=o.kind, fields=list(o.fields), values=list(o.values), keep=o.keep)
            for o in self.decision.obligations
        ]

    @strawberry.field(description="What was asked. Null when the question names no known node; then `errors` says so.")
    def node(self) -> PermissionNodeType | None:
        return None if self.decision.node is None else show_node(self.decision.node, self.known_in)

    @strawberry.field(description="The effective value; null when the question itself was wrong.")
    def value(self) -> RightValue | None:
        node, value = self.decision.node, self.decision.value
        if node is None or value is None:
            return None
        if isinstance(node, Operation):
            return SwitchValue(text="on" if self.allowed else "off", on=self.allowed)
        return show_value(node.value_type, value)

    @strawberry.field(
        description="What was wrong with the question: an unknown user, node or contract, a value of another type."
    )
    def errors(self) -> list[UserErrorType]:
        from app.graphql.types.refusals import show_error

        return [show_error(error) for error in self.decision.errors]

    @strawberry.field(description="What is not held and would have to be, all the way down; empty for a yes.")
    def missing(self) -> list[RequirementType]:
        return [show_requirement(self.known_in, requirement) for requirement in self.decision.missing]

    @strawberry.field(description="Why, and what would change it.")
    def explanation(self, info: Info) -> Explanation:
        if self.question is not None:  # the index knows no rows: they are read
            return cast("Explanation", self._explain_anew(info, self.question))
        return Explanation(decision=self.decision, known_in=self.known_in)

    async def _explain_anew(self, info: Info, question: access.CheckAsked) -> Explanation:
        async def load(questions: list[access.CheckAsked]) -> list[domain.Decision]:
            return await access.check_again(await info.context.read(), questions)

        asked = info.context.loader("decisions again", load, cache=False)
        return Explanation(decision=await asked.load(replace(question, at=self.evaluated_at)), known_in=self.known_in)


def load_decision(info: Info, question: access.CheckAsked) -> Decision:
    """The decision of one question: at once where the index has it, else something to be waited for."""
    index = info.context.find_index()
    if index is not None:
        decision = at_once.decide(index, info.context.caller, question, info.context.now)
        if decision is not None:
            return Decision.of(decision, index, question, question.at or info.context.now)
    return cast("Decision", _load_decision(info, question))


def load_decisions(info: Info, questions: list[access.CheckAsked]) -> list[Decision]:
    """The decisions of many questions, all of them at once or all to be waited for."""
    index = info.context.find_index()
    if index is not None:
        now = info.context.now
        decisions = at_once.decide_many(index, info.context.caller, questions, now)
        if decisions is not None:
            pairs = zip(decisions, questions, strict=True)
            return [Decision.of(decision, index, question, question.at or now) for decision, question in pairs]
    return cast("list[Decision]", _load_decisions(info, questions))


async def _load_decisions(info: Info, questions: list[access.CheckAsked]) -> list[Decision]:
    answers = await access.answer_many(await info.context.read(), questions)
    return [Decision.of(answer.decision, answer.reading) for answer in answers]


async def _load_decision(info: Info, question: access.CheckAsked) -> Decision:
    """The decision of one question; questions asked at the same time are answered together."""

    async def load(questions: list[access.CheckAsked]) -> list[Decision]:
        answers = await access.answer_many(await info.context.read(), questions)
        return [Decision.of(answer.decision, answer.reading) for answer in answers]

    return await info.context.loader("decisions", load, cache=False).load(question)
