"""Ids, made one at a time and very many at once."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from app.domain.ids import kind_of, make_id, make_ids

MOMENTS = st.datetimes(min_value=datetime(1971, 1, 1), max_value=datetime(9999, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001  # hypothesis adds the zone
TEN_BYTES = st.binary(min_size=10, max_size=10)


@given(MOMENTS, TEN_BYTES)
def test_ids_made_at_once_are_those_made_one_by_one(at: datetime, randomness: bytes) -> None:
    assert make_ids(at)("usr", randomness) == make_id("usr", at, randomness)
    assert kind_of(make_id("usr", at, randomness)) == "usr"


@given(MOMENTS, TEN_BYTES, TEN_BYTES)
def test_ids_stand_in_the_order_of_their_moments(at: datetime, first: bytes, second: bytes) -> None:
    assert make_id("usr", at, first) < make_id("usr", at + timedelta(milliseconds=1), second)
