"""Rule 1 of the house: the directions. What is allowed stands in `[tool.importlinter]` of pyproject.toml."""

import ast
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
from importlinter.cli import lint_imports

ROOT = Path(__file__).parents[2]
LAYERS = ["main : cli", "web", "graphql", "services", "db | catalogs", "settings | telemetry | domain"]


@pytest.fixture(scope="module")
def contracts() -> list[dict[str, Any]]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    found: list[dict[str, Any]] = project["tool"]["importlinter"]["contracts"]
    return found


def test_every_import_goes_the_right_way(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(ROOT)
    monkeypatch.setattr("logging.config.dictConfig", lambda _config: None)  # it would silence loggers that are there

    status = lint_imports(config_filename="pyproject.toml", no_cache=True, no_logo=True)

    assert status == 0, capsys.readouterr().out


def test_the_layers_are_those_of_the_house_and_nothing_lives_outside_them(contracts: list[dict[str, Any]]) -> None:
    (layers,) = [contract for contract in contracts if contract["type"] == "layers"]

    assert layers["layers"] == LAYERS
    assert layers["containers"] == ["app"]
    assert layers["exhaustive"] is True
    named = {name.strip() for layer in LAYERS for name in layer.replace(":", "|").split("|")}
    living = {path.stem for path in (ROOT / "app").iterdir() if path.suffix == ".py" or (path / "__init__.py").exists()}
    assert living - {"__init__"} == named


def test_no_exception_is_made(contracts: list[dict[str, Any]]) -> None:
    for contract in contracts:
        assert "ignore_imports" not in contract, contract["name"]


@pytest.mark.parametrize("path", sorted((ROOT / "app" / "domain").rglob("*.py")), ids=lambda path: path.stem)
def test_the_domain_is_standard_library_alone(path: Path) -> None:
    imported = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            imported |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            imported.add(node.module or "")

    ours = {name for name in imported if name.split(".")[0] == "app"}
    assert all(name == "app.domain" or name.startswith("app.domain.") for name in ours)
    assert {name.split(".")[0] for name in imported - ours} <= sys.stdlib_module_names


@pytest.mark.parametrize("path", sorted((ROOT / "app" / "domain").rglob("*.py")), ids=lambda path: path.stem)
def test_the_domain_is_synchronous_and_makes_no_time_and_no_chance(path: Path) -> None:
    """Rule 4: the decision function never fetches. Time, randomness and ids come in as arguments."""
    tree = ast.parse(path.read_text("utf-8"))

    waiting = ast.AsyncFunctionDef | ast.Await | ast.AsyncWith | ast.AsyncFor
    assert not any(isinstance(node, waiting) for node in ast.walk(tree))
    calls = {ast.unparse(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}
    assert not calls & {"datetime.now", "datetime.utcnow", "time.time", "random.random", "secrets.token_bytes"}
    assert not calls & {"uuid.uuid4", "open", "print"}
