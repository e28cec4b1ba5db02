"""The gateway over PostgreSQL: its own suite, and what other suites need to run over it as well."""
