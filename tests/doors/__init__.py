"""Doors to put cases to: the engine by itself, the services over a database, HTTP with a token.

Each answers in the words of `tests/casewords.py`. `shelf.py` opens them.
"""
