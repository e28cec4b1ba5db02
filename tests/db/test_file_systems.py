"""SQLite on a network file system is refused before anything is written there."""

import asyncio
from pathlib import Path

import pytest

from app.db import file_systems
from app.db.engine import check_file, create_engine
from app.db.faults import DatabaseFault
from app.db.file_systems import NETWORKED, find_file_system
from app.db.schema import migrate
from app.db.unit_of_work import Database
from tests.factories import Template

ENGINES = ("sqlite",)

MOUNTS = """\
22 1 254:0 / / rw,relatime - ext4 /dev/vda rw
30 22 0:30 / /srv rw,relatime shared:5 - nfs4 filer:/srv rw,vers=4.2
31 30 254:1 / /srv/local rw,relatime - xfs /dev/vdb rw
32 22 0:31 / /mnt/with\\040space rw - fuse.sshfs me@there:/ rw
33 31 0:32 / /srv/local rw - tmpfs tmpfs rw
a line that is none
"""


@pytest.fixture
def mounts(tmp_path: Path) -> Path:
    path = tmp_path / "mountinfo"
    path.write_text(MOUNTS)
    return path


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/permgate.db", "ext4"),
        ("/srv/permgate.db", "nfs4"),
        ("/srvice/permgate.db", "ext4"),
        ("/srv/local/permgate.db", "tmpfs"),
        ("/srv/local/../permgate.db", "nfs4"),
        ("/mnt/with space/permgate.db", "fuse.sshfs"),
    ],
)
def test_the_deepest_mount_holds_a_path_and_the_last_of_two_at_one_place(mounts: Path, path: str, kind: str) -> None:
    assert find_file_system(Path(path), mounts) == kind


def test_a_link_leads_to_where_the_file_is(mounts: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("/srv/permgate.db")

    assert find_file_system(tmp_path / "link", mounts) == "nfs4"


def test_where_the_system_does_not_tell_nothing_is_refused(tmp_path: Path) -> None:
    assert find_file_system(tmp_path, tmp_path / "no such file") is None


@pytest.mark.parametrize("kind", sorted(NETWORKED))
def test_a_network_file_system_is_refused(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "mountinfo").write_text(f"22 1 0:1 / / rw - {kind} filer:/ rw\n")
    monkeypatch.setattr(file_systems, "MOUNTS", tmp_path / "mountinfo")
    database = Database(f"sqlite+aiosqlite:///{tmp_path / 'new.db'}")

    with pytest.raises(DatabaseFault, match=f"network file system \\(`{kind}`\\)"):
        asyncio.run(migrate(database))

    assert not (tmp_path / "new.db").exists()


def test_a_file_that_is_already_there_is_refused_as_well(
    template: Template, mounts: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mounts.write_text("22 1 0:1 / / rw - cifs //filer/share rw\n")
    monkeypatch.setattr(file_systems, "MOUNTS", mounts)

    with pytest.raises(DatabaseFault, match="cifs"):
        check_file(create_engine(f"sqlite+aiosqlite:///{template.path}"))
