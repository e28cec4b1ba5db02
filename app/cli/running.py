"""What every command needs: how it exits, how it complains, and services over the database of the environment."""

import asyncio
import os
import sys
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import click

from app.main import open_services
from app.services.context import Services
from app.settings import read_settings

USAGE, UNAVAILABLE, CONFIGURATION = 64, 69, 78  # as sysexits.h numbers them
INTERRUPTED = 130  # as a shell tells of Ctrl+C
T = TypeVar("T")


class Permgate(click.Group):
    """The command, whose usage errors exit with 64."""

    def main(self, *args: Any, **kwargs: Any) -> Any:
        try:
            return super().main(*args, **{**kwargs, "standalone_mode": False})
        except click.UsageError as error:
            error.show()
            sys.exit(USAGE)
        except click.Abort:
            sys.exit(INTERRUPTED)


class Failed(Exception):
    """A command could not do its work: a message for the person and an exit status."""

    def __init__(self, message: str, status: int = 1) -> None:
        self.status = status
        super().__init__(message)


def complain(message: str) -> None:
    """Says something on standard error."""
    click.echo(message, err=True)


def run_services(work: Callable[[Services], Awaitable[T]]) -> T:
    """Does something with the services over the database of the environment."""

    async def do() -> T:
        services = await open_services(read_settings(os.environ))
        try:
            return await work(services)
        finally:
            await services.close()

    return asyncio.run(do())
