"""Everybody, by id and by name, each with the profile they are of: small, for there may be millions.

People are numbered in the order of their user names. A dictionary leads from an id to the number, an array from the
number to that of the profile; names lie one after another in one text of bytes and are found by halving. What has
changed since is kept beside that, until there is so much of it that all is put together anew.

A `People` never changes: `changed` gives the next one, which shares everything but what has changed.
"""

from array import array
from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from itertools import accumulate, compress, islice
from typing import NamedTuple

from app.domain.holders import UserId
from app.domain.profiles import Profile
from app.domain.rooms import Room

NAMES_KEPT = 20_000  # looked for lately; halving takes some twenty looks into memory that nobody else needs
MOST_CHANGED = 5_000  # people beside the packed ones: their dictionary is copied whenever somebody changes


class Person(NamedTuple):
    """What is known of a person: what they are named by, and the profile."""

    id: UserId
    user_name: str
    external_id: str | None
    profile: Profile


def encode(text: str) -> bytes:
    """A text as bytes in the same order; half a surrogate, which a client may send, is a text that nobody has."""
    return text.encode("utf-8", "surrogatepass")


class Names:
    """Texts by number, packed: their bytes one after another, and where each ends. An absent one is an empty one."""

    def __init__(self, packed: bytes, ends: "array[int]") -> None:
        self.packed = packed
        self.ends = ends

    @staticmethod
    def of(texts: Sequence[str | None]) -> "Names":
        packing = Packing()
        packing.add(texts)
        return packing.finish()

    def __len__(self) -> int:
        return len(self.ends) - 1

    def __getitem__(self, number: int) -> bytes:
        return self.packed[self.ends[number] : self.ends[number + 1]]


class Packing:
    """Names as they are put together, some at a time."""

    def __init__(self) -> None:
        self._packed: list[bytes] = []
        self._ends = array("Q", [0])

    def add(self, texts: Iterable[str | None]) -> None:
        known = ["" if text is None else text for text in texts]
        packed = encode("".join(known))
        lengths = map(len, known if packed.isascii() else map(encode, known))
        self._packed.append(packed)
        self._ends.extend(accumulate(lengths, initial=self._ends.pop()))

    def finish(self) -> Names:
        return Names(b"".join(self._packed), self._ends)


class Everybody:
    """People as they were put together: numbered by user name. `profiles` of them are interned.

    `by_external_id` has the numbers of those who have an external id, in the order of these.
    """

    def __init__(
        self,
        ids: Iterable[str],
        profile_of: "array[int]",
        profiles: tuple[Profile, ...],
        user_names: Names,
        external_ids: Names,
        by_external_id: "array[int]",
    ) -> None:
        self.number_of: dict[str, int] = {user: number for number, user in enumerate(ids)}
        self.profile_of = profile_of
        self.profiles = profiles
        self.user_names = user_names
        self.external_ids = external_ids
        self.by_external_id = by_external_id
        self._named: Room[str, int | None] = Room(NAMES_KEPT)  # the numbers of user names that were looked for

    @staticmethod
    def of(people: Iterable[Person]) -> "Everybody":
        known = list(people)
        return Everybody.of_columns(
            [person.id for person in known], [person.user_name for person in known],
            [person.external_id for person in known], [person.profile for person in known],
        )  # fmt: skip

    @staticmethod
    def of_columns(
        ids: Sequence[str],
        user_names: Sequence[str],
        external_ids: Sequence[str | None],
        profiles: Sequence[Profile],
    ) -> "Everybody":
        """The same, of what is known of people, each in the same place: sooner done in the order of user names."""
        ordered = sorted(user_names)  # by code point, as their bytes are; no time where they are
        if ordered != user_names:
            places = sorted(range(len(ids)), key=user_names.__getitem__)
            ids, user_names = [ids[place] for place in places], ordered
            external_ids = [external_ids[place] for place in places]
            profiles = [profiles[place] for place in places]
        numbers: dict[Profile, int] = {}
        profile_of = array("I", [numbers.setdefault(profile, len(numbers)) for profile in profiles])
        named = [number for number, name in enumerate(external_ids) if name is not None]
        return Everybody(
            ids, profile_of, tuple(numbers), Names.of(user_names), Names.of(external_ids),
            array("I", sorted(named, key=external_ids.__getitem__)),  # type: ignore[arg-type]  # of those with a name
        )  # fmt: skip

    def dump(self) -> tuple[bytes, ...]:
        """What `load` makes the same people of, on a machine of the same byte order."""
        flat = array("I", (number for profile in self.profiles for number in profile))
        arrays = (
            self.profile_of, flat, array("I", map(len, self.profiles)), self.user_names.ends, self.external_ids.ends,
            self.by_external_id,
        )  # fmt: skip
        texts = ("\n".join(self.number_of).encode(), self.user_names.packed, self.external_ids.packed)
        return *texts, *(one.tobytes() for one in arrays)

    @staticmethod
    def load(parts: Sequence[bytes]) -> "Everybody":
        """The people of a dump."""
        ids, user_names, external_ids, *arrays = parts
        profile_of, flat, lengths, name_ends, external_ends, by_external_id = (
            array(code, part) for code, part in zip("IIIQQI", arrays, strict=True)
        )
        numbers = iter(flat)
        return Everybody(
            ids.decode().split("\n") if ids else (), profile_of, tuple(tuple(islice(numbers, n)) for n in lengths),
            Names(user_names, name_ends), Names(external_ids, external_ends), by_external_id,
        )  # fmt: skip

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
        if name in self._named:
            return self._named[name]
        return self._named.keep(name, self._search_user_name(name))

    def _search_user_name(self, name: str) -> int | None:
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
        return People(Everybody.of(people))

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

    def person(self, user: str) -> Person | None:
        """What is known of a person by id."""
        if user in self.beside:
            return self.beside[user]
        number = self.packed.number_of.get(user)
        return None if number is None else self.packed.person(number)

    def profile_number(self, user: str) -> int | None:
        """The number of a person's profile among the packed ones; None: it has none."""
        number = None if user in self.beside else self.packed.number_of.get(user)
        return None if number is None else self.packed.profile_of[number]

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

    def count(self, is_wanted: Callable[[Profile], bool], *, packed: int | None = None) -> int:
        """How many are of a wanted profile. `packed`: how many of the packed people were, if somebody has counted."""
        all_ = self.packed
        if packed is None:
            packed = sum(size for profile, size in zip(all_.profiles, all_.sizes, strict=True) if is_wanted(profile))
        for user, person in self.beside.items():
            number = all_.number_of.get(user)
            if number is not None:
                packed -= is_wanted(all_.profiles[all_.profile_of[number]])
            if person is not None:
                packed += is_wanted(person.profile)
        return packed

    @cached_property
    def size(self) -> int:
        """How many there are."""
        known = sum(user in self.packed.number_of for user in self.beside)
        return len(self.packed.profile_of) - known + sum(person is not None for person in self.beside.values())

    @cached_property
    def _named_beside(self) -> tuple[Sequence[bytes], Sequence[str]]:
        """The user names of those beside the packed ones, in their order, and their ids."""
        named = sorted((encode(person.user_name), person.id) for person in self.beside.values() if person is not None)
        return [name for name, _ in named], [user for _, user in named]

    def list_names(
        self, *, after: str | None, before: str | None, most: int, backwards: bool
    ) -> list[tuple[str, UserId]]:
        """The first (or last) so many whose user names lie between two, in the order from there: name and id."""
        found: list[tuple[bytes, str]] = []
        for names, ids, left_out in (
            (self.packed.user_names, self.packed.ids, self.beside), (*self._named_beside, {})
        ):  # fmt: skip
            low = 0 if after is None else bisect_right(names, encode(after))
            high = len(names) if before is None else bisect_left(names, encode(before))
            numbers = range(high - 1, low - 1, -1) if backwards else range(low, high)
            found += islice(((names[number], ids[number]) for number in numbers if ids[number] not in left_out), most)
        found.sort(reverse=backwards)
        return [(name.decode(), UserId(user)) for name, user in found[:most]]

    def profiles_beside(self) -> Iterator[Profile]:
        """The profiles of those who have changed, and those that they had when all was put together."""
        packed = self.packed
        for user, person in self.beside.items():
            if person is not None:
                yield person.profile
            number = packed.number_of.get(user)
            if number is not None:
                yield packed.profiles[packed.profile_of[number]]

    def select(
        self,
        is_wanted: Callable[[Profile], bool],
        *,
        after: str | None,
        before: str | None,
        most: int,
        backwards: bool,
        tell_packed: Callable[[Iterator[int]], Iterator[object]] | None = None,
    ) -> list[UserId]:
        """The first (or last) so many of a wanted profile whose user names lie between two, in the order from there.

        `tell_packed` tells the same of packed profiles by their numbers, for those who know that sooner.
        """
        packed = self.packed
        tell = tell_packed or (lambda numbers: (is_wanted(packed.profiles[number]) for number in numbers))
        low = 0 if after is None else bisect_right(packed.user_names, encode(after))
        high = len(packed.profile_of)
        if before is not None:
            high = bisect_right(packed.user_names, encode(before))
            high -= high > 0 and packed.user_names[high - 1] == encode(before)
        found: list[tuple[bytes, str]] = []
        places = range(high - 1, low - 1, -1) if backwards else range(low, high)
        for number in compress(places, tell(map(packed.profile_of.__getitem__, places))):
            if packed.ids[number] not in self.beside:
                found.append((packed.user_names[number], packed.ids[number]))
                if len(found) == most:
                    break
        for person in self.beside.values():
            if person is None or not is_wanted(person.profile):
                continue
            if (after is None or person.user_name > after) and (before is None or person.user_name < before):
                found.append((encode(person.user_name), person.id))
        found.sort(reverse=backwards)
        return [UserId(user) for _, user in found[:most]]
