"""What is said of a plan: in words, or as one JSON object."""

import json
from collections.abc import Callable, Iterable, Iterator
from itertools import islice

import click

from app.web.sync_answers import Data

SHOWN = 50  # items of each kind, and faults: more than a screen, and less than a first load
APPLIED, CHANGES, REFUSED = 0, 2, 3  # exit states; the first is that of nothing to do as well
_KINDS = {"REMOVE": ("-", "ends"), "UPDATE": ("~", "changes"), "CREATE": ("+", "is made")}
ItemsOf = Callable[[str], Iterator[Data]]


def exit_state(answer: Data) -> int:
    """How a command ends that has planned: the brake counts as a refusal, and so do faults that leave nothing to do."""
    run = answer["run"]
    if run is None or run["status"] in {"REFUSED", "STALE"} or (run["status"] == "PLANNED" and run["brake"]):
        return REFUSED
    if run["status"] == "APPLIED":
        return APPLIED
    if run["creates"] or run["updates"] or run["removes"] or run["suspends"]:
        return CHANGES
    return REFUSED if run["conflicts"] or run["refused"] else APPLIED


# ---------------------------------------------------------------------- in words


def print_plan(answer: Data, items_of: ItemsOf, *, all_of_it: bool) -> None:
    """A plan for people: how much, what stops it, what is wrong and where, what is done."""
    run = answer["run"]
    if run is None:
        print_faults(answer["errors"])
        return
    print_run(run)
    for warning in answer["warnings"]:
        if warning["code"] not in {"BRAKE", "ADVISORY"}:  # which the run tells of itself
            _say(f"  {warning['message']}")
    is_cut = not all_of_it and run["conflicts"] + run["refused"] > 0
    if all_of_it and run["conflicts"] + run["refused"] > len(answer["errors"]):
        for action in ("CONFLICT", "REFUSED"):
            print_faults(error for item in items_of(action) for error in item["errors"])
    else:
        print_faults(answer["errors"] if all_of_it else answer["errors"][:SHOWN])
        more = run["conflicts"] + run["refused"] - min(len(answer["errors"]), SHOWN)
        if is_cut and more > 0:
            _say(f"  and {more} more that stand in the way: `--all` shows them")
    for action, (sign, word) in _KINDS.items():
        _print_items(items_of(action), sign, word, all_of_it=all_of_it)


def print_run(run: Data) -> None:
    """How much a plan does, and what becomes of it."""
    _say(f"plan {run['id']} of `{run['source']}` at revision {run['baseRevision']}: {_say_status(run)}")
    parts = [f"{run[name]} to {verb}" for name, verb in (("creates", "make"), ("updates", "change"),
                                                         ("removes", "end"), ("suspends", "suspend"))]  # fmt: skip
    _say(
        f"  {', '.join(parts)}; people who lose a right: {run['losingRights']}; entries as they are: {run['unchanged']}"
    )
    if run["conflicts"] or run["refused"]:
        _say(f"  in the way: {run['conflicts']} in conflict, {run['refused']} refused")
    for alarm in run["brake"] if run["status"] in {"PLANNED", "REFUSED"} else ():
        _say(f"  the brake: {alarm}")
    for warning in run["warnings"]:
        _say(f"  {warning}")


def _say_status(run: Data) -> str:
    if run["status"] == "APPLIED":
        return f"applied at {run['appliedAt']} as revision {run['revision']}"
    if run["status"] == "PLANNED" and exit_state({"run": run}) == APPLIED:
        return "nothing to do"
    return {"PLANNED": "planned", "REFUSED": "refused", "STALE": "stale, plan again"}[run["status"]]


def print_faults(errors: Iterable[Data]) -> None:
    """Each fault with its place in the file and what would mend it."""
    for error in errors:
        place = ", ".join(error["path"])
        _say(f"! {place}: {error['message']}" if place else f"! {error['message']}")
        if "expected" in error:
            _say(f"    expected {error['expected']}")
        if error.get("permission"):
            _say(f"    about {error['permission']}")
        for number, fix in enumerate(error.get("fixes", ())):
            _say(f"    {'or' if number else 'would mend it:'} {' and '.join(fix)}")


def _print_items(items: Iterator[Data], sign: str, word: str, *, all_of_it: bool) -> None:
    for number, item in enumerate(items if all_of_it else islice(items, SHOWN + 1)):
        if number == 0:
            _say(f"{word}:")
        if number == SHOWN and not all_of_it:
            _say("  ... `--all` shows what else")
            return
        place = ", ".join(item["path"])
        _say(f"{sign} {item['subject']}: {item['detail']}{f'  ({place})' if place else ''}")


def print_runs(runs: Iterable[Data]) -> None:
    """Runs, a line each."""
    for run in runs:
        counts = f"+{run['creates']} ~{run['updates']} -{run['removes']} suspended {run['suspends']}"
        _say(f"{run['plannedAt']}  {run['status']:<8} {run['source']}  {counts}  {run['id']}")


def _say(line: str) -> None:
    click.echo("".join(c if c.isprintable() else f"\\u{ord(c):04x}" for c in line))


# ---------------------------------------------------------------------- for programs


def print_json(answer: Data, items_of: ItemsOf, *, all_of_it: bool, **more: object) -> None:
    """One object on a line: `run`, `errors`, `warnings`, `items`, and whether there are more of these."""
    found: list[Data] = []
    is_cut = False
    if answer["run"] is not None:
        for action in ("REFUSED", "CONFLICT", *_KINDS):
            items = items_of(action)
            found += items if all_of_it else islice(items, SHOWN)
            is_cut |= next(items, None) is not None
    content = {name: answer[name] for name in ("run", "errors", "warnings")}
    click.echo(json.dumps({**content, "items": found, "moreItems": is_cut, **more}, ensure_ascii=True))
