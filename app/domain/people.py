"""Everybody, by id and by name, each with the profile they are of: small, for there may be millions.

People are numbered in the order of their user names. A dictionary leads from an id to the number, an array from the
number to that of the profile; names lie one after another in one text of bytes and are found by halving. What has
changed since is kept beside that, until there is so much of it that all is put together anew.

A `People` never changes: `changed` gives the next one, which shares everything but what has changed.
"""

from array import array
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate

from app.domain.holders import UserId
from app.domain.profiles import Profile

MOST_CHANGED = 5_000  # people beside the packed ones: their dictionary is copied whenever somebody changes


@dataclass(frozen=True, slots=True)
class Person:
    """What is known of a person: what they are named by, and the profile."""

    id: UserId
    user_name: str
    external_id: str | None
    profile: Profile


def encode(text: str) -> bytes:
    """A text as bytes in the same order; half a surrogate, which a client may send, is a text that nobody has."""
    return text.encode("utf-8", "surrogatepass")


class Names:
    """Texts by number, packed. Of a text that is absent nothing is kept but that."""

    def __init__(self, texts: Iterable[str | None]) -> None:
        packed = [b"" if text is None else encode(text) for text in texts]
        self._bytes = b"".join(packed)
        self._ends = array("Q", accumulate(map(len, packed), initial=0))

    def __len__(self) -> int:
        return len(self._ends) - 1

    def __getitem__(self, number: int) -> bytes:
        return self._bytes[self._ends[number] : self._ends[number + 1]]


class Everybody:
    """People as they were put together: numbered by user name. `profiles` of them are interned."""

    def __init__(self, people: Sequence[Person]) -> None:
        """`people` in the order of their user names, compared by code point as UTF-8 is."""
        numbers: dict[Profile, int] = {}
        self.number_of: dict[str, int] = {person.id: number for number, person in enumerate(people)}
        self.profile_of = array("I", (numbers.setdefault(person.profile, len(numbers)) for person in people))
        self.profiles: tuple[Profile, ...] = tuple(numbers)
        self.user_names = Names(person.user_name for person in people)
        self.external_ids = Names(person.external_id for person in people)
        named = (number for number, person in enumerate(people) if person.external_id is not None)
        self.by_external_id = array("I", sorted(named, key=self.external_ids.__getitem__))

    @cached_property
    def sizes(self) -> "array[int]":
        """How many people are of each profile."""
        counted = Counter(self.profile_of)
        return array("I", (counted[number] for number in range(len(self.profiles))))

    @cached_property
    def ids(self) -> tuple[str, ...]:
        """The ids by number."""
        return tuple(self.number_of)

    def person(self, number: int) -> Person:
        return Person(
            UserId(self.ids[number]), self.user_names[number].decode(), self.external_ids[number].decode() or None,
            self.profiles[self.profile_of[number]],
        )  # fmt: skip

    def find_user_name(self, name: str) -> int | None:
        """The number of the person of this user name."""
        wanted = encode(name)
        place = bisect_right(self.user_names, wanted) - 1
        return place if place >= 0 and self.user_names[place] == wanted else None

    def find_external_id(self, name: str) -> int | None:
        """The number of the person of this external id."""
        wanted = encode(name)
        place = bisect_right(self.by_external_id, wanted, key=self.external_ids.__getitem__) - 1
        if place < 0 or not wanted:
            return None
        number = self.by_external_id[place]
        return number if self.external_ids[number] == wanted else None


class People:
    """Everybody at one revision. `beside`: those who are known otherwise than in `packed` (None: who are not)."""

    def __init__(self, packed: Everybody, beside: Mapping[str, Person | None] | None = None) -> None:
        self.packed = packed
        self.beside: Mapping[str, Person | None] = {} if beside is None else beside
        self._ids_beside: dict[tuple[str, str], str] = {}
        for person in self.beside.values():
            if person is not None:
                self._ids_beside["user_name", person.user_name] = person.id
                if person.external_id is not None:
                    self._ids_beside["external_id", person.external_id] = person.id

    @staticmethod
    def of(people: Iterable[Person]) -> "People":
        return People(Everybody(sorted(people, key=lambda person: encode(person.user_name))))

    def __iter__(self) -> Iterator[Person]:
        """Everybody, in no order."""
        for number, user in enumerate(self.packed.ids):
            if user not in self.beside:
                yield self.packed.person(number)
        yield from (person for person in self.beside.values() if person is not None)

    def changed(self, people: Mapping[str, Person | None]) -> "People":
        """Everybody, these as they are now. Where there are many of them, all is put together anew."""
        beside = {**self.beside, **people}
        if len(beside) <= MOST_CHANGED:
            return People(self.packed, beside)
        return People.of(People(self.packed, beside))

    # ------------------------------------------------------------------ one person

    def profile(self, user: str) -> Profile | None:
        """The profile of a person by id; None: there is no such person."""
        if user in self.beside:
            person = self.beside[user]
            return None if person is None else person.profile
        number = self.packed.number_of.get(user)
        return None if number is None else self.packed.profiles[self.packed.profile_of[number]]

    def find(self, attribute: str, value: str) -> UserId | None:
        """The id of the person of this `id`, `user_name` or `external_id`."""
        if attribute == "id":
            return None if self.profile(value) is None else UserId(value)
        known = self._ids_beside.get((attribute, value))
        if known is not None:
            return UserId(known)
        find = self.packed.find_user_name if attribute == "user_name" else self.packed.find_external_id
        number = find(value)
        if number is None:
            return None
        user = self.packed.ids[number]
        return None if user in self.beside else UserId(user)  # who is beside has another name now

    # ------------------------------------------------------------------ all of them

    def count(self, is_wanted: Mapping[Profile, bool]) -> int:
        """How many are of a wanted profile; `is_wanted` knows every one of `profiles`."""
        packed = self.packed
        found = sum(size for profile, size in zip(packed.profiles, packed.sizes, strict=True) if is_wanted[profile])
        for user, person in self.beside.items():
            number = packed.number_of.get(user)
            if number is not None:
                found -= is_wanted[packed.profiles[packed.profile_of[number]]]
            if person is not None:
                found += is_wanted[person.profile]
        return found

    def profiles(self) -> Iterator[Profile]:
        """Every profile that somebody is of, or was when all was put together."""
        yield from self.packed.profiles
        yield from {person.profile for person in self.beside.values() if person is not None}

    def select(
        self, is_wanted: Mapping[Profile, bool], *, after: str | None, before: str | None, most: int, backwards: bool
    ) -> list[UserId]:
        """The first (or last) so many of a wanted profile whose user names lie between two, in the order from there."""
        packed = self.packed
        wanted = bytes(is_wanted[profile] for profile in packed.profiles)
        low = 0 if after is None else bisect_right(packed.user_names, encode(after))
        high = len(packed.profile_of)
        if before is not None:
            high = bisect_right(packed.user_names, encode(before))
            high -= high > 0 and packed.user_names[high - 1] == encode(before)
        found: list[tuple[bytes, str]] = []
        for number in range(high - 1, low - 1, -1) if backwards else range(low, high):
            if wanted[packed.profile_of[number]] and packed.ids[number] not in self.beside:
                found.append((packed.user_names[number], packed.ids[number]))
                if len(found) == most:
                    break
        for person in self.beside.values():
            if person is None or not is_wanted[person.profile]:
                continue
            if (after is None or person.user_name > after) and (before is None or person.user_name < before):
                found.append((encode(person.user_name), person.id))
        found.sort(reverse=backwards)
        return [UserId(user) for _, user in found[:most]]
