"""Each fault has a figure, which is told at the end of a run: docs/reliability.md has them from here."""

from collections.abc import Callable
from typing import Any

import pytest

Figure = Callable[[str], None]


@pytest.fixture
def figure(record_property: Callable[[str, object], None]) -> Figure:
    """Notes what a test measured."""
    return lambda text: record_property("figure", text)


def pytest_terminal_summary(terminalreporter: Any) -> None:
    for report in [*terminalreporter.getreports("passed"), *terminalreporter.getreports("failed")]:
        for name, value in report.user_properties:
            if name == "figure":
                terminalreporter.write_line(value)
