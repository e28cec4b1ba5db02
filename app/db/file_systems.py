"""On which kind of file system a path lies: SQLite is right where locks and shared memory are those of one machine.

Over a network, locks are advisory promises of a server, and the index of the write-ahead log is memory that two hosts
cannot share: the file breaks without an error (sqlite.org/wal.html, "all processes must be on the same host computer").
"""

import re
from pathlib import Path

MOUNTS = Path("/proc/self/mountinfo")  # of Linux; elsewhere nobody knows, and nothing is refused
NETWORKED = frozenset({
    "nfs", "nfs4", "cifs", "smb2", "smb3", "smbfs", "ncpfs", "9p", "afs", "coda", "ceph", "glusterfs", "lustre",
    "gfs2", "ocfs2", "beegfs", "gpfs", "fuse.sshfs", "fuse.glusterfs", "fuse.ceph", "fuse.s3fs", "fuse.rclone",
    "fuse.gcsfuse", "fuse.davfs", "fuse.curlftpfs", "fuse.smbnetfs", "fuse.juicefs", "fuse.mfs",
})  # fmt: skip


def find_file_system(path: Path, mounts: Path | None = None) -> str | None:
    """The type of the file system that holds a path, or would; None where the system does not tell."""
    try:
        lines = (mounts or MOUNTS).read_text("utf-8", "surrogateescape").splitlines()
    except OSError:
        return None
    wanted, found = path.resolve(), None
    deepest = -1
    for line in lines:  # `36 35 98:0 /root /mount/point options - type source options`, proc(5); later ones lie on top
        before, _, after = line.partition(" - ")
        fields = before.split(" ")
        if len(fields) < 5 or not after:
            continue
        point = Path(re.sub(r"\\([0-7]{3})", lambda match: chr(int(match[1], 8)), fields[4]))
        if wanted.is_relative_to(point) and len(point.parts) >= deepest:
            deepest, found = len(point.parts), after.split(" ")[0]
    return found


def is_networked(path: Path) -> bool:
    """Whether several hosts may have the file system of a path at once."""
    return find_file_system(path) in NETWORKED
