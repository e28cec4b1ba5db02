"""`pytest -p tests.graphql.compiled.off`: graphql-core runs every query, as with `PERMGATE_COMPILED=off`."""

import pytest


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leaves out tests `of_plans`, which are about what is off."""
    from app.graphql.execution import Executor  # here, since the tests' own configuration comes first

    Executor._find_plan = lambda *_: None  # type: ignore[method-assign]  # what this is for
    Executor.recall_usual = lambda *_: None  # type: ignore[method-assign]
    left_out = [item for item in items if item.get_closest_marker("of_plans")]
    config.hook.pytest_deselected(items=left_out)
    items[:] = [item for item in items if not item.get_closest_marker("of_plans")]
