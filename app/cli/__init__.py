"""The command line: `permgate`. Exit status 64: a wrong command; 78: wrong settings, or a database that cannot be used;
69: the database, or the gateway of `--url`, failed on the way; 70: a commit failed, and nobody knows whether it was
made; else as each command says.
"""

from app.cli.commands import bound_server, main

__all__ = ["bound_server", "main"]
