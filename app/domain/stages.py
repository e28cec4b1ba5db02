"""What is left of each permission after each step of the decision, as keys: what has one key is told in the same words.

A verdict about a permission, without a target, hangs on whether the person is active and on the values of that
permission after the steps of `Evaluation.effective`, and on nothing else (`Evaluation.decide`). There are a few
thousand such keys in a catalog, and everybody's rights are made of them.
"""

from collections.abc import Hashable

from app.domain.compiled import Program
from app.domain.rights import Effective

_DIGITS = bytes.maketrans(b"01", b"\0\1")


class Stages:
    """Makes the keys of a catalog: a list, of each permission one, in the order of the catalog."""

    def __init__(self, program: Program) -> None:
        catalog = program.catalog
        self.numbers = tuple(catalog.number_of[key] for key in catalog.nodes if key in catalog.number_of)
        self._mask = sum(program.mask)
        self._width = max(self._mask.bit_length(), 1)
        self._spans = [
            slice(program.shift[number], program.shift[number] + program.mask[number].bit_count())
            for number in self.numbers
        ]
        self._beside = [(place, number) for place, number in enumerate(self.numbers) if not program.mask[number]]

    def find(self, effective: Effective) -> list[Hashable]:
        """The keys of somebody about whom nobody else is asked."""
        assert effective.reaches is None and not effective.target_outside, "there is no target"
        holdings = (
            effective.granted, effective.in_contract, effective.limited, effective.certain, effective.possible
        )  # fmt: skip
        spread, last, found = 0, -1, 0
        for step, holding in enumerate(holdings):
            bits = holding.bits & self._mask
            if bits != last:
                last, found = bits, self._spread(bits)
            spread |= found << step
        text = spread.to_bytes(self._width, "little")  # a byte for each bit, and in it a bit for each step
        keys: list[Hashable] = [text[span] for span in self._spans]
        if any(holding.beside for holding in holdings):
            for place, number in self._beside:
                values = tuple(holding.beside.get(number) for holding in holdings)
                if any(value is not None for value in values):
                    keys[place] = values
        return keys if effective.active else [("inactive", key) for key in keys]

    def _spread(self, bits: int) -> int:
        """A number that has a byte for each bit of another."""
        digits = f"{bits:0{self._width}b}"[::-1].encode().translate(_DIGITS)
        return int.from_bytes(digits, "little")
