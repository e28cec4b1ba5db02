"""Adopting a catalog: the same one is no news, another is a revision, and no row is left without its node."""

import asyncio
import shutil
from pathlib import Path

import pytest

from app.domain.catalog_building import CatalogFaults
from app.domain.compiled import Program
from app.domain.errors import Refused
from app.services.context import Services
from app.services.systems import adopt_catalog, find_catalog_files
from tests.factories import SEEDS, Gateway, holder, read_database, select

MENU, EXPORT, USERS = "desk.reports.menu", "desk.reports.export", "desk.staff.accounts.users"


class Files:
    """Catalog files that can be edited, and adopted by the database of a gateway."""

    def __init__(self, gateway: Gateway, folder: Path) -> None:
        self.gateway = gateway
        self.folder = folder
        shutil.copytree(SEEDS, folder)

    def edit(self, old: str, new: str, *, file: str = "desk.yaml") -> None:
        path = self.folder / file
        text = path.read_text("utf-8")
        assert old in text
        path.write_text(text.replace(old, new), "utf-8")

    async def adopt(self) -> Program:
        services = self.gateway.services
        return await adopt_catalog(
            services.database, find_catalog_files(self.folder), at=self.gateway.clock(), new_id=services.new_id
        )

    async def restart(self) -> None:
        """Adopts, and goes on with the new catalog as a gateway does that is started anew."""
        program = await self.adopt()
        kept = self.gateway.services
        kept.program = program
        kept._directory = None

    async def refusal(self) -> list[str]:
        """What adopting is refused with; asserts that nothing was changed by it."""
        before = read_database(self.gateway.path)
        with pytest.raises(Refused) as refused:
            await self.adopt()
        assert read_database(self.gateway.path) == before
        return [str(error) for error in refused.value.errors]


@pytest.fixture
def files(world: Gateway, tmp_path: Path) -> Files:
    return Files(world, tmp_path / "seeds")


async def test_the_same_catalog_is_no_revision(world: Gateway, files: Files) -> None:
    async with world.unchanged():
        program = await files.adopt()

    assert program.catalog.digest == world.services.catalog.digest


@pytest.mark.parametrize(
    ("old", "new"), [("\n#", "\n# Other words.\n#"), ("  - group: Calls\n", "\n\n  - group: Calls\n")]
)
async def test_what_bears_no_meaning_makes_no_other_catalog(world: Gateway, files: Files, old: str, new: str) -> None:
    files.edit(old, new)

    async with world.unchanged():
        await files.adopt()


async def test_a_changed_catalog_is_a_revision_with_its_audit_entry(world: Gateway, files: Files) -> None:
    before = await world.head()
    world.clock.advance(hours=1)
    files.edit("permission: Export", "permission: Export of tables\n        key: export")

    program = await files.adopt()

    entry = await world.head()
    assert entry["revision"] == str(int(before["revision"]) + 1)
    assert (entry["action"], entry["actor"], entry["source"], entry["at"]) == (
        "loadCatalog", "permgate", "catalog", "2026-06-01T10:00:00Z"
    )  # fmt: skip
    assert entry["previousHash"] == before["hash"]
    assert entry["changes"][0]["detail"] == f"put the catalog {program.catalog.digest} in force"
    assert program.catalog.digest != world.services.catalog.digest
    kept = select(world.path, "SELECT created_revision, digest FROM catalogs ORDER BY created_revision")
    assert kept == [(1, world.services.catalog.digest), (int(entry["revision"]), program.catalog.digest)]


async def test_going_back_is_a_revision_too(world: Gateway, files: Files) -> None:
    files.edit("permission: Export", "permission: Export of tables\n        key: export")
    await files.adopt()
    files.edit("permission: Export of tables", "permission: Export")
    files.edit("        key: export\n", "")

    program = await files.adopt()

    assert program.catalog.digest == world.services.catalog.digest
    assert len(select(world.path, "SELECT 1 FROM catalogs")) == 3


async def test_two_that_start_at_once_make_one_revision(world: Gateway, files: Files) -> None:
    files.edit("permission: Export", "permission: Export of tables\n        key: export")
    before = await world.revision()

    await asyncio.gather(files.adopt(), files.adopt(), files.adopt())

    assert await world.revision() == before + 1


async def test_a_removed_node_that_nobody_uses_goes(world: Gateway, files: Files) -> None:
    files.edit("      - permission: Withhold number\n        polarity: restriction\n", "")

    await files.restart()

    data = await world.gql('{ permissionNode(key: "desk.calls.withhold_number") { key } }')
    assert data == {"permissionNode": None}


async def test_a_removed_node_that_rows_use_is_refused_with_the_rows_named(world: Gateway, files: Files) -> None:
    rows = await world.grant(holder(user="cleo"), "desk.calls.withhold_number")
    rows += await world.grant(holder(team="night"), {"permission": "desk.calls.withhold_number"})
    files.edit("      - permission: Withhold number\n        polarity: restriction\n", "")

    messages = await files.refusal()

    assert sorted(messages) == sorted(
        f"`desk.calls.withhold_number` is gone and the row {row} uses it: map it under `renamed`" for row in rows
    )


async def test_a_limit_on_a_removed_node_is_a_row_that_uses_it(world: Gateway, files: Files) -> None:
    (row,) = await world.limit(holder(user="cleo"), "desk.calls.channels")
    files.edit("      - permission: Channels\n        value: {unit: channels, minimum: 1, maximum: 10}\n", "")

    (message,) = await files.refusal()

    assert row in message


async def test_rows_that_have_ended_stand_in_nobodys_way(world: Gateway, files: Files) -> None:
    await world.grant(holder(user="cleo"), "desk.calls.withhold_number")
    await world.mutate(
        "revokePermissions", {"holder": holder(user="cleo"), "revokes": [{"permission": "desk.calls.withhold_number"}]}
    )
    files.edit("      - permission: Withhold number\n        polarity: restriction\n", "")

    await files.restart()

    await world.gql("{ auditLog(first: 100) { edges { node { changes { permission { key } detail } } } } }")


async def test_renamed_moves_rows(world: Gateway, files: Files) -> None:
    window = {"validFrom": "2026-07-01T00:00:00Z", "validUntil": "2026-08-01T00:00:00Z"}
    (row,) = await world.grant(
        holder(user="cleo"), {"permission": EXPORT, "contract": {"number": "C-1"}, **window}, reason="for the year"
    )
    files.edit("permission: Export", "permission: Export of tables")
    files.edit("\ntemplates:", "\nrenamed:\n  desk.reports.export: desk.reports.export_of_tables\n\ntemplates:")

    await files.restart()

    revision = await world.revision()
    data = await world.gql("""{
      user(ref: {userName: "cleo"}) { grants {
        id permission { key } value { text } contract { number } validFrom validUntil source reason revision
      } }
      ana: user(ref: {userName: "ana"}) { limits { permission { key } value { text } } }
    }""")
    (grant,) = data["user"]["grants"]
    assert grant.pop("id") != row
    assert grant == {
        "permission": {"key": "desk.reports.export_of_tables"}, "value": {"text": "on"},
        "contract": {"number": "C-1"}, **window, "source": "manual", "reason": "for the year",
        "revision": str(revision),
    }  # fmt: skip
    assert data["ana"]["limits"] == [{"permission": {"key": "desk.reports.export_of_tables"}, "value": {"text": "off"}}]
    assert select(world.path, "SELECT ended_revision FROM grants WHERE id = ?", row) == [(revision,)]


async def test_the_audit_entry_tells_of_every_row_that_moved(world: Gateway, files: Files) -> None:
    """What a change of rights did is in the log, whichever door it came by."""
    await world.grant(holder(user="cleo"), EXPORT)
    files.edit("permission: Export", "permission: Export of tables")
    files.edit("\ntemplates:", "\nrenamed:\n  desk.reports.export: desk.reports.export_of_tables\n\ntemplates:")

    await files.restart()

    entry = await world.head()
    assert world.ids["cleo"] in {subject["id"] for subject in entry["subjects"]}
    assert {change["holder"]["id"] for change in entry["changes"] if change["holder"]} == {
        world.ids["ana"], world.ids["cleo"]
    }  # fmt: skip


async def test_a_value_that_is_none_any_more_is_refused_with_what_would_be(world: Gateway, files: Files) -> None:
    (row,) = await world.grant(holder(user="cleo"), {"permission": USERS, "value": {"level": "Modify"}})
    files.edit("levels: [View only, Modify, Modify and delete]", "levels: [View only, Change, Modify and delete]")
    files.edit("staff.accounts.users >= Modify,", "staff.accounts.users >= Change,")
    files.edit("staff.accounts.users >= Modify]", "staff.accounts.users >= Change]")

    (message,) = await files.refusal()

    assert message == (
        f"the row {row} gives `{USERS}` the value `Modify`; "
        "now one of the levels `None`, `View only`, `Change`, `Modify and delete`"
    )


async def test_values_that_still_are_some_stay(world: Gateway, files: Files) -> None:
    (row,) = await world.grant(holder(user="cleo"), {"permission": USERS, "value": {"level": "Modify"}})
    files.edit("levels: [View only, Modify, Modify and delete]", "levels: [Look, View only, Modify, Modify and delete]")

    await files.restart()

    data = await world.gql("""{ user(ref: {userName: "cleo"}) {
      grants { id value { text ... on LevelValue { rank } } }
    } }""")
    assert data["user"]["grants"] == [{"id": row, "value": {"text": "Modify", "rank": 3}}]


async def test_all_that_stands_in_the_way_is_told_together(world: Gateway, files: Files) -> None:
    await world.grant(holder(user="cleo"), "desk.calls.withhold_number")
    await world.grant(holder(user="cleo"), {"permission": "desk.calls.channels", "value": {"amount": 10}})
    files.edit("      - permission: Withhold number\n        polarity: restriction\n", "")
    files.edit("maximum: 10", "maximum: 9")

    assert len(await files.refusal()) == 2


async def test_a_product_that_contracts_have_stays(world: Gateway, files: Files) -> None:
    files.edit("  - {product: Chatbots, key: chatbots}\n", "", file="core.yaml")
    text = (files.folder / "core.yaml").read_text("utf-8")
    (files.folder / "core.yaml").write_text(text[: text.index("  - group: Chatbots")], "utf-8")

    assert await files.refusal() == ["the product `chatbots` is gone and contracts have it"]


async def test_levels_in_a_product_that_is_gone_break_nothing(world: Gateway, files: Files) -> None:
    """They stayed without effect when the product left the contract; then the product left the catalog."""
    await world.set_level("C-1", "ana", "chatbots")
    await world.mutate("updateContract", {"contract": {"number": "C-1"}, "products": ["core", "pbx"]})
    files.edit("  - {product: Chatbots, key: chatbots}\n", "", file="core.yaml")
    text = (files.folder / "core.yaml").read_text("utf-8")
    (files.folder / "core.yaml").write_text(text[: text.index("  - group: Chatbots")], "utf-8")

    try:
        await files.restart()
    except Refused:
        return  # to be told is as good

    await world.gql("""{ user(ref: {userName: "ana"}) {
      contracts { levels { product { key } level } } effectiveRights(contract: {number: "C-1"}) { state }
    } }""")


async def test_a_stored_fact_that_is_gone_from_the_catalog_breaks_nothing(world: Gateway, files: Files) -> None:
    await world.set_facts({"trained": "true"}, user={"userName": "ana"})
    files.edit("  - name: trained\n    type: boolean\n    of: user\n", "")
    files.edit("      - operation: Sit the exam\n        requires: fact trained\n", "")

    await files.restart()

    data = await world.gql("""{ user(ref: {userName: "ana"}) {
      facts { name } effectiveRights(states: [ACTIVE]) { permission { key } } operations(allowed: true) { state }
    } }""")
    assert data["user"]["facts"] == []


async def test_files_with_faults_change_nothing(world: Gateway, files: Files) -> None:
    files.edit("requires: reports.menu", "requires: reports.nothing")

    async with world.unchanged():
        with pytest.raises(CatalogFaults, match=r"desk\.yaml:\d+"):
            await files.adopt()


def test_catalog_files_are_those_that_name_a_system(tmp_path: Path) -> None:
    for name, text in {
        "b.yaml": "system: b\n",
        "a.yaml": "# words\nsystem: a\n",
        "demo.yaml": "world: {}\n",
        "notes.txt": "system: c\n",
        "c.yml": "system: c\n",
    }.items():
        (tmp_path / name).write_text(text)

    assert [path.name for path in find_catalog_files(tmp_path)] == ["a.yaml", "b.yaml"]


async def test_an_old_catalog_can_be_made_again_from_what_is_kept(world: Gateway, files: Files) -> None:
    """History is answered with the catalog of its time."""
    files.edit("permission: Export", "permission: Export of tables\n        key: export")
    await files.adopt()
    services: Services = world.services

    async with services.database.reading(known_at=1) as unit:
        stored = await unit.catalogs.find_current()

    assert stored is not None
    assert (stored.revision, stored.digest) == (1, services.catalog.digest)
    assert len(stored.data) == 3  # the two files, and the rights of the gateway itself
