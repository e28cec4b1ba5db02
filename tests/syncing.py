"""Short ways to plan what a source wants, and to apply it, through the API."""

from typing import Any

from tests.factories import ERROR, Answer, Gateway

RUN = """
  id source status mode takeOver maxRemovals baseRevision revision fingerprint
  creates updates removes suspends losingRights unchanged conflicts refused
  brake warnings plannedAt plannedBy appliedAt appliedBy reason
"""
ITEMS = f"""items(first: 100) {{ totalCount edges {{ node {{
  action subject path detail errors {{ {ERROR} }}
}} }} }}"""
PAYLOAD = f"run {{ {RUN} {ITEMS} }} errors {{ {ERROR} }} warnings {{ {ERROR} }}"
PLAN = f"mutation($input: SyncInput!) {{ planSync(input: $input) {{ {PAYLOAD} }} }}"
APPLY = f"mutation($input: ApplySyncInput!) {{ applySync(input: $input) {{ {PAYLOAD} }} }}"
COUNTS = ("creates", "updates", "removes", "suspends", "losingRights", "unchanged", "conflicts", "refused")


def person(name: str, **more: Any) -> Answer:
    """A person as a source wants them, known there as `e-` and their name."""
    return {"externalId": f"e-{name}", "userName": name, **more}


def role(key: str, **window: Any) -> Answer:
    """A role for somebody."""
    return {"role": {"key": key}, **window}


def level(product: str = "core", rung: str = "USER", number: str = "C-1") -> Answer:
    return {"contract": {"number": number}, "product": product, "level": rung}


async def plan(gateway: Gateway, *, token: str | None = None, source: str = "hr", **given: Any) -> Answer:
    """The payload of a plan, whatever came of it."""
    payload: Answer = (await gateway.gql(PLAN, {"input": {"source": source, **given}}, token=token))["planSync"]
    return payload


async def planned(gateway: Gateway, **given: Any) -> Answer:
    """The run of a plan in whose way nothing stands."""
    payload = await plan(gateway, **given)
    assert payload["errors"] == [], payload["errors"]
    run: Answer = payload["run"]
    assert run["status"] == "PLANNED"
    return run


async def apply(gateway: Gateway, run: Answer, *, token: str | None = None, **given: Any) -> Answer:
    """The payload of applying a plan, whatever came of it."""
    asked = {"plan": run["id"], "fingerprint": run["fingerprint"], **given}
    payload: Answer = (await gateway.gql(APPLY, {"input": asked}, token=token))["applySync"]
    return payload


async def applied(gateway: Gateway, run: Answer, **given: Any) -> Answer:
    """The run of a plan that is applied."""
    payload = await apply(gateway, run, **given)
    assert payload["errors"] == [], payload["errors"]
    done: Answer = payload["run"]
    assert done["status"] == "APPLIED"
    return done


async def sync(gateway: Gateway, **given: Any) -> Answer:
    """Plans and applies what nothing stands in the way of; the run."""
    return await applied(gateway, await planned(gateway, **given))


def counts(run: Answer) -> Answer:
    """How much a plan does, what is nothing left out."""
    return {name: run[name] for name in COUNTS if run[name]}


def items(run: Answer) -> list[tuple[str, str, str, str]]:
    """Action, subject, path and words of every item, in the order of the plan."""
    nodes = [edge["node"] for edge in run["items"]["edges"]]
    assert len(nodes) == run["items"]["totalCount"]
    return [(node["action"], node["subject"], " ".join(node["path"]), node["detail"]) for node in nodes]


def faults(run: Answer) -> list[Answer]:
    """The errors of all items."""
    return [error for edge in run["items"]["edges"] for error in edge["node"]["errors"]]


def codes(errors: list[Answer]) -> list[tuple[str, str]]:
    """Codes and paths of errors."""
    return [(error["code"], " ".join(error["path"])) for error in errors]
