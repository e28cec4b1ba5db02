"""A headless Chromium and its pages, spoken to by the DevTools protocol: nothing but the browser is needed."""

import asyncio
import base64
import itertools
import json
import shutil
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from time import monotonic, sleep
from typing import Any

from websockets.asyncio.client import ClientConnection, connect

PROGRAM = shutil.which("chromium") or shutil.which("chromium-browser")
PROMPTLY = 60.0  # what takes a second on a machine of its own may take long on one that is shared
FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-dev-shm-usage",
    "--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-extensions",
    "--no-proxy-server", "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1", "--remote-debugging-port=0",
    "--window-size=1400,900",
)  # fmt: skip  # where tests run as root the sandbox does not; the only pages are ours, and no other host is known


@contextmanager
def running(profile: Path) -> Iterator[str]:
    """A browser with a new profile in a folder; gives the address of its DevTools."""
    assert PROGRAM is not None
    log = (profile.parent / "chromium.log").open("wb")
    process = subprocess.Popen([PROGRAM, *FLAGS, f"--user-data-dir={profile}", "about:blank"], stdout=log, stderr=log)
    try:
        chosen, until = profile / "DevToolsActivePort", monotonic() + PROMPTLY
        while not chosen.exists() or "\n" not in chosen.read_text():
            assert process.poll() is None and monotonic() < until, Path(log.name).read_text()
            sleep(0.02)
        port, path = chosen.read_text().split("\n")[:2]
        yield f"ws://127.0.0.1:{port}{path}"
    finally:
        process.terminate()
        process.wait(PROMPTLY)
        log.close()


class Page:
    """One page of its own: its requests, what it complained about, and what can be done on it."""

    def __init__(self, connection: ClientConnection) -> None:
        self.requests: list[str] = []
        self.complaints: list[str] = []
        self._connection = connection
        self._session = ""
        self._numbers = itertools.count(1)
        self._waiting: dict[int, asyncio.Future[dict[str, Any]]] = {}

    async def send(self, method: str, **parameters: Any) -> dict[str, Any]:
        """The result of a command."""
        number = next(self._numbers)
        message = {"id": number, "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        answered = self._waiting[number] = asyncio.get_running_loop().create_future()
        await self._connection.send(json.dumps(message))
        async with asyncio.timeout(PROMPTLY):
            answer = await answered
        assert "error" not in answer, (method, answer)
        result: dict[str, Any] = answer["result"]
        return result

    async def listen(self) -> None:
        """Takes what the browser tells, for as long as it is there."""
        async for text in self._connection:
            message = json.loads(text)
            if message.get("id") in self._waiting:
                self._waiting.pop(message["id"]).set_result(message)
                continue
            told = message.get("params", {})
            match message.get("method"):
                case "Network.requestWillBeSent":
                    self.requests.append(told["request"]["url"])
                case "Runtime.exceptionThrown":
                    self.complaints.append(json.dumps(told["exceptionDetails"]))
                case "Runtime.consoleAPICalled" if told["type"] in {"error", "warning", "assert"}:
                    self.complaints.append(json.dumps(told["args"]))
                case "Log.entryAdded" if told["entry"]["level"] in {"error", "warning"}:
                    self.complaints.append(json.dumps(told["entry"]))

    async def open(self) -> str:
        """Makes a page with storage of its own, in a context of which it gives the id."""
        context: str = (await self.send("Target.createBrowserContext"))["browserContextId"]
        target = await self.send("Target.createTarget", url="about:blank", browserContextId=context)
        attached = await self.send("Target.attachToTarget", targetId=target["targetId"], flatten=True)
        self._session = attached["sessionId"]
        for domain in ("Network", "Runtime", "Log", "Page"):
            await self.send(f"{domain}.enable")
        return context

    async def close(self, context: str) -> None:
        """Leaves the page, and forgets what it kept."""
        self._session = ""
        await self.send("Target.disposeBrowserContext", browserContextId=context)

    async def go(self, address: str) -> None:
        """Goes to an address."""
        await self.send("Page.navigate", url=address)

    async def evaluate(self, expression: str) -> Any:
        """What a JavaScript expression comes to, awaited where it is a promise."""
        found = await self.send("Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in found, found
        return found["result"].get("value")

    async def until(self, expression: str) -> Any:
        """Waits until an expression comes to something true, and gives it."""
        async with asyncio.timeout(PROMPTLY):
            while not (found := await self.evaluate(expression)):  # noqa: ASYNC110  # the browser tells nobody
                await asyncio.sleep(0.05)
        return found

    async def type(self, text: str) -> None:
        """Types into what has the focus."""
        await self.send("Input.insertText", text=text)

    async def press(self, key: str, code: int) -> None:
        """Presses a key, with what it types where it types something."""
        text = {"text": "\r"} if key == "Enter" else {}
        for kind in ("keyDown", "keyUp"):
            await self.send("Input.dispatchKeyEvent", type=kind, key=key, code=key, windowsVirtualKeyCode=code, **text)

    async def take_picture(self, path: Path) -> None:
        """A screenshot as a PNG file."""
        found = await self.send("Page.captureScreenshot", format="png")
        await asyncio.to_thread(path.parent.mkdir, parents=True, exist_ok=True)
        await asyncio.to_thread(path.write_bytes, base64.b64decode(found["data"]))


@asynccontextmanager
async def opened(browser: str) -> AsyncIterator[Page]:
    """A page that nobody used before."""
    async with connect(browser, max_size=None, proxy=None) as connection:
        page = Page(connection)
        listening = asyncio.create_task(page.listen())
        try:
            context = await page.open()
            yield page
            await page.close(context)
        finally:
            listening.cancel()
