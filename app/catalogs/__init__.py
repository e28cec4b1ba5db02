"""Reads the files of `seeds/` into domain records; every error names file, key and line.

Services and the CLI import it.
"""
