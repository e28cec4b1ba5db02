"""The races of `tests/services/test_races.py` over PostgreSQL: the same invariants, the same serial orders.

By default a few rounds of a few of them; with `deep` all of them, as often as over SQLite.
"""

from tests.services.test_races import *  # noqa: F403  # each test of it, with its fixtures

ROUNDS = 3  # by default
FEW = {  # by default: one for each way in which two can meet; the others are about rules, which know no database
    "test_two_owners_demote_each_other",
    "test_a_name_changes_hands_while_it_is_granted_something",
    "test_one_idempotency_key_is_sent_twice_at_once",
    "test_what_is_revoked_here_is_not_allowed_there",
}
