"""What a blob engine promises: bytes that are durable before they are named, and never change after."""

from contextlib import AbstractContextManager
from typing import Protocol


class BlobWriter(Protocol):
    """One blob on its way in. Calls block, and are made from one thread at a time (a pool thread for big bodies)."""

    @property
    def crc64(self) -> int:
        """CRC64NVME of what has been written so far."""
        ...

    def write(self, data: bytes | memoryview) -> None:
        """Raises store.Full when the disk has no room."""
        ...

    def finish(self) -> str:
        """Makes the bytes durable (file and directory) and answers the blob's id."""
        ...

    def abort(self) -> None:
        """Leaves nothing. Harmless after finish, which stands."""
        ...


class Blobs(Protocol):
    def new(self) -> BlobWriter: ...

    def open(self, blob_id: str) -> int:
        """A read-only file descriptor, whose byte 0 is the blob's byte 0; the caller closes it.

        The file may go on after the blob's last byte (a footer): readers go by the length in their record.
        Raises FileNotFoundError.
        """
        ...

    def hold(self) -> AbstractContextManager[None]:
        """While held, no blob that was dropped after its start is deleted, in any process: for readers that open blobs one by one."""
        ...
