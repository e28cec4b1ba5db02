"""`permgate config check`: what a process would be started with, and everything that is wrong with it."""

import os

import click

from app.catalogs.catalog_files import BUILT_IN, load_catalog
from app.catalogs.documents import DocumentFault
from app.cli.running import CONFIGURATION, Failed
from app.domain.catalog_building import CatalogFaults
from app.graphql.execution import Executor
from app.graphql.trusted import make_policy
from app.services.issuer_files import load_issuers
from app.services.systems import find_catalog_files
from app.settings import Settings, SettingsFaults, describe_settings, read_settings


@click.group()
def config() -> None:
    """Look at the settings."""


@config.command("check")
def check_config() -> None:
    """Print the settings in force, passwords left out; `#` marks what nobody has set. Exit 78, and every fault.

    The files that settings name are read as well: catalogs, issuers, trusted documents, keys. No database is asked.
    """
    settings = read_settings(os.environ)
    for name, value, is_default in describe_settings(settings):
        click.echo(f"{'# ' if is_default else ''}{name}={value}")
    faults = _find_faults(settings)
    if faults:
        raise Failed("\n".join(faults), CONFIGURATION)


def _find_faults(settings: Settings) -> list[str]:
    faults: list[str] = []
    for look in (
        lambda: load_catalog([BUILT_IN, *find_catalog_files(settings.seeds)]),
        lambda: load_issuers(settings.jwt_issuers),
        lambda: make_policy(settings, Executor()),
    ):
        try:
            look()
        except (CatalogFaults, SettingsFaults) as error:
            faults += map(str, error.faults)
        except DocumentFault as error:
            faults.append(str(error))
    return faults
