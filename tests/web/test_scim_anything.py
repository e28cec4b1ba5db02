"""Any request at all is answered in the words of SCIM, never by an internal error; what was read may be put back."""

import random
from typing import Any

import pytest

from tests.factories import Gateway
from tests.scim import ENTERPRISE, ERROR, GROUP, PATCH, USER, Provider

PATHS = [
    "userName", "displayName", "name", "name.formatted", "name.givenName", "active", "emails", 'emails[type eq "work"]',
    'emails[type eq "work"].value', "emails.value", "roles", 'roles[value eq "agents"]', "roles[primary eq true].value",
    "groups", "id", "meta", "meta.version", "externalId", "schemas", "title", "password", "members", "members.value",
    "members[display pr]", "frob", f"{ENTERPRISE}:manager", ENTERPRISE, USER, f"{USER}:active", f"{GROUP}:members", "",
    "[", "a.b.c", 'emails[type eq "work" and primary eq true].display', "emails[0]", "ROLES", "MEMBERS",
]  # fmt: skip
TEXTS = [
    "ana", "agents", "writers@C-1", "C-1:core:USER", "C-1:core:ADMINISTRATOR", "a@b.c", "True", "work", "", " ", "\0",
    "\ud7ff", "\u00e9", "\u00df" * 10, "x" * 400,
]  # fmt: skip
OPERATORS = ["eq", "co", "sw", "pr", "gt", "ne", "and"]


class Requests:
    """Draws requests, sensible ones and others."""

    def __init__(self, seed: int, ids: list[str]) -> None:
        self.chance = random.Random(seed)
        self.ids = ids

    def text(self) -> str:
        return self.chance.choice([*TEXTS, *self.ids])

    def value(self, depth: int = 0) -> Any:
        match self.chance.randrange(8):
            case 0 if depth < 3:
                return [self.value(depth + 1) for _ in range(self.chance.randrange(4))]
            case 1 if depth < 3:
                return {self.chance.choice(PATHS): self.value(depth + 1) for _ in range(self.chance.randrange(4))}
            case 2:
                return self.chance.choice([True, False, None, 0, -1, 1.5, 10**15])
            case 3 | 4:
                kind = self.chance.choice([{}, {"type": self.chance.choice(["work", "manual", "User", "Group", None])}])
                return [{"value": self.text(), **kind} for _ in range(self.chance.randrange(4))]
            case 5:
                return {"value": self.text()}
            case _:
                return self.text()

    def operation(self) -> dict[str, Any]:
        kind = self.chance.choice(["add", "replace", "remove", "Add", "frob"])
        path = {} if self.chance.random() < 0.2 else {"path": self.chance.choice(PATHS)}
        return {"op": kind, **path, "value": self.value()}

    def request(self) -> tuple[str, str, Any, dict[str, str]]:
        noun, prefix = self.chance.choice([("Users", "usr_"), ("Groups", "tea_")])
        one = f"/{noun}/{self.chance.choice([known for known in self.ids if known.startswith(prefix)])}"
        given = {self.chance.choice(PATHS): self.value() for _ in range(self.chance.randrange(4))}
        name = self.chance.choice(["u1", "u2", "u3", "ana"])
        body = {"schemas": [USER if noun == "Users" else GROUP], "userName" if noun == "Users" else "displayName": name}
        match self.chance.randrange(6):
            case 0:
                return "POST", f"/{noun}", body | given, {}
            case 1:
                return "PUT", one, body | given, {}
            case 2:
                return "DELETE", one, None, {}
            case 3:
                operator, text = self.chance.choice(OPERATORS), self.text().replace("\0", "")
                asked = {"filter": f'{self.chance.choice(PATHS)} {operator} "{text}"', "count": "2"}
                return "GET", f"/{noun}", None, {**asked, "attributes": self.chance.choice(PATHS)}
            case _:
                operations = [self.operation() for _ in range(self.chance.randrange(1, 4))]
                return "PATCH", one, {"schemas": [PATCH], "Operations": operations}, {}


async def try_anything(world: Gateway, seed: int, count: int) -> set[int]:
    """The statuses of so many answers."""
    provider, statuses = Provider(world, world.token), set[int]()
    requests = Requests(seed, [known for known in world.ids.values() if known.startswith(("usr_", "tea_"))])
    for _ in range(count):
        method, path, body, query = requests.request()
        response = await provider.call(method, path, body, query)
        told = f"seed {seed}: {method} {path} {body} {query}: {response.status_code} {response.text}"
        assert response.status_code < 500, told
        if response.status_code >= 400:
            assert response.json()["schemas"] == [ERROR], told
        elif method in {"POST", "PUT", "PATCH"}:
            found = response.json()
            requests.ids.append(found["id"])
            back = await provider.call("PUT", response.headers["content-location"].removeprefix("/scim/v2"), found)
            assert (back.status_code, back.json()) == (200, found), told
        statuses.add(response.status_code)
    return statuses


async def test_whatever_is_sent_is_answered(world: Gateway) -> None:
    assert {200, 201, 204, 400, 409} <= await try_anything(world, seed=1, count=200)


@pytest.mark.deep
@pytest.mark.parametrize("seed", range(2, 22))
async def test_and_much_more_of_it(world: Gateway, seed: int) -> None:
    await try_anything(world, seed, count=2000)
