"""Names packed one after another: the same ones, in whatever pieces they came."""

from collections.abc import Sequence

import pytest

from app.domain.people import Names, Packing, encode

TEXTS: Sequence[str | None] = ("ana", None, "é", "", "ben", "\ud800", "𝄞x", None)


@pytest.mark.parametrize("size", [1, 3, len(TEXTS)])
def test_pieces_make_what_all_at_once_makes(size: int) -> None:
    packing = Packing()
    packing.add([])
    for start in range(0, len(TEXTS), size):
        packing.add(TEXTS[start : start + size])
    pieces, whole = packing.finish(), Names.of(TEXTS)
    assert list(pieces) == list(whole) == [encode(text or "") for text in TEXTS]
    assert len(pieces) == len(TEXTS)
    assert (pieces.packed, pieces.ends) == (whole.packed, whole.ends)
