"""References by id or natural key, facts and moments, as clients give them."""

from datetime import datetime
from typing import Annotated, cast

import strawberry

from app.domain.references import Attribute, Ref
from app.graphql.scalars import Revision
from app.services import history
from app.services.references import HolderNoun
from app.services.references import HolderRef as ServiceHolderRef


@strawberry.input(one_of=True, description="A user: by exactly one of id, user name or external id.")
class UserRef:
    id: strawberry.ID | None = strawberry.field(default=strawberry.UNSET, description="The id.")
    user_name: str | None = strawberry.field(default=strawberry.UNSET, description="The user name, exactly.")
    external_id: str | None = strawberry.field(
        default=strawberry.UNSET, description="The id in the directory it comes from, exactly."
    )


@strawberry.input(one_of=True, description="A role: by exactly one of id or key.")
class RoleRef:
    id: strawberry.ID | None = strawberry.field(default=strawberry.UNSET, description="The id.")
    key: str | None = strawberry.field(default=strawberry.UNSET, description="The key, exactly.")


@strawberry.input(one_of=True, description="A team: by exactly one of id or key.")
class TeamRef:
    id: strawberry.ID | None = strawberry.field(default=strawberry.UNSET, description="The id.")
    key: str | None = strawberry.field(default=strawberry.UNSET, description="The key, exactly.")


@strawberry.input(one_of=True, description="A contract: by exactly one of id or number.")
class ContractRef:
    id: strawberry.ID | None = strawberry.field(default=strawberry.UNSET, description="The id.")
    number: str | None = strawberry.field(default=strawberry.UNSET, description="The number, exactly.")


@strawberry.input(one_of=True, description="A user, a role or a team: exactly one of them.")
class HolderRef:
    user: UserRef | None = strawberry.field(default=strawberry.UNSET, description="A user.")
    role: RoleRef | None = strawberry.field(default=strawberry.UNSET, description="A role.")
    team: TeamRef | None = strawberry.field(default=strawberry.UNSET, description="A team.")


@strawberry.input(description="A fact that a catalog declares, such as `credit_balance`, and its value as text.")
class FactInput:
    name: str = strawberry.field(description="The name of the fact.")
    value: str = strawberry.field(description="Its value: a number, `true` or `false`.")


AT = "At this moment; left out: now, or when what `asOf` names was committed."
CONTRACT = "In this contract; left out: by what counts in every contract."
FACTS = (
    "Facts to take as known, where none is stored; from whoever has the right `gateway.rights.assert_facts`, in place "
    "of what is stored."
)
AS_OF = (
    "By the rows and the catalog that were known then; left out: by those of now. Whether you may see the answer is "
    "decided by what you hold now."
)


@strawberry.input(
    one_of=True,
    description="What was known then, whatever is known now: by exactly one of revision or time. It reaches no further "
    "back than the audit log, and not into the future.",
)
class AsOf:
    revision: Revision | None = strawberry.field(default=strawberry.UNSET, description="At this revision.")
    time: datetime | None = strawberry.field(
        default=strawberry.UNSET, description="At the last revision that was committed by this time."
    )


At = Annotated[datetime | None, strawberry.argument(description=AT)]
AsOfArgument = Annotated[AsOf | None, strawberry.argument(description=AS_OF)]
ContractArgument = Annotated[ContractRef | None, strawberry.argument(description=CONTRACT)]
FactsArgument = Annotated[list[FactInput] | None, strawberry.argument(description=FACTS)]


def read_ref(given: UserRef | RoleRef | TeamRef | ContractRef) -> Ref:
    """The reference that an input makes."""
    for attribute, value in vars(given).items():
        if value is not strawberry.UNSET:
            return Ref.of(cast("Attribute", attribute), str(value))
    raise AssertionError("exactly one of them is given")


def read_optional_ref(given: UserRef | RoleRef | TeamRef | ContractRef | None) -> Ref | None:
    """The reference that an input makes, None where there is none."""
    return None if given is None or given is strawberry.UNSET else read_ref(given)


def read_as_of(given: AsOf | None) -> history.AsOf | None:
    """The moment that an input names, None where there is none."""
    if given is None or given is strawberry.UNSET:
        return None
    if given.revision is not strawberry.UNSET:
        return history.AsOf(revision=given.revision)
    return history.AsOf(time=given.time)


def read_holder_ref(given: HolderRef) -> ServiceHolderRef:
    """The holder that an input names."""
    noun, ref = next((name, value) for name, value in vars(given).items() if value is not strawberry.UNSET)
    return ServiceHolderRef(cast("HolderNoun", noun), read_ref(ref))


def read_facts(given: list[FactInput] | None) -> tuple[tuple[str, str], ...]:
    """The facts of a question."""
    return tuple((fact.name, fact.value) for fact in given or ())
