"""The IDE: one page, its files, all of them ours."""

import re
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from app.main import create_app
from app.settings import Settings
from app.web.graphiql.pages import FILES, FOLDER
from tests.factories import Gateway, each_of

OUR_FILES = [FOLDER / name for name in ("page.html", "page.js", "page.css", "tour.js")]


@pytest.fixture
async def ide(gateway: Gateway) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(app=create_app(gateway.services, Settings(graphiql=True)))
    async with httpx.AsyncClient(transport=transport, base_url="http://gateway") as client:
        yield client


def references(page: str) -> list[str]:
    return [found for found in re.findall(r'(?:src|href)="([^"]+)"', page) if not found.startswith("data:")]


async def test_the_page_is_served_with_a_policy_that_lets_nothing_else_in(ide: httpx.AsyncClient) -> None:
    response = await ide.get("/graphiql")

    assert response.status_code == 200
    assert response.headers["content-type"] == "text/html; charset=utf-8"
    assert response.headers["cache-control"] == "no-store"
    assert response.headers["x-content-type-options"] == "nosniff"
    assert response.headers["referrer-policy"] == "no-referrer"
    policy = dict(part.strip().split(" ", 1) for part in response.headers["content-security-policy"].split(";"))
    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == policy["connect-src"] == "'self'"
    assert policy["frame-ancestors"] == policy["base-uri"] == policy["form-action"] == "'none'"
    assert not re.search(r"https?:|\*|unsafe-eval", response.headers["content-security-policy"])


async def test_every_file_that_the_page_names_is_served_for_ever(ide: httpx.AsyncClient) -> None:
    found = references((await ide.get("/graphiql")).text)

    assert len(found) == len(FILES) == len(set(found))
    for path in found:
        assert path.startswith("/graphiql/")
        response = await ide.get(path)
        assert response.status_code == 200, path
        assert response.headers["cache-control"] == "public, max-age=31536000, immutable"
        assert response.headers["x-content-type-options"] == "nosniff"
        kind = "text/css" if path.endswith(".css") else "text/javascript"
        assert response.headers["content-type"].startswith(kind)
        assert len(response.content) == int(response.headers["content-length"]) > 0


async def test_the_page_has_no_script_of_its_own_and_no_place_is_left_open(ide: httpx.AsyncClient) -> None:
    page = (await ide.get("/graphiql")).text

    assert not re.search(r"<script(?![^>]*\bsrc=)", page)
    assert not re.search(r"<style|\son[a-z]+=|javascript:", page)
    assert not re.search(r"\{[a-z_.-]+\}", page)


@each_of("name", ["x", "page.js", "page.html", "../pages.py", "..%2fpages.py", "vendor", "%00", ""])
async def test_no_other_file_is(ide: httpx.AsyncClient, name: str) -> None:
    response = await ide.get(f"/graphiql/{name}", follow_redirects=False)

    assert response.status_code == 404


@pytest.mark.parametrize("path", OUR_FILES, ids=lambda path: path.name)
def test_nothing_of_ours_names_another_host(path: Path) -> None:
    text = path.read_text("utf-8")

    assert not re.search(r"(?:https?:)?//[a-z0-9-]+\.[a-z]|url\(|@import|importScripts|\bimport\(", text)


@pytest.mark.parametrize("path", OUR_FILES, ids=lambda path: path.name)
def test_the_token_is_kept_nowhere(path: Path) -> None:
    text = path.read_text("utf-8")

    assert not re.search(r"localStorage|sessionStorage|document\.cookie|indexedDB|console\.", text)


async def test_it_needs_no_token_and_shows_nothing_without_one(ide: httpx.AsyncClient) -> None:
    assert (await ide.get("/graphiql")).status_code == 200
    assert (await ide.post("/graphql", json={"query": "{ __schema { types { name } } }"})).status_code == 401


async def test_it_is_off_unless_it_is_asked_for(gateway: Gateway) -> None:
    response = await gateway.client.get("/graphiql")

    assert response.status_code == 404


async def test_the_documents_of_the_tour_fit_the_schema(ide: httpx.AsyncClient) -> None:
    """Every example is a document that the gateway takes; those that write are told from those that ask."""
    from graphql import OperationDefinitionNode, parse, validate

    from tests.factories import executor

    text = (FOLDER / "tour.js").read_text("utf-8")
    documents = [
        found.encode().decode("unicode_escape") if quote == "'" else found
        for quote, found in re.findall(r"query: ('|`)((?:(?!\1)(?:\\.|[^\\]))*)\1", text, re.DOTALL)
    ]

    assert documents
    for document in documents:
        parsed = parse(document)
        assert validate(executor().schema, parsed) == []
        assert any(isinstance(node, OperationDefinitionNode) for node in parsed.definitions)
