"""Server-sent events as urql, Apollo Client and graphql-sse read them, whose packages are fetched into a cache."""

import asyncio
import json
import os
import shutil
import subprocess
from asyncio.subprocess import PIPE
from pathlib import Path

import pytest

from tests.factories import Gateway
from tests.sockets import listening

HOME = Path(os.environ.get("CLIENTS_HOME", Path.home() / ".cache" / "permgate-clients"))
PACKAGES = ("graphql@16", "graphql-sse@2", "@urql/core@6", "@apollo/client@4", "rxjs@7")
INSTALL_S, RUN_S = 180, 60

pytestmark = [
    pytest.mark.deep,
    pytest.mark.skipif(shutil.which("npm") is None, reason="there is no npm, and so there are no clients to try"),
]


@pytest.fixture(scope="module")
def packages() -> Path:
    """The folder with the packages of the clients, fetched where they are not there yet."""
    if not all((HOME / "node_modules" / name.rpartition("@")[0]).is_dir() for name in PACKAGES):
        command = ["npm", "install", "--prefix", str(HOME), "--no-audit", "--no-fund", *PACKAGES]
        found = subprocess.run(command, capture_output=True, text=True, timeout=INSTALL_S, check=False)
        if found.returncode != 0:
            pytest.skip(f"the packages of the clients cannot be fetched: {found.stderr[-300:]}")
    return HOME


@pytest.mark.parametrize("client", ["graphql-sse", "urql", "apollo"])
async def test_it_listens_leaves_and_asks(world: Gateway, address: str, packages: Path, client: str) -> None:
    before = await world.revision()
    await world.create_user("zoe")
    script = Path(__file__).with_name("listen.mjs")
    process = await asyncio.create_subprocess_exec(
        "node", str(script), client, f"http://{address}/graphql", world.token, str(before),
        env={**os.environ, "CLIENTS_HOME": str(packages)}, stdout=PIPE, stderr=PIPE,
    )  # fmt: skip
    assert process.stdout is not None and process.stderr is not None
    try:
        async with asyncio.timeout(RUN_S):
            first = json.loads(await process.stdout.readline() or json.dumps((await process.stderr.read()).decode()))
            assert first == {"change": {"revision": str(before + 1), "action": "createUser"}}, first
            await listening(world.services, 1)
            await world.create_user("zita")
            rest = [json.loads(line) for line in (await process.stdout.read()).splitlines()]
            assert await process.wait() == 0, (await process.stderr.read()).decode()
    finally:
        if process.returncode is None:
            process.kill()

    message = f"after: `999999` is still to come; expected a revision that was handed out: at most `{before + 2}`"
    assert rest == [
        {"change": {"revision": str(before + 2), "action": "createUser"}},
        {"answer": "olga"},
        {"errors": [{"message": message, "code": "BAD_USER_INPUT"}]},
        {"complete": True},
    ]
    await listening(world.services, 0)  # the stream that was left is gone here too
