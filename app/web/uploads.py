"""A body that is too long for memory: received into a file that has no name, and is gone with whoever holds it."""

import asyncio
import zlib
from collections.abc import Iterator
from tempfile import TemporaryFile
from types import TracebackType

from app.web.protocol import ProtocolFault

PART = 1 << 20  # bytes that are held before they are written, and read at a time
MAX_MEMBERS = 100_000  # of a gzip file: each takes time of its own, and one without content takes 20 bytes
_GZIP = 31  # window bits of zlib that take the gzip form alone


class Upload:
    """The bytes of a request, unpacked where they come packed: at most `limit` of them, before and after.

    It can be read again and again, by one reader at a time. The file lies where `TMPDIR` says.
    """

    def __init__(self, limit: int, *, packed: bool) -> None:
        self.limit = limit
        self.size = 0
        self.lines = 0
        self.read = 0  # by the present reader
        self.received = 0  # packed, where it comes so
        self._held = bytearray()
        self._file = TemporaryFile(prefix="permgate-feed-", buffering=0)  # noqa: SIM115  # closed as this is left
        self._unpacker = zlib.decompressobj(_GZIP) if packed else None
        self._members = 1

    def __enter__(self) -> "Upload":
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self._file.close()

    def __iter__(self) -> Iterator[bytes]:
        self._file.seek(0)
        self.read = 0
        while part := self._file.read(PART):
            self.read += len(part)
            yield part

    # ------------------------------------------------------------------ receiving

    async def take(self, chunk: bytes) -> None:
        """Takes what has come next. Raises `ProtocolFault` where it is too much, or no gzip, or finds no room."""
        self.received += len(chunk)
        if self.received > self.limit:
            self._refuse_size()
        self._held += chunk
        if len(self._held) >= PART:
            await asyncio.to_thread(self._write_held)

    async def finish(self) -> None:
        """All has come."""
        await asyncio.to_thread(self._write_held)
        if self._unpacker is not None and not self._unpacker.eof:
            raise ProtocolFault(400, "the packed feed ends before its end")

    def _write_held(self) -> None:
        held, self._held = bytes(self._held), bytearray()
        if self._unpacker is None:
            self._write(held)
        else:
            self._unpack(held)

    def _unpack(self, packed: bytes) -> None:
        assert self._unpacker is not None
        is_full = False  # there may be more to come out, though all has gone in
        while packed or is_full:
            if self._unpacker.eof:  # a file of several members, one after another
                self._unpacker = zlib.decompressobj(_GZIP)
                self._members += 1
                if self._members > MAX_MEMBERS:
                    raise ProtocolFault(400, f"the feed is packed in more than {MAX_MEMBERS} pieces")
            try:
                part = self._unpacker.decompress(packed, PART)
            except zlib.error:
                raise ProtocolFault(400, "the feed is not packed by gzip, as `Content-Encoding` says") from None
            self._write(part)
            is_full = len(part) == PART and not self._unpacker.eof
            packed = self._unpacker.unused_data if self._unpacker.eof else self._unpacker.unconsumed_tail

    def _write(self, part: bytes) -> None:
        self.size += len(part)
        if self.size > self.limit:
            self._refuse_size()
        self.lines += part.count(b"\n")
        view = memoryview(part)
        try:
            while view:
                view = view[self._file.write(view) :]
        except OSError:
            raise ProtocolFault(507, "there is no room to keep the feed") from None

    def _refuse_size(self) -> None:
        raise ProtocolFault(413, f"a feed has at most {self.limit} bytes", {"connection": "close"})
