"""The README says what is so: its questions are asked of the demo in order, its commands are those of `.ci/run`.

A question is a fenced block ```graphql, followed by its answer in a block ```json. A second word after `graphql` names
the caller of the demo who asks (left out: the owner). In an answer, "…" stands for what differs from run to run.
"""

import asyncio
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from app.main import create_app, open_services
from app.services.demo import DEMO_CALLERS, load_demo
from app.settings import Settings, find_seeds
from tests.factories import executor

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text("utf-8")
ANYTHING = "…"
UNORDERED = {"contributions", "wouldAllow", "wouldDeny", "grants", "removals", "other"}  # of an explanation: sets
WIDTH = 112  # of the answers as they are printed
BLOCK = re.compile(
    r"^```graphql(?: (?P<caller>\w+))?\n(?P<query>.*?)^```\n```json\n(?P<answer>.*?)^```$", re.DOTALL | re.MULTILINE
)


@dataclass(frozen=True)
class Question:
    """One pair of blocks."""

    name: str
    caller: str
    query: str
    answer: Any


def read_questions() -> Iterator[Question]:
    for found in BLOCK.finditer(README):
        name = re.search(r"^(?:query|mutation) (\w+)", found["query"], re.MULTILINE)
        assert name is not None, found["query"]
        yield Question(name[1], found["caller"] or "owner", found["query"], json.loads(found["answer"]))


QUESTIONS = list(read_questions())


# ---------------------------------------------------------------------- comparing


def settle(answer: Any, field: str = "") -> Any:
    """An answer with the parts in order whose order means nothing, and without what the README leaves out."""
    if isinstance(answer, dict):
        return {key: settle(value, key) for key, value in answer.items() if not (key == "extensions" and not field)}
    if isinstance(answer, list):
        items = [settle(item, f"{field}[]") for item in answer]
        return sorted(items, key=lambda item: json.dumps(item, sort_keys=True)) if field in UNORDERED else items
    return answer


def blur(answer: Any, told: Any) -> Any:
    """An answer with "…" wherever the README has it."""
    if told == ANYTHING and answer is not None:
        return ANYTHING
    if isinstance(answer, dict) and isinstance(told, dict):
        return {key: blur(value, told.get(key)) for key, value in answer.items()}
    if isinstance(answer, list) and isinstance(told, list) and len(answer) == len(told):
        return [blur(*pair) for pair in zip(answer, told, strict=True)]
    return answer


def print_answer(value: Any, indent: int = 0) -> str:
    """JSON as the README has it: on one line what fits there."""
    line = json.dumps(value, ensure_ascii=False)
    if len(line) + indent <= WIDTH or not isinstance(value, dict | list):
        return line
    inner = indent + 2
    if isinstance(value, dict):
        parts = [f"{json.dumps(key)}: {print_answer(found, inner)}" for key, found in value.items()]
    else:
        parts = [print_answer(found, inner) for found in value]
    opening, closing = "{}" if isinstance(value, dict) else "[]"
    return opening + ",".join(f"\n{' ' * inner}{part}" for part in parts) + f"\n{' ' * indent}{closing}"


# ---------------------------------------------------------------------- asking


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What the demo says to each question, asked in the order of the README: some of them change something."""

    async def ask() -> dict[str, Any]:
        folder = tmp_path_factory.mktemp("readme")
        services = await open_services(
            Settings(database_url=f"sqlite+aiosqlite:///{folder}/demo.db", seeds=find_seeds(), graphiql=True)
        )
        try:
            tokens = await load_demo(services, find_seeds() / "demo.yaml")
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr("app.web.routes.Executor", executor)
                transport = httpx.ASGITransport(app=create_app(services, Settings(graphiql=True)))
            async with httpx.AsyncClient(transport=transport, base_url="http://demo") as client:
                return {question.name: await ask_one(client, tokens, question) for question in QUESTIONS}
        finally:
            await services.close()

    return asyncio.run(ask())


async def ask_one(client: httpx.AsyncClient, tokens: dict[str, str], question: Question) -> Any:
    headers = {"authorization": f"Bearer {tokens[question.caller]}"}
    return (await client.post("/graphql", json={"query": question.query}, headers=headers)).json()


@pytest.mark.parametrize("question", QUESTIONS, ids=lambda question: question.name)
def test_the_demo_answers_what_the_readme_says(question: Question, answers: dict[str, Any]) -> None:
    told = settle(question.answer)
    answer = blur(settle(answers[question.name]), told)

    assert answer == told, f"the README should say:\n{print_answer(answer)}"


# ---------------------------------------------------------------------- what stands around the questions


def test_every_block_is_half_of_a_pair_and_every_name_is_used_once() -> None:
    assert len(QUESTIONS) == README.count("```graphql") == README.count("```json") > 0
    assert len({question.name for question in QUESTIONS}) == len(QUESTIONS)
    assert {question.caller for question in QUESTIONS} <= set(DEMO_CALLERS)


@pytest.mark.parametrize("question", QUESTIONS, ids=lambda question: question.name)
def test_answers_are_printed_alike(question: Question) -> None:
    assert f"```json\n{print_answer(question.answer)}\n```" in README


def test_the_tour_in_the_ide_asks_the_same() -> None:
    """In the same words and the same order: those of the owner, whose token the printed address carries."""
    tour = (ROOT / "app" / "web" / "graphiql" / "tour.js").read_text("utf-8")

    assert re.findall(r"query: `(.*?)`", tour, re.DOTALL) == [q.query for q in QUESTIONS if q.caller == "owner"]


def test_the_two_commands_are_what_ci_runs() -> None:
    """`.ci/run` takes them out of the README: each stands on one line, the demo first."""
    commands = re.findall(r"^python3 -m venv \.venv && .*$", README, re.MULTILINE)

    assert [command.rpartition(" && ")[2] for command in commands] == [
        ".venv/bin/permgate demo",
        ".venv/bin/pytest -n 2",
    ]
    assert all(f"```sh\n{command}\n```" in README for command in commands)
    assert "^python3 -m venv" in (ROOT / ".ci" / "run").read_text("utf-8")


def test_files_that_documents_point_to_are_there() -> None:
    for path in (ROOT / "README.md", ROOT / "SECURITY.md", ROOT / "CHANGELOG.md", *(ROOT / "docs").rglob("*.md")):
        text = re.sub(r"^```.*?^```$", "", path.read_text("utf-8"), flags=re.DOTALL | re.MULTILINE)
        for target in re.findall(r"\]\((?!https?:)([^)#\s]+)", text):
            assert (path.parent / target).exists(), f"{path.name} points to `{target}`"
