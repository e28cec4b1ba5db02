"""Rules of the house about the sources themselves."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
APP = ROOT / "app"
MAX_LINES = 600  # of a file: a longer one has more than one description
VENDORED = APP / "web" / "graphiql" / "vendor"
MIGRATIONS = APP / "db" / "migrations" / "versions"  # generated, and never edited again


def ours(*suffixes: str) -> list[Path]:
    return sorted(
        path
        for path in APP.rglob("*")
        if path.suffix in suffixes and VENDORED not in path.parents and "__pycache__" not in path.parts
    )


def test_no_file_is_too_long() -> None:
    lengths = {
        str(path.relative_to(ROOT)): len(path.read_text("utf-8").splitlines())
        for path in ours(".py", ".js", ".css", ".html", ".yaml", ".mako")
        if MIGRATIONS not in path.parents
    }

    assert {path: length for path, length in lengths.items() if length > MAX_LINES} == {}


def test_nothing_is_left_to_be_done() -> None:
    """What is missing stands in an issue."""
    marks = re.compile(r"\b(?:TODO|FIXME|XXX|HACK)\b")
    paths = [*ours(".py", ".js", ".css", ".html", ".yaml"), *(ROOT / "seeds").iterdir(), *(ROOT / "docs").rglob("*.md")]

    found = [
        f"{path.relative_to(ROOT)}:{number}"
        for path in paths
        for number, line in enumerate(path.read_text("utf-8").splitlines(), 1)
        if marks.search(line)
    ]

    assert found == []


@pytest.mark.parametrize("path", ours(".py"), ids=lambda path: str(path.relative_to(APP)))
def test_every_module_says_what_it_is_for(path: Path) -> None:
    if MIGRATIONS in path.parents and path.name == "__init__.py":
        return
    assert ast.get_docstring(ast.parse(path.read_text("utf-8"))), "begin with a docstring"


def test_no_module_is_called_for_nothing() -> None:
    """Modules are nouns of the domain; these are none."""
    names = {path.stem for path in ours(".py")} | {path.name for path in APP.rglob("*") if path.is_dir()}

    assert not names & {"utils", "util", "helpers", "helper", "manager", "managers", "base", "common", "misc", "core"}


def test_statements_stand_in_repositories_alone() -> None:
    """Text that is SQL, wherever it hides: migrations and the engine's pragmas aside."""
    statement = re.compile(r"\b(?:SELECT\s.+\sFROM|INSERT\s+INTO|UPDATE\s+\w+\s+SET|DELETE\s+FROM)\b", re.IGNORECASE)
    found = []
    for path in ours(".py"):
        if APP / "db" in path.parents:
            continue
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and statement.search(node.value):
                found.append(f"{path.relative_to(ROOT)}:{node.lineno}")

    assert found == []


SECRETS = re.compile(r"(?:^|_)(?:secret|token|digest|signature|password|mac)s?$")
OF_SECRETS = [
    "domain/tokens.py", "services/callers.py", "services/tokens.py", "services/service_accounts.py",
    "services/issuers.py", "web/authentication.py",
]  # fmt: skip


@pytest.mark.parametrize("name", OF_SECRETS)
def test_s6_secrets_are_not_compared_with_equals(name: str) -> None:
    """What an attacker sends is compared in the same time whatever it is: `hmac.compare_digest`, not `==`."""
    found = []
    for node in ast.walk(ast.parse((APP / name).read_text("utf-8"))):
        if isinstance(node, ast.Compare) and any(isinstance(sign, ast.Eq | ast.NotEq) for sign in node.ops):
            sides = [getattr(side, "attr", getattr(side, "id", "")) for side in (node.left, *node.comparators)]
            found += [f"{name}:{node.lineno}: {side}" for side in sides if SECRETS.search(side)]

    assert found == []
    if name == "domain/tokens.py":
        assert "hmac.compare_digest(self.digest, digest)" in (APP / name).read_text("utf-8")


def test_nothing_prints_but_the_command_line() -> None:
    for path in ours(".py"):
        if path.name != "cli.py":
            assert not re.search(r"^\s*print\(", path.read_text("utf-8"), re.MULTILINE), path


def test_the_top_of_the_repository_holds_what_the_house_allows() -> None:
    allowed = {
        "pyproject.toml", "README.md", "app", "schema.graphql", "tests", "seeds", "Dockerfile", "docs", "benchmarks",
        "LICENSE", "CHANGELOG.md", "SECURITY.md", "uv.lock", "requirements.lock", "compose.example.yaml",
    }  # fmt: skip
    found = {path.name for path in ROOT.iterdir() if not path.name.startswith(".")}

    leftovers = {name for name in found - allowed if not name.endswith((".db", ".db-shm", ".db-wal", ".egg-info"))}
    assert leftovers - {"build", "dist"} == set()
