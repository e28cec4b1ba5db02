"""`pytest -p tests.graphql.compiled.off`: graphql-core runs every query, as with `PERMGATE_COMPILED=off`."""

import pytest

OF_PLANS = "test_a_query_is_run_by_its_plan_or_by_graphql_core"


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leaves out the test that says otherwise."""
    from app.graphql.execution import Executor  # here, since the tests' own configuration comes first

    Executor._find_plan = lambda *_: None  # type: ignore[method-assign]  # what this is for
    left_out = [item for item in items if item.name == OF_PLANS]
    config.hook.pytest_deselected(items=left_out)
    items[:] = [item for item in items if item not in left_out]
