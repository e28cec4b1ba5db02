"""The lock files: what the tests pass with, and what the image is made of, each file of it by its hash.

Versions below the floors have known vulnerabilities, or lack what we rely on (research/reliability.md, S14).
"""

import re
import tomllib
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import pytest
from packaging.requirements import Requirement  # comes with pytest
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
LOCK = (ROOT / "requirements.lock").read_text("utf-8")
IMAGE = {name: (ROOT / "docs" / "deploy" / f"{name}.lock").read_text("utf-8") for name in ("runtime", "build")}
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
EXTRAS = PROJECT["project"]["optional-dependencies"]
ASKED = [*PROJECT["project"]["dependencies"], *(line for lines in EXTRAS.values() for line in lines)]
FLOORS = {
    "strawberry-graphql": ">=0.323.2",  # masked errors leaked; earlier, aliases through fragments and a legacy protocol
    "starlette": ">=1.3.1",  # CVE-2026-48710, CVE-2026-54282, CVE-2026-54283
    "pyjwt": ">=2.13.0",  # CVE-2026-48523, CVE-2026-32597
    "h11": ">=0.16.0",  # CVE-2025-43859
    "graphql-core": ">=3.3",  # budgets for depth and for merging fields
    "greenlet": ">=3.1",  # SQLAlchemy 2.1 no longer brings it along
}
UNWANTED = {"python-multipart": ">=0.0.27"}  # forms are never parsed: absent, or at least this


def read_pins(text: str) -> dict[str, str]:
    found = re.findall(r"^([\w.-]+)==([\w.!+-]+)", text, re.MULTILINE)
    return {str(canonicalize_name(name)): pin for name, pin in found}


@pytest.mark.parametrize("asked", ASKED)
def test_what_is_asked_for_is_pinned(asked: str) -> None:
    requirement = Requirement(asked)

    assert read_pins(LOCK)[canonicalize_name(requirement.name)] in requirement.specifier


def test_it_holds_pins_and_nothing_else() -> None:
    """No address of a registry, no path of a machine."""
    lines = [line for line in LOCK.splitlines() if not line.startswith("#")]

    assert [line for line in lines if not re.fullmatch(r"[\w.-]+==[\w.!+-]+", line)] == []


# ---------------------------------------------------------------------- the image


@pytest.mark.parametrize("name", IMAGE)
def test_every_file_of_the_image_is_known_by_its_hash_and_nothing_else_is_said(name: str) -> None:
    logical = re.sub(r" \\\n\s+", " ", IMAGE[name]).splitlines()
    lines = [line for line in logical if not line.startswith("#")]

    assert lines
    assert [line for line in lines if not re.fullmatch(r"[\w.-]+==[\w.!+-]+( --hash=sha256:[0-9a-f]{64})+", line)] == []


def test_the_image_is_made_of_what_the_tests_pass_with() -> None:
    pins, image = read_pins(LOCK), read_pins(IMAGE["runtime"])

    assert {name: pin for name, pin in image.items() if pins.get(name) != pin} == {}
    for asked in [*PROJECT["project"]["dependencies"], *EXTRAS["postgres"], *EXTRAS["otel"]]:
        assert canonicalize_name(Requirement(asked).name) in image
    assert {"pytest", "mypy", "ruff", "hypothesis"} & set(image) == set()


def test_the_image_is_built_with_what_the_project_asks_for() -> None:
    pins = read_pins(IMAGE["build"])

    for asked in PROJECT["build-system"]["requires"]:
        requirement = Requirement(asked)
        assert pins[canonicalize_name(requirement.name)] in requirement.specifier


# ---------------------------------------------------------------------- floors


@pytest.mark.parametrize("name", FLOORS)
def test_s14_nothing_that_is_installed_or_pinned_is_below_its_floor(name: str) -> None:
    assert version(name) in SpecifierSet(FLOORS[name])
    assert read_pins(LOCK)[name] in SpecifierSet(FLOORS[name])
    assert read_pins(IMAGE["runtime"])[name] in SpecifierSet(FLOORS[name])


@pytest.mark.parametrize("name", UNWANTED)
def test_s14_what_we_do_not_use_is_absent_or_sound(name: str) -> None:
    assert name not in read_pins(LOCK)
    assert name not in read_pins(IMAGE["runtime"])
    try:
        assert version(name) in SpecifierSet(UNWANTED[name])
    except PackageNotFoundError:
        return
