"""The IDE as people see it: it works without any other host, shows no token and keeps none."""

import json
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from app.settings import Settings
from tests.browser.chromium import PROGRAM, Page, opened, running
from tests.factories import Gateway
from tests.sockets import listening, serving

pytestmark = pytest.mark.skipif(PROGRAM is None, reason="there is no Chromium: apt-get install chromium")

PICTURE = (
    Path(__file__).parents[2] / ".ci" / "out" / "graphiql.png"
)  # kept with what CI printed, never with the sources
EDITOR = "document.querySelector('.graphiql-query-editor .CodeMirror')?.CodeMirror"
RESULT = "document.querySelector('.result-window .CodeMirror').CodeMirror.getValue()"
EVERYTHING_KEPT = """(async () => JSON.stringify([
  location.href, document.cookie, {...localStorage}, {...sessionStorage}, document.documentElement.outerHTML,
  await indexedDB.databases(), await caches.keys(), (await navigator.serviceWorker.getRegistrations()).length,
]))()"""


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with running(tmp_path_factory.mktemp("chromium") / "profile") as address:
        yield address


@pytest.fixture
async def ide(world: Gateway) -> AsyncIterator[str]:
    async with serving(world.services, Settings(graphiql=True)) as address:
        yield f"http://{address}/graphiql"


async def run(page: Page, name: str = "WhoAmI", document: str | None = None) -> None:
    """Runs the operation of a name, of a document or of what is shown, once the IDE has understood it."""
    await page.until(f"{EDITOR} !== undefined")
    if document is not None:
        await page.evaluate(f"{EDITOR}.setValue({json.dumps(document)})")
    await page.until(f"{EDITOR}.operationName === '{name}'")
    await page.evaluate("document.querySelector('.graphiql-execute-button').click()")


async def test_it_opens_with_a_token_asks_for_the_schema_and_answers_the_tour(
    world: Gateway, browser: str, ide: str
) -> None:
    async with opened(browser) as page:
        await page.go(f"{ide}#token={world.token}")
        assert await page.until("document.querySelector('[data-state=good]')?.textContent") == "you are olga (olga)"
        await page.until(f"{EDITOR} !== undefined")
        tabs = "[...document.querySelectorAll('.graphiql-tab-button')].map((tab) => tab.textContent)"
        assert (await page.evaluate(tabs))[:3] == ["WhoAmI", "WhatMayAnaDo", "WhyMayAna"]

        await run(page)
        await page.until(f'{RESULT}.includes(\'"userName": "olga"\')')
        await page.evaluate("""document.querySelector('[aria-label="Show Documentation Explorer"]').click()""")
        await page.until("document.querySelector('.graphiql-doc-explorer')?.textContent.includes('Subscription')")
        await page.take_picture(PICTURE)

        assert page.complaints == []
        assert [address for address in page.requests if not address.startswith((ide.rpartition("/")[0], "data:"))] == []
        assert await page.evaluate("location.hash + location.search") == ""
        assert await page.evaluate("document.getElementById('token').value") == world.token
        assert (
            await page.evaluate(
                "getComputedStyle(document.getElementById('token')).getPropertyValue('-webkit-text-security')"
            )
            == "disc"
        )
        assert world.token.removeprefix("pgt_") not in await page.evaluate(EVERYTHING_KEPT)


async def test_a_token_that_is_pasted_counts_at_once_and_is_gone_when_the_page_is_left(
    world: Gateway, browser: str, ide: str
) -> None:
    async with opened(browser) as page:
        await page.go(ide)
        assert await page.until("document.getElementById('viewer')?.textContent") == "no token"
        await run(page)
        await page.until(f"{RESULT}.includes('paste a token into the box above')")
        assert [address for address in page.requests if address.endswith("/graphql")] == []

        await page.evaluate("document.getElementById('token').focus()")
        await page.type(world.token)
        await page.press("Enter", 13)
        await page.until("document.querySelector('[data-state=good]')?.textContent")
        await run(page)
        await page.until(f'{RESULT}.includes(\'"userName": "olga"\')')
        assert page.complaints == []
        assert world.token.removeprefix("pgt_") not in await page.evaluate(EVERYTHING_KEPT)

        await page.go(ide)
        await page.until("document.getElementById('viewer')?.textContent === 'no token'")
        assert await page.evaluate("document.getElementById('token').value") == ""


async def test_a_subscription_shows_event_after_event_until_it_is_stopped(
    world: Gateway, browser: str, ide: str
) -> None:
    async with opened(browser) as page:
        await page.go(f"{ide}#token={world.token}")
        await page.until("document.querySelector('[data-state=good]')?.textContent")
        await run(page, "Listen", "subscription Listen { changes { revision action } }")
        await listening(world.services, 1)
        for name in ("zoe", "zita"):
            await world.create_user(name)
            await page.until(f'{RESULT}.includes(\'"revision": "{await world.revision()}"\')')
        await run(page, "Listen")  # the button stops what runs
        await listening(world.services, 0)
        assert page.complaints == []
