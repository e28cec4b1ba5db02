"""Other engines of authorisation, given the same people: whether somebody has a permission at a rank or above.

None is a dependency of the gateway. To race them, `pip install pycasbin cedarpy regorus` beside it; whichever is not
there, the benchmark says so. They are told who has which roles and what each role gives, implied rights included; of
rights that need other rights they know nothing, so they are asked about rights that need none.
"""

import json
import tempfile
from collections.abc import Callable, Mapping, Sequence
from typing import Any

Given = Mapping[str, Mapping[int, int]]  # what a role (or a person by themselves) gives: permissions with ranks
Engine = Callable[[str, int, int], bool]  # person, permission, rank

CASBIN_MODEL = """
[request_definition]
r = sub, obj
[policy_definition]
p = sub, obj
[role_definition]
g = _, _
[policy_effect]
e = some(where (p.eft == allow))
[matchers]
m = g(r.sub, p.sub) && r.obj == p.obj
"""
CEDAR_POLICY = 'permit(principal, action == Action::"use", resource) when { principal in resource.holders };'
REGO_POLICY = """package rights
import rego.v1
default allow := false
allow if data.own[input.user][input.right]
allow if { some role in data.roles[input.user]; data.gives[role][input.right] }
"""


def open_casbin(roles_of: Mapping[str, Sequence[str]], given: Given) -> Engine:
    """`FastEnforcer`, which looks policies up by the right asked for. Raises `ImportError`."""
    import casbin  # type: ignore[import-not-found, import-untyped, unused-ignore]  # installed by whoever races it

    with tempfile.NamedTemporaryFile("w", suffix=".conf") as model:
        model.write(CASBIN_MODEL)
        model.flush()
        enforcer = casbin.FastEnforcer(model.name, cache_key_order=[1])
    policies, links = enforcer.model.model["p"]["p"].policy, enforcer.model.model["g"]["g"].policy
    for holder, rights in given.items():  # its own `add_policies` looks through all of them for each
        for one in list_ranks(rights):
            policies.append([holder, spell(*one)])
    links.extend([user, role] for user, roles in roles_of.items() for role in roles)
    enforcer.build_role_links()
    return lambda user, number, rank: bool(enforcer.enforce(user, spell(number, rank)))


def open_cedar(roles_of: Mapping[str, Sequence[str]], given: Given) -> Engine:
    """Cedar's own engine, policies and entities parsed once. Raises `ImportError`."""
    import cedarpy

    def name(kind: str, key: str) -> dict[str, str]:
        return {"type": kind, "id": key}

    holders: dict[str, list[str]] = {}
    for holder, rights in given.items():
        for one in list_ranks(rights):
            holders.setdefault(spell(*one), []).append(holder)
    people = {user: name("User", user) for user in roles_of}
    entities = [
        {"uid": people[user], "attrs": {}, "parents": [name("Role", role) for role in roles]}
        for user, roles in roles_of.items()
    ]
    entities += [{"uid": name("Role", key), "attrs": {}, "parents": []} for key in given if key not in roles_of]
    entities += [
        {
            "uid": name("Right", right), "parents": [],
            "attrs": {"holders": [{"__entity": people.get(one, name("Role", one))} for one in listed]},
        }
        for right, listed in holders.items()
    ]  # fmt: skip
    policies, known = cedarpy.PolicySet.from_str(CEDAR_POLICY), cedarpy.Entities.from_json_str(json.dumps(entities))
    action = name("Action", "use")

    def ask(user: str, number: int, rank: int) -> bool:
        right = spell(number, rank)
        if right not in holders:
            return False
        request = {"principal": people[user], "action": action, "resource": name("Right", right), "context": {}}
        return bool(cedarpy.is_authorized(request, policies, known).allowed)

    return ask


def open_regorus(roles_of: Mapping[str, Sequence[str]], given: Given) -> Engine:
    """The Rego engine in Rust. Raises `ImportError`."""
    import regorus  # type: ignore[import-not-found]  # installed by whoever races it

    engine: Any = regorus.Engine()
    engine.add_policy("rights.rego", REGO_POLICY)
    gives = {
        holder: {spell(*one): True for one in list_ranks(rights)} for holder, rights in given.items()
    }  # fmt: skip
    own = {user: gives[user] for user in roles_of if user in gives}
    engine.add_data_json(json.dumps({"roles": dict(roles_of), "gives": gives, "own": own}))

    def ask(user: str, number: int, rank: int) -> bool:
        engine.set_input_json(json.dumps({"user": user, "right": spell(number, rank)}))
        return bool(engine.eval_rule("data.rights.allow"))

    return ask


ENGINES: Mapping[str, Callable[[Mapping[str, Sequence[str]], Given], Engine]] = {
    "pycasbin": open_casbin, "regorus": open_regorus, "cedarpy": open_cedar,
}  # fmt: skip


def list_ranks(rights: Mapping[int, int]) -> list[tuple[int, int]]:
    """Each permission with each rank up to the one that is given."""
    return [(number, rank) for number, most in rights.items() for rank in range(1, most + 1)]


def spell(number: int, rank: int) -> str:
    return f"{number}:{rank}"
