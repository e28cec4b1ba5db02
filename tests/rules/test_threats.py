"""docs/threats.md: every threat of its list, and tests that are there."""

import ast
import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ROWS = re.findall(
    r"^\| ([TAS][0-9]+) [^|]*\|([^|]*)\|(.*)\|$", (ROOT / "docs" / "threats.md").read_text("utf-8"), re.MULTILINE
)


@cache
def find_tests(path: str) -> frozenset[str]:
    tree = ast.parse((ROOT / path).read_text("utf-8"))
    return frozenset(node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))


def test_every_threat_is_there() -> None:
    names = [name for name, _, _ in ROWS]
    lists = {"T": 36, "A": 25, "S": 14}  # as many as each list of the research has
    assert names == [f"{kind}{number}" for kind, most in lists.items() for number in range(1, most + 1)]


@pytest.mark.parametrize(("name", "shown"), [(name, shown) for name, _, shown in ROWS])
def test_what_shows_it_is_there(name: str, shown: str) -> None:
    found = re.findall(r"`([^`:]+)::(\w+)`", shown)
    assert found or "later" in shown, f"{name} is met by nothing"
    assert [f"{path}::{test}" for path, test in found if test not in find_tests(path)] == []
