"""Every case of `tests/cases` at three doors: the engine, the services, HTTP. The same must come of it at each."""

from collections import Counter
from collections.abc import AsyncIterator, Iterable

import pytest
import pytest_asyncio

from tests.casefiles import AskExpect, Case, Do, DoExpect, Refusal, list_cases
from tests.casewords import Answer, Outcome, Refused
from tests.doors.door import Door
from tests.doors.shelf import Shelf

RUNS = [
    pytest.param(case, door, id=f"{case.id} ({door})")
    for case in list_cases()
    for door in (("engine",) if case.data.engine else ()) + ("services", "http")
]


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def shelf(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Shelf]:
    """The databases of this process."""
    opened = Shelf(tmp_path_factory.mktemp("worlds"))
    yield opened
    await opened.close()


@pytest.mark.asyncio(loop_scope="session")
@pytest.mark.parametrize(("case", "name"), RUNS)
async def test_case(case: Case, name: str, shelf: Shelf) -> None:
    async with shelf.open_door(name, case.file, case.data.at) as door:
        await prove(door, case)


async def prove(door: Door, case: Case) -> None:
    data = case.data
    if data.ask is not None:
        answer = await door.ask(data.ask)
        compare_answer(answer, data.answer)
        assert answer.evaluated_at == (data.ask.at or data.at)
        await door.cross_check(data.ask, answer)
        return
    for earlier in data.given:
        outcome = await door.do(earlier)
        assert not outcome.errors, "what is given must succeed"
    assert data.do is not None
    await prove_change(door, data.do, data.outcome)
    for then in data.then:
        answer = await door.ask(then.ask)
        compare_answer(answer, then.expect)
        await door.cross_check(then.ask, answer)


async def prove_change(door: Door, do: Do, expect: DoExpect) -> None:
    """A dry run says the same and writes nothing; then the change itself, unless only a dry run is asked for."""
    before = await door.look()
    dry = await door.do(do, dry=True)
    assert await door.look() == before, "a dry run writes nothing"
    assert dry.revision is None
    compare_outcome(dry, expect)
    if do.dry_run:
        return
    done = await door.do(do)
    compare_outcome(done, expect)
    after = await door.look()
    if done.errors:
        assert done.revision is None
        assert after == before, "what is refused changes nothing"
    elif not done.changes:
        assert done.revision == before.revision
        assert after == before, "the same again is no change"
    else:
        assert done.revision == after.revision == before.revision + 1, "one change set is one revision"
        assert after.head != before.head


# ---------------------------------------------------------------------- comparing


def compare_answer(answer: Answer, expect: AskExpect) -> None:
    assert answer.state == expect.state, answer
    assert answer.allowed is (expect.state == "ACTIVE")
    compare_refusals(answer.errors, expect.errors)
    assert list(answer.missing_facts) == expect.missing_facts
    assert list(answer.obligations) == sorted(expect.obligations)
    assert answer.complete is expect.complete
    if answer.allowed:
        assert not answer.missing
        assert not answer.would_allow
    else:
        assert not answer.would_deny
    if expect.value is not None:
        assert answer.value == expect.value
    if expect.step is not None:
        assert answer.step == expect.step
    if expect.missing is not None:
        assert sorted(answer.missing) == sorted(expect.missing)
    if expect.paths is not None:
        assert list(answer.paths) == sorted(expect.paths)
    for found, wanted in ((answer.would_allow, expect.would_allow), (answer.would_deny, expect.would_deny)):
        if wanted is not None:
            assert list_sets(found) == list_sets(wanted)


def compare_outcome(outcome: Outcome, expect: DoExpect) -> None:
    if expect.codes is not None:
        assert Counter(error.code for error in outcome.errors) == expect.codes
    else:
        compare_refusals(outcome.errors, expect.errors)
    compare_refusals(outcome.warnings, expect.warnings)
    if expect.count is not None:
        assert len(outcome.changes) == expect.count
    else:
        assert sorted(outcome.changes) == sorted(expect.changes)


def compare_refusals(found: Iterable[Refused], expected: list[Refusal]) -> None:
    """Exactly these refusals, in any order, each as far as it is described."""
    left = list(found)
    for wanted in expected:
        match = next((refused for refused in left if not list_differences(refused, wanted)), None)
        assert match is not None, f"{wanted!r} is not among {left}"
        left.remove(match)
    assert not left, "nothing else is refused"


def list_differences(refused: Refused, wanted: Refusal) -> list[str]:
    found = []
    for name in type(wanted).model_fields:
        value, given = getattr(refused, name), getattr(wanted, name)
        if given is None:
            continue
        if name == "message":
            same = given in value
        elif name == "fixes":
            same = value is not None and list_sets(value) == list_sets(given)
        elif name in {"missing", "dependents"}:
            same = value is not None and sorted(value) == sorted(given)
        else:
            same = value == given
        found += [] if same else [name]
    return found


def list_sets(sets: Iterable[Iterable[str]]) -> list[list[str]]:
    return sorted(sorted(words) for words in sets)
