"""requirements.lock pins everything that pyproject.toml asks for, at a version that it allows."""

import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement  # comes with pytest
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
LOCK = (ROOT / "requirements.lock").read_text("utf-8")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
ASKED = [*PROJECT["dependencies"], *(line for lines in PROJECT["optional-dependencies"].values() for line in lines)]


@pytest.mark.parametrize("asked", ASKED)
def test_what_is_asked_for_is_pinned(asked: str) -> None:
    pins = {canonicalize_name(name): pin for name, pin in re.findall(r"^([\w.-]+)==(\S+)$", LOCK, re.MULTILINE)}
    requirement = Requirement(asked)

    assert pins[canonicalize_name(requirement.name)] in requirement.specifier


def test_it_holds_pins_and_nothing_else() -> None:
    """No address of a registry, no path of a machine."""
    lines = [line for line in LOCK.splitlines() if not line.startswith("#")]

    assert [line for line in lines if not re.fullmatch(r"[\w.-]+==[\w.!+-]+", line)] == []
