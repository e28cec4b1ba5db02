"""Schemathesis goes through every field of the schema, at the demo, as the owner and as an agent: 10,260 cases.

Deep alone, in six parts of some minutes each, of which any can be run by itself: nine cases a second are sent, as most
of the time goes into making them up. It is installed into a folder of the test's own, as it brings a dozen packages.
"""

import base64
import json
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from tests.adversarial.judging import find_faults
from tests.adversarial.server import DemoServer

ROOT = Path(__file__).parents[2]
VERSION = "4.32.5"
FIELDS = 57  # at the roots
CASES = 30  # of each of them, in each part
SEEDS = (1, 2, 3)  # a part for each, for each of two callers


@pytest.fixture(scope="module")
def schemathesis(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The command, or a test that is skipped."""
    folder = tmp_path_factory.mktemp("schemathesis")
    subprocess.run([sys.executable, "-m", "venv", folder], check=True)
    install = [folder / "bin" / "pip", "install", "--quiet", f"schemathesis=={VERSION}"]
    if subprocess.run(install, check=False, capture_output=True).returncode:
        pytest.skip("schemathesis cannot be installed here")
    return folder / "bin" / "schemathesis"


@pytest.mark.deep
@pytest.mark.parametrize("caller", ["owner", "agent"])
@pytest.mark.parametrize("seed", SEEDS)
def test_no_case_of_schemathesis_is_answered_by_accident(
    caller: str, seed: int, schemathesis: Path, demo: DemoServer, tmp_path: Path
) -> None:
    kept, logged = tmp_path / "answers.har", demo.logged
    run = subprocess.run(
        [
            schemathesis, "run", ROOT / "schema.graphql", "--url", demo.url, "-n", str(CASES), "--seed", str(seed),
            "-H", f"Authorization: Bearer {demo.tokens[caller]}", "--phases", "fuzzing", "-c", "not_a_server_error",
            "--no-shrink", "--continue-on-failure", "--warnings", "off", "--suppress-health-check", "all",
            "--report", "har", "--report-har-path", kept,
        ],
        check=False, capture_output=True, text=True, cwd=tmp_path,
    )  # fmt: skip
    assert run.returncode in {0, 1}, run.stdout[-5000:]  # 1: it calls every error an accident, a refusal as well

    seen: Counter[str] = Counter()
    clean = 0
    for entry in json.loads(kept.read_text("utf-8"))["log"]["entries"]:
        sent, response = entry["request"].get("postData", {}).get("text", ""), entry["response"]
        seen[str(response["status"])] += 1
        if response["status"] == 200:
            answer = read_answer(response["content"])
            assert find_faults(answer, sent) == [], sent
            clean += "errors" not in answer
    print(f"{caller}, seed {seed}: {sum(seen.values())} cases, {dict(seen)}, {clean} without errors")  # noqa: T201
    assert sum(seen.values()) >= FIELDS * CASES * 9 // 10, seen
    assert set(seen) <= {"200", "400", "404", "413", "429", "503"}, seen
    assert seen["200"] > sum(seen.values()) // 2 and clean > sum(seen.values()) // 10  # and not held off before that
    assert demo.read_accidents(logged) == []


def read_answer(content: dict[str, Any]) -> Any:
    text = content["text"]
    return json.loads(base64.b64decode(text) if content.get("encoding") == "base64" else text)
