"""Blobs as files of a local or shared filesystem.

{directory}/{two hex digits}/{blob id}    the bytes and a footer (see `footer`); named only when whole and durable
{directory}/holds/                        who is reading (see `holds`)
"""

import os
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

from atoll.aws.checksums import crc64nvme
from atoll.base import ids
from atoll.base.clock import Clock, SystemClock
from atoll.blobs import footer
from atoll.blobs.holds import Holds
from atoll.blobs.writer import PARTIAL_SUFFIX, FileBlobWriter

ID_CHARACTERS = 32
# Left free for the store, should it lie on the same disk: what is full must still take the rows that delete.
RESERVE_BYTES = 64 * 1024 * 1024
_READ_BYTES = 1024 * 1024
_SHELVES = tuple(f"{number:02x}" for number in range(256))


@dataclass(frozen=True, slots=True)
class Found:
    """A file of the directory; perhaps one that is not whole yet, where the filesystem knows no files without a name."""

    blob_id: str
    path: str
    changed: float  # when it got its name, in Unix seconds


class FileBlobs:
    def __init__(
        self,
        directory: str | os.PathLike[str],
        clock: Clock | None = None,
        *,
        reserve_bytes: int = RESERVE_BYTES,
    ) -> None:
        self._root = Path(directory)
        self._reserve_bytes = reserve_bytes
        for path in (self._root, self._root / "holds", *(self._root / shelf for shelf in _SHELVES)):
            path.mkdir(mode=0o700, parents=True, exist_ok=True)
        for path in (self._root, self._root.parent):
            _sync_directory(path)
        self._holds = Holds(self._root / "holds", clock or SystemClock())

    def _path(self, blob_id: str) -> str:
        assert len(blob_id) == ID_CHARACTERS, blob_id
        return f"{self._root}/{blob_id[:2]}/{blob_id}"

    def new(self) -> FileBlobWriter:
        blob_id = ids.new_hex(ID_CHARACTERS)
        return FileBlobWriter(f"{self._root}/{blob_id[:2]}", blob_id, self._reserve_bytes)

    def open(self, blob_id: str) -> int:
        return os.open(self._path(blob_id), os.O_RDONLY | os.O_CLOEXEC)

    def hold(self) -> AbstractContextManager[None]:
        return self._holds.hold()

    def oldest_hold(self) -> float | None:
        return self._holds.oldest()

    def delete(self, blob_id: str) -> None:
        """Harmless when it is gone already. Not flushed: a name that a power cut brings back is swept again."""
        Path(self._path(blob_id)).unlink(missing_ok=True)

    def unlink(self, paths: Iterable[str]) -> None:
        """Files as `found` told of them."""
        for path in paths:
            Path(path).unlink(missing_ok=True)

    def found(self, shelf: int) -> Iterator[Found]:
        """What lies on one of the 256 shelves."""
        with os.scandir(self._root / _SHELVES[shelf]) as entries:
            for entry in entries:
                try:
                    # Linking changes ctime, not mtime: a blob whose bytes took hours to come is new when it gets its name.
                    changed = entry.stat().st_ctime
                except FileNotFoundError:
                    continue
                yield Found(entry.name.removesuffix(PARTIAL_SUFFIX), entry.path, changed)

    def size(self, blob_id: str) -> int:
        """Of its file, footer and all. Raises FileNotFoundError."""
        return os.stat(self._path(blob_id)).st_size

    def verify(self, blob_id: str) -> str | None:
        """Why the blob can't be trusted, or None when it is as it was written. Blocks while it reads all of it."""
        try:
            descriptor = self.open(blob_id)
        except FileNotFoundError:
            return "missing"
        try:
            return _fault(descriptor)
        except OSError as error:
            return f"unreadable: {error.strerror}"
        finally:
            # Neither from memory (the disk is what is in doubt) nor left there afterwards.
            os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
            os.close(descriptor)


def _fault(descriptor: int) -> str | None:
    os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
    length = os.fstat(descriptor).st_size - footer.FOOTER_BYTES
    known = footer.unpack(os.pread(descriptor, footer.FOOTER_BYTES, length)) if length >= 0 else None
    if known is None:
        return "no footer"
    if known[0] != length:
        return f"{length} bytes instead of {known[0]}"
    crc64 = 0
    for offset in range(0, length, _READ_BYTES):
        crc64 = crc64nvme(os.pread(descriptor, min(_READ_BYTES, length - offset), offset), crc64)
    return None if crc64 == known[1] else "checksum differs"


def _sync_directory(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
