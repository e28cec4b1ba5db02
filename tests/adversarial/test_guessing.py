"""T16: every name of the schema is nearly guessed, as clairvoyance does it, by somebody who may not ask for the schema.

By default every twentieth name, `-m deep` all of them. What is not told is the name itself, and any that is suggested;
a name that is guessed rightly is answered as to everybody, with its type and the arguments or fields that it needs.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from graphql import (
    GraphQLEnumType,
    GraphQLInputObjectType,
    GraphQLInterfaceType,
    GraphQLObjectType,
    is_input_type,
    is_specified_scalar_type,
)

from app.settings import Limits, Settings
from tests.adversarial.test_documents import public_schema
from tests.factories import Gateway
from tests.web.test_trusted_documents import guarded

UNBOUND = Limits(max_new_documents=1_000_000)  # all of them are new
WORD = re.compile(r"[A-Za-z_][A-Za-z0-9_]+")
ENGLISH = re.compile("[a-z]+")  # is a word of any message, and no sign of a name: `type`, `field`, `value`


@dataclass(frozen=True)
class Guess:
    """A name of the schema, and a document that has it almost right."""

    name: str
    document: str


def bend(name: str) -> str:
    """A name with a letter doubled."""
    return name[:2] + name[1:]


def guesses() -> Iterator[Guess]:
    """Every type, field, argument, field of an input and value of an enum, bent where it would stand."""
    for name, kind in public_schema().type_map.items():
        if name.startswith("__") or is_specified_scalar_type(kind):
            continue
        if is_input_type(kind):
            yield Guess(name, f"query ($v: {bend(name)}) {{ __typename }}")
        else:
            yield Guess(name, f"{{ ...F }} fragment F on {bend(name)} {{ __typename }}")
        if isinstance(kind, GraphQLObjectType | GraphQLInterfaceType):
            for field, of in kind.fields.items():
                yield Guess(field, f"{{ ...F }} fragment F on {name} {{ {bend(field)} }}")
                for argument in of.args:
                    yield Guess(argument, f"{{ ...F }} fragment F on {name} {{ {field}({bend(argument)}: 1) }}")
        if isinstance(kind, GraphQLInputObjectType):
            for field in kind.fields:
                yield Guess(field, f"query ($v: {name} = {{{bend(field)}: 1}}) {{ __typename }}")
        if isinstance(kind, GraphQLEnumType):
            for value in kind.values:
                yield Guess(value, f"query ($v: {name} = {bend(value)}) {{ __typename }}")


async def find_told(gateway: Gateway, guess: Guess) -> set[str]:
    """The names of the schema that are suggested where none of them was written."""
    answer = (await gateway.post({"query": guess.document})).json()
    assert "data" not in answer, guess
    told: set[str] = set()
    for error in answer["errors"]:
        said = error["message"]
        if "to include required field" in said:  # of a type whose name was written
            continue
        told |= set(WORD.findall(said.partition("Did you mean")[2]))
        told |= {guess.name} & {word for word in WORD.findall(said) if not ENGLISH.fullmatch(word)}
    return told - set(WORD.findall(guess.document))


@pytest.mark.parametrize("step", [pytest.param(20, id="default"), pytest.param(1, id="deep", marks=pytest.mark.deep)])
async def test_a_name_that_is_nearly_guessed_is_told_only_to_who_may_ask_for_the_schema(
    world: Gateway, step: int
) -> None:
    asked = list(guesses())[::step]
    told = {}
    for introspection in ("off", "all"):
        async with guarded(world, Settings(introspection=introspection, limits=UNBOUND)) as gateway:
            told[introspection] = {guess: await find_told(gateway, guess) for guess in asked}

    hit = sum(guess.name in names for guess, names in told["all"].items())
    hints = {guess: names for guess, names in told["off"].items() if names}
    print(f"T16: {len(asked)} names nearly guessed, {len(hints)} told; {hit} to who may ask")  # noqa: T201
    assert hints == {}
    assert hit > len(asked) * 0.8
