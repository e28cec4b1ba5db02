"""What came of a plan as plain data: for JSON and for the command line, in the words of the GraphQL schema."""

from datetime import datetime
from typing import Any

from app.domain.callers import Caller
from app.domain.catalog import Catalog
from app.domain.errors import DelegationExceeded, DependentsExist, DomainError, InvalidValue, PrerequisiteNotMet
from app.domain.fixes import Fix, GiveRight
from app.domain.holders import Role, Team, User
from app.domain.sync.runs import SyncItem, SyncRun
from app.services.context import Services
from app.services.seeing import Seen
from app.services.sync.planning import SyncAnswer

Data = dict[str, Any]


async def show_answer(services: Services, caller: Caller, answer: SyncAnswer) -> Data:
    """A run with what is to be said of it; errors are listed up to a hundred."""
    async with services.reading(caller) as reading:
        teller = ErrorTeller(services.catalog, await reading.look())
    return {
        "run": None if answer.run is None else show_run(answer.run),
        "errors": [teller.show(error) for error in answer.errors],
        "warnings": [teller.show(warning) for warning in answer.warnings],
        "repeated": answer.repeated,
    }


def show_refusals(answer: SyncAnswer) -> Data:
    """Why there is no run."""
    errors = [_show_plainly(error) for error in answer.errors]
    return {"run": None, "errors": errors, "warnings": [], "repeated": False}


def show_run(run: SyncRun) -> Data:
    """A run, its fields named and spelt as the schema has them."""
    counts = run.counts
    return {
        "id": run.id, "source": run.source, "status": run.status.value, "mode": run.mode.value,
        "takeOver": run.take_over, "maxRemovals": run.max_removals, "baseRevision": str(run.base_revision),
        "revision": None if run.revision is None else str(run.revision), "fingerprint": run.fingerprint,
        "creates": counts.creates, "updates": counts.updates, "removes": counts.removes, "suspends": counts.suspends,
        "losingRights": counts.losing_rights, "unchanged": counts.unchanged, "conflicts": counts.conflicts,
        "refused": counts.refused, "brake": list(run.brake), "warnings": list(run.warnings),
        "plannedAt": _show_moment(run.planned_at), "plannedBy": run.planned_by,
        "appliedAt": _show_moment(run.applied_at), "appliedBy": run.applied_by, "reason": run.reason,
    }  # fmt: skip


def _show_moment(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat().replace("+00:00", "Z")


class ErrorTeller:
    """Tells errors, and what would mend them as a feed would write it: `storm.privileges.users = Modify`."""

    def __init__(self, catalog: Catalog, seen: Seen) -> None:
        self.catalog = catalog
        self.seen = seen

    def show_item(self, item: SyncItem) -> Data:
        return {
            "action": item.action.value, "subject": item.subject, "path": list(item.path), "detail": item.detail,
            "errors": [self.show(error) for error in item.errors],
        }  # fmt: skip

    def show(self, error: DomainError) -> Data:
        told = _show_plainly(error)
        match error:
            case PrerequisiteNotMet():
                told |= {"permission": error.node, "fixes": [self._word(fix) for fix in error.fixes]}
            case DependentsExist():
                told |= {"permission": error.node, "dependents": list(error.dependents)}
            case DelegationExceeded():
                told["permission"] = error.node
        return told

    def _word(self, fix: Fix) -> list[str]:
        """The grants of a fix, each in words; of what the caller does not see the name is left out."""
        return sorted(self._word_grant(give) for give in fix if isinstance(give, GiveRight))

    def _word_grant(self, give: GiveRight) -> str:
        contract = self.seen.contract(give.contract)
        where = "" if contract is None else f" in `{contract.number}`"
        match self.seen.holder(give.holder):
            case Role(key=key):
                whom = f" to the role `{key}`"
            case Team(key=key):
                whom = f" to the team `{key}`"
            case User(user_name=name):
                whom = f" to `{name}`"
            case _:
                whom = ""
        return f"grant `{give.node} = {self.catalog.render_value(give.node, give.value)}`{where}{whom}"


def _show_plainly(error: DomainError) -> Data:
    told: Data = {"code": error.code.value, "message": str(error), "path": list(error.path)}
    if isinstance(error, InvalidValue):
        told["expected"] = error.expected
    return told
