"""Trusted documents: how they are listed, how they are asked for, and who may send others."""

import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from hashlib import md5, sha256
from pathlib import Path
from typing import Any

import httpx
import pytest

from app.graphql.trusted import load_trusted
from app.main import create_app
from app.settings import Limits, Settings, SettingsFaults, read_settings
from tests.factories import Answer, Gateway, each_of, executor
from tests.sockets import known, serving
from tests.streams import COMPLETE

NAMES = "query Names($name: String!) { user(ref: {userName: $name}) { userName } }"
CREATE = 'mutation Create { createUser(input: {userName: "zoe"}) { revision } }'
LISTEN = 'subscription Listen { changes(after: "0") { revision } }'
WIDE = "query Wide($first: Int!) { users(first: $first) { edges { node { userName } } } }"
TEXTS = (NAMES, CREATE, LISTEN, WIDE)
ID = {text: f"sha256:{sha256(text.encode()).hexdigest()}" for text in TEXTS}
REQUIRE = (("person", "require"), ("service", "off"))


def codegen(texts: tuple[str, ...]) -> Answer:
    """As GraphQL Code Generator's client preset writes `persisted-documents.json` with `hashAlgorithm: "sha256"`."""
    return {f"sha256:{sha256(text.encode()).hexdigest()}": text for text in texts}


def relay(texts: tuple[str, ...]) -> Answer:
    """As Relay's compiler writes the file of `persistConfig`."""
    return {md5(text.encode()).hexdigest(): text for text in texts}


def apollo(texts: tuple[str, ...]) -> Answer:
    """As Apollo's `generate-persisted-query-manifest` writes it."""
    operations = [
        {
            "id": sha256(text.encode()).hexdigest(), "body": text, "name": text.split()[1].split("(")[0],
            "type": text.split()[0],
        }
        for text in texts
    ]  # fmt: skip
    return {"format": "apollo-persisted-query-manifest", "version": 1, "operations": operations}


@pytest.fixture
def listed(tmp_path: Path) -> Path:
    path = tmp_path / "persisted-documents.json"
    path.write_text(json.dumps(codegen(TEXTS)))
    return path


@asynccontextmanager
async def guarded(world: Gateway, settings: Settings) -> AsyncIterator[Gateway]:
    """The same contact centre behind other settings."""
    transport = httpx.ASGITransport(app=create_app(world.services, settings), raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://gateway") as client:
        yield Gateway(world.services, client, world.path, world.clock, world.owner, world.token, world.ids)


@pytest.fixture
async def strict(world: Gateway, listed: Path) -> AsyncIterator[Gateway]:
    """People send trusted documents alone; service accounts send none."""
    async with guarded(world, Settings(trusted_documents=listed, trusted_mode=REQUIRE)) as gateway:
        yield gateway


async def code_of(response: httpx.Response) -> str:
    """The code of the only error of an answer that has no data."""
    answer = response.json()
    assert set(answer) == {"errors"}
    (error,) = answer["errors"]
    code: str = error["extensions"]["code"]
    return code


# ---------------------------------------------------------------------- asking


async def test_a_document_is_asked_for_by_its_digest(strict: Gateway) -> None:
    response = await strict.post({"documentId": ID[NAMES], "variables": {"name": "ana"}, "operationName": "Names"})

    assert response.json()["data"] == {"user": {"userName": "ana"}}


@each_of("write", [codegen, relay, apollo])
async def test_each_kind_of_list_is_read_and_its_own_ids_are_good_too(
    world: Gateway, tmp_path: Path, write: Callable[[tuple[str, ...]], Answer]
) -> None:
    content = write(TEXTS)
    path = tmp_path / "list.json"
    path.write_text(json.dumps(content))
    ids = [operation["id"] for operation in content["operations"]] if "format" in content else list(content)
    async with guarded(world, Settings(trusted_documents=path, trusted_mode=(("person", "prefer"),))) as gateway:
        for name in (ids[0], ID[NAMES]):
            response = await gateway.post({"documentId": name, "variables": {"name": "ana"}})
            assert response.json()["data"] == {"user": {"userName": "ana"}}


async def test_a_get_asks_for_one_in_the_query_string_and_changes_nothing(strict: Gateway) -> None:
    headers = {"authorization": f"Bearer {strict.token}"}
    asked = {"documentId": ID[NAMES], "variables": '{"name": "ana"}', "query": ""}
    response = await strict.client.get("/graphql", params=asked, headers=headers)
    assert response.json()["data"] == {"user": {"userName": "ana"}}

    async with strict.unchanged():
        response = await strict.client.get("/graphql", params={"documentId": ID[CREATE]}, headers=headers)
    assert (response.status_code, response.headers["allow"]) == (405, "POST")


async def test_an_unknown_id_is_one_error(strict: Gateway) -> None:
    for name in ("sha256:" + "0" * 64, "x", ID[NAMES].upper(), ID[NAMES].removeprefix("sha256:")[:-1]):
        assert await code_of(await strict.post({"documentId": name})) == "PERSISTED_QUERY_NOT_FOUND"


async def test_documents_that_clients_would_have_kept_are_not(world: Gateway, strict: Gateway) -> None:
    """Apollo's automatic persisted queries: the client is told to send the text, or a trusted id."""
    asked = {"extensions": {"persistedQuery": {"version": 1, "sha256Hash": "0" * 64}}}
    assert await code_of(await world.post(asked)) == "PERSISTED_QUERY_NOT_SUPPORTED"
    assert await code_of(await strict.post(asked)) == "PERSISTED_QUERY_ID_REQUIRED"
    assert "errors" not in (await world.post({**asked, "query": "{ revision }"})).json()
    headers = {"authorization": f"Bearer {world.token}"}
    params = {"extensions": json.dumps(asked["extensions"])}
    assert await code_of(await world.client.get("/graphql", params=params, headers=headers)) == (
        "PERSISTED_QUERY_NOT_SUPPORTED"
    )


@each_of(
    "asked",
    [
        {"documentId": 5},
        {"documentId": ["x"]},
        {"documentId": "x" * 201},
        {"documentId": "x", "query": "{ revision }"},
        {"documentId": False},
        {"documentId": None},
        {"documentId": ""},
        {"documentId": "", "query": " "},
    ],
)
async def test_what_names_no_document_is_no_request(strict: Gateway, asked: Answer) -> None:
    response = await strict.post(asked)

    assert response.status_code == 400
    assert await code_of(response) == "BAD_REQUEST"


# ---------------------------------------------------------------------- who


async def test_who_must_send_trusted_documents_is_told_what_would_help(strict: Gateway) -> None:
    (error,) = (await strict.post({"query": NAMES})).json()["errors"]
    assert error["extensions"]["code"] == "PERSISTED_QUERY_ID_REQUIRED"
    assert error["message"] == "documents of your own are not taken: name a trusted one by `documentId`"


async def test_each_kind_of_caller_has_a_mode_of_its_own(strict: Gateway) -> None:
    """The job goes on sending documents of its own; trusted ones are of no use to it."""
    secret = await _make_job(strict)
    assert (await strict.post({"query": "{ revision }"}, token=secret)).json()["data"]["revision"]
    asked = {"documentId": ID[NAMES]}
    assert await code_of(await strict.post(asked, token=secret)) == "PERSISTED_QUERY_NOT_SUPPORTED"


async def _make_job(gateway: Gateway) -> str:
    """The secret of a service account, made through a door that takes any document."""
    async with guarded(gateway, Settings()) as free:
        return await free.create_service_account("job")


async def test_who_prefers_them_may_send_others(world: Gateway, listed: Path) -> None:
    settings = Settings(trusted_documents=listed, trusted_mode=(("person", "prefer"), ("service", "prefer")))
    async with guarded(world, settings) as gateway:
        assert (await gateway.post({"query": "{ revision }"})).json()["data"]["revision"]
        response = await gateway.post({"documentId": ID[NAMES], "variables": {"name": "ana"}})
        assert response.json()["data"] == {"user": {"userName": "ana"}}


async def test_the_variables_of_a_trusted_document_are_as_hostile_as_any(strict: Gateway) -> None:
    for asked, code in (
        ({"documentId": ID[NAMES], "variables": {"name": 5}}, "BAD_USER_INPUT"),
        ({"documentId": ID[NAMES], "operationName": "Other"}, "OPERATION_RESOLUTION_FAILURE"),
        ({"documentId": ID[WIDE]}, "BAD_USER_INPUT"),
    ):
        assert await code_of(await strict.post(asked)) == code
    answer = (await strict.post({"documentId": ID[WIDE], "variables": {"first": 101}})).json()
    assert "100" in answer["errors"][0]["message"]


async def test_a_trusted_document_has_a_cost_as_any(world: Gateway, listed: Path) -> None:
    settings = Settings(trusted_documents=listed, trusted_mode=(("person", "require"),), limits=Limits(max_cost=150))
    async with guarded(world, settings) as gateway:
        response = await gateway.post({"documentId": ID[WIDE], "variables": {"first": 100}})
        assert await code_of(response) == "COST_ESTIMATED_TOO_EXPENSIVE"


async def test_the_same_holds_on_sockets_and_streams(strict: Gateway, listed: Path) -> None:
    settings = Settings(trusted_documents=listed, trusted_mode=REQUIRE)
    async with serving(strict.services, settings) as address, known(address, strict.token) as client:
        await client.send(type="subscribe", id="1", payload={"documentId": ID[LISTEN]})
        assert await client.next() == {"changes": {"revision": "1"}}
        await client.send(type="subscribe", id="2", payload={"query": "{ revision }"})
        while (message := await client.receive())["id"] != "2":
            continue
        assert message["payload"][0]["extensions"]["code"] == "PERSISTED_QUERY_ID_REQUIRED"
    response = await strict.post({"documentId": ID[NAMES], "variables": {"name": "ana"}}, accept="text/event-stream")
    assert '"userName":"ana"' in response.text
    response = await strict.post({"query": LISTEN}, accept="text/event-stream")
    assert "PERSISTED_QUERY_ID_REQUIRED" in response.text
    assert response.text.endswith(f"{COMPLETE}\n\n")


# ---------------------------------------------------------------------- lists


def load(path: Path) -> dict[str, str]:
    return load_trusted(path, executor())


def test_a_folder_is_read_whole(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text(json.dumps(codegen((NAMES, CREATE))))
    (tmp_path / "b.json").write_text(json.dumps(relay((NAMES, LISTEN))))
    (tmp_path / "readme.md").write_text("no list")

    assert set(load(tmp_path).values()) == {NAMES, CREATE, LISTEN}
    assert {ID[NAMES], ID[CREATE], ID[LISTEN], md5(NAMES.encode()).hexdigest()} <= set(load(tmp_path))


def test_every_fault_is_told_with_its_file_and_id(tmp_path: Path) -> None:
    digest = sha256(NAMES.encode()).hexdigest()
    (tmp_path / "a.json").write_text(
        json.dumps({
            "one": "{ nope }", "two": "{", "three": 5, "fo ur": NAMES, "x" * 201: NAMES, "0" * 64: NAMES,
            "sha256:" + "1" * 64: NAMES, "md5:x": NAMES, "same": NAMES, "half": "{ a\ud800 }",
            "deep": "{ __schema " + "{ types { fields { type " * 9 + "{ name }" + "} } } " * 9 + "}",
        })
    )  # fmt: skip
    (tmp_path / "b.json").write_text(json.dumps({"same": CREATE}))
    (tmp_path / "c.json").write_text("{nope")
    (tmp_path / "d.json").write_text("[1]")
    (tmp_path / "e.json").write_text(json.dumps({"format": "other", "operations": []}))
    (tmp_path / "f.json").write_text(json.dumps({"format": "apollo-persisted-query-manifest", "operations": [5, {}]}))
    (tmp_path / "g.json").mkdir()

    with pytest.raises(SettingsFaults) as raised:
        load(tmp_path)

    faults = raised.value.faults
    begin = "PERMGATE_TRUSTED_DOCUMENTS: "
    assert all(fault.startswith(begin) for fault in faults)
    told = "\n".join(fault.removeprefix(begin) for fault in faults)
    for expected in (
        "a.json: `one`: Cannot query field 'nope' on type 'Query'.",
        "a.json: `two`: Syntax Error",
        "a.json: `three`: expected a text: the GraphQL document",
        "a.json: `fo ur`: expected an id",
        f"a.json: `{'0' * 64}`: its text has another digest, {digest}",
        f"a.json: `sha256:{'1' * 64}`: its text has another digest",
        "a.json: `md5:x`: expected an id",
        "a.json: `half`: expected a text",
        "a.json: `deep`: ",
        "b.json: `same`: another document has this id",
        "c.json: it is not JSON",
        "d.json: expected an object of ids and documents, or Apollo's manifest",
        "e.json: expected the format `apollo-persisted-query-manifest`",
        "f.json: `None`: expected an id",
        "g.json: it cannot be read: Is a directory",
    ):
        assert expected in told, told
    assert len(faults) == 17


def test_a_folder_without_lists_is_a_fault(tmp_path: Path) -> None:
    with pytest.raises(SettingsFaults, match=r"has no file that ends in `\.json`"):
        load(tmp_path)


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"TRUSTED_DOCUMENTS": "/nowhere"}, "`/nowhere` is neither a file nor a folder"),
        ({"TRUSTED_MODE": "person=require"}, "`person=require` needs PERMGATE_TRUSTED_DOCUMENTS"),
        ({"TRUSTED_MODE": "robot=off"}, "`robot=off`: expected person or service"),
        ({"TRUSTED_MODE": "person=maybe"}, "`person=maybe`: expected person or service"),
        ({"TRUSTED_MODE": "person"}, "`person`: expected person or service"),
        ({"INTROSPECTION": "some"}, "PERMGATE_INTROSPECTION: `some`: expected one of all, owners, off"),
    ],
)
def test_settings_that_make_no_sense_are_told(given: dict[str, str], told: str) -> None:
    with pytest.raises(SettingsFaults) as raised:
        read_settings({f"PERMGATE_{name}": value for name, value in given.items()})
    assert told in str(raised.value)


def test_lists_alone_let_everybody_use_them(tmp_path: Path) -> None:
    """Whoever names lists wants them used; who sends what else is another choice."""
    given: dict[str, Any] = {"PERMGATE_TRUSTED_DOCUMENTS": str(tmp_path)}
    assert read_settings(given).trusted_mode == (("person", "prefer"), ("service", "prefer"))
    mode = read_settings({**given, "PERMGATE_TRUSTED_MODE": "person=require"}).trusted_mode
    assert mode == (("person", "require"), ("service", "prefer"))
    assert read_settings({}).trusted_mode == (("person", "off"), ("service", "off"))


async def test_a_gateway_does_not_begin_with_a_document_that_is_none(world: Gateway, tmp_path: Path) -> None:
    path = tmp_path / "list.json"
    path.write_text(json.dumps({"x": "{ nope }"}))
    with pytest.raises(SettingsFaults, match="Cannot query field 'nope'"):
        create_app(world.services, Settings(trusted_documents=path))
