"""How a run is set up and in which order it goes; what tests ask for is in `tests/fixtures.py`."""

import gc
import os
import sys
from itertools import chain
from pathlib import Path

import pytest

# A run starts a hundred processes. Each would compile the program anew, and each worker all tests as well, where Python
# is told to keep nothing that it compiled: a tenth of the whole run.
sys.dont_write_bytecode = False
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

gc.disable()  # until all is loaded: nothing of that is garbage

pytest.register_assert_rewrite("tests.factories")


def pytest_configure(config: pytest.Config) -> None:
    """Loads the program where tests are run: workers begin only when whoever shares them out has been set up."""
    if is_worker(config) or not getattr(config.option, "tx", None):
        config.pluginmanager.import_plugin("tests.fixtures")


def is_worker(config: pytest.Config) -> bool:
    """Whether this process is given its tests by another one."""
    return hasattr(config, "workerinput")


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Has each of two workers begin with half of the long tests, so that none is left alone with one in the end.

    A worker is given half of all tests in their order, and takes what the other has left once it is through. Those of
    a module stay together: what they share is made once.
    """
    if not is_worker(config):
        return
    long: dict[Path, list[pytest.Item]] = {}
    others = []
    for item in items:
        if item.get_closest_marker("long"):
            long.setdefault(item.path, []).append(item)
        else:
            others.append(item)
    first, second = (list(chain.from_iterable(list(long.values())[start::2])) for start in (0, 1))
    half = max(0, len(items) // 2 - len(first))
    items[:] = first + others[:half] + second + others[half:]


def pytest_collection_finish() -> None:
    """All that is loaded by now stays to the end: whoever looks for garbage need not go through it each time."""
    gc.collect()
    gc.freeze()
    gc.enable()
