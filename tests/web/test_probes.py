"""livez and readyz."""

from tests.factories import FIRST_REVISION, Gateway


async def test_alive_without_the_database(gateway: Gateway) -> None:
    await gateway.services.database.close()
    gateway.path.unlink()

    with gateway.counting() as statements:
        response = await gateway.client.get("/livez")

    assert (response.status_code, response.text) == (200, "alive\n")
    assert statements == []


async def test_ready_with_it(gateway: Gateway) -> None:
    response = await gateway.client.get("/readyz")

    assert (response.status_code, response.text) == (200, f"ready at revision {FIRST_REVISION}\n")


async def test_not_ready_without_its_tables(gateway: Gateway) -> None:
    await gateway.services.database.close()
    gateway.path.unlink()

    response = await gateway.client.get("/readyz")

    assert (response.status_code, response.text) == (503, "the database does not answer\n")


async def test_neither_needs_a_token_and_both_are_for_reading(gateway: Gateway) -> None:
    for path in ("/livez", "/readyz"):
        assert (await gateway.client.head(path)).status_code == 200
        for method in ("POST", "PUT", "DELETE"):
            assert (await gateway.client.request(method, path)).status_code == 405
