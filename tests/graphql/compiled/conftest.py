"""What tests that run a document both ways ask for."""

import gc
import warnings
from collections.abc import Iterator

import pytest

# Where the collector happens to run in a function whose builtins are empty, such as that which makes a named tuple,
# the warning of a coroutine fails, and it is told of that instead.
NOWHERE_TO_WARN = r"(?s)Exception ignored in: <coroutine object .*KeyError: '__import__'"


@pytest.fixture
def called_off() -> Iterator[None]:
    """For documents with errors, which call off what else was begun: nobody awaits it then, and both ways are so.

    All of it is told of in the test itself: what is left is collected before the next one begins.
    """
    warnings.filterwarnings("ignore", "coroutine .* was never awaited", RuntimeWarning)
    warnings.filterwarnings("ignore", NOWHERE_TO_WARN, pytest.PytestUnraisableExceptionWarning)
    yield
    gc.collect()
