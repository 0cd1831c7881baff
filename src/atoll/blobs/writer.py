"""One blob on its way into a file: bytes, then footer, then durable, then named. A crash before the name leaves nothing.

O_TMPFILE -> write... -> footer -> fdatasync -> linkat -> fsync(directory)
"""

import errno
import os

from atoll.aws.checksums import crc64nvme
from atoll.blobs import footer
from atoll.store import Full

# Written back as it comes, 2 GiB take 0.8 s; left to finish, 1.2 s on the same disk, and 2 GiB of memory.
WRITE_BACK_BYTES = 8 * 1024 * 1024
# What is read soon after stays in memory; of a big blob only this much does, or it would push out everything else.
CACHED_BYTES_MAX = 64 * 1024 * 1024
PARTIAL_SUFFIX = ".partial"

_NO_ROOM = (errno.ENOSPC, errno.EDQUOT)
_NO_TMPFILE = (errno.EOPNOTSUPP, errno.EISDIR, errno.ENOENT, errno.EINVAL)


class FileBlobWriter:
    __slots__ = (
        "_blob_id",
        "_crc64",
        "_descriptor",
        "_directory",
        "_dropped",
        "_length",
        "_partial",
        "_reserve_bytes",
        "_written_back",
    )

    def __init__(self, directory: str, blob_id: str, reserve_bytes: int) -> None:
        self._reserve_bytes = reserve_bytes
        self._directory = directory
        self._blob_id = blob_id
        self._partial = ""  # The name of a file that is not whole yet, where the filesystem can't do without.
        self._length = 0
        self._crc64 = 0
        self._written_back = 0
        self._dropped = 0
        self._descriptor = -1
        try:
            self._descriptor = self._new_file()
            self._check_room()
        except OSError as error:
            self.abort()
            raise _told(error) from error

    @property
    def crc64(self) -> int:
        return self._crc64

    def _new_file(self) -> int:
        try:
            return os.open(self._directory, os.O_TMPFILE | os.O_WRONLY | os.O_CLOEXEC, 0o600)
        except OSError as error:
            if error.errno not in _NO_TMPFILE:
                raise
        self._partial = os.path.join(self._directory, self._blob_id + PARTIAL_SUFFIX)
        return os.open(self._partial, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600)

    def write(self, data: bytes | memoryview) -> None:
        assert self._descriptor >= 0, "this blob is finished or aborted"
        try:
            self._write_whole(data)
            self._crc64 = crc64nvme(data, self._crc64)
            self._length += memoryview(data).nbytes
            if self._length - self._written_back >= WRITE_BACK_BYTES:
                self._check_room()
                self._start_write_back()
        except OSError as error:
            self.abort()
            raise _told(error) from error

    def _check_room(self) -> None:
        room = os.fstatvfs(self._descriptor)
        if room.f_bavail * room.f_frsize < self._reserve_bytes:
            raise OSError(errno.ENOSPC, f"less than {self._reserve_bytes} bytes are left on the disk")

    def _write_whole(self, data: bytes | memoryview) -> None:
        left = memoryview(data).cast("B")
        while left:  # A disk that fills up in mid-write takes a part, and refuses the next.
            left = left[os.write(self._descriptor, left) :]

    def _start_write_back(self) -> None:
        # This advice makes Linux start writing what is dirty, and drop what is clean: so what was started before can go now.
        # Waiting for either as well (sync_file_range, fdatasync) was no faster.
        span = self._length - self._written_back
        os.posix_fadvise(self._descriptor, self._written_back, span, os.POSIX_FADV_DONTNEED)
        self._written_back = self._length
        droppable = self._length - CACHED_BYTES_MAX
        if droppable > self._dropped:
            os.posix_fadvise(self._descriptor, self._dropped, droppable - self._dropped, os.POSIX_FADV_DONTNEED)
            self._dropped = droppable

    def finish(self) -> str:
        assert self._descriptor >= 0, "this blob is finished or aborted"
        try:
            self._write_whole(footer.pack(self._length, self._crc64))
            os.fdatasync(self._descriptor)
            self._name()
        except OSError as error:
            self.abort()
            raise _told(error) from error
        os.close(self._descriptor)
        self._descriptor = -1
        return self._blob_id

    def _name(self) -> None:
        directory = os.open(self._directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            if self._partial:
                os.rename(self._partial, os.path.join(self._directory, self._blob_id))
                self._partial = ""
            else:
                # With a directory given, Python calls linkat and follows the symlink; without, it would link the symlink.
                source = f"/proc/self/fd/{self._descriptor}"
                os.link(source, self._blob_id, dst_dir_fd=directory, follow_symlinks=True)
            # The name, too, must survive a power cut before the store may mention it.
            os.fsync(directory)
        finally:
            os.close(directory)

    def abort(self) -> None:
        if self._descriptor < 0:
            return
        os.close(self._descriptor)
        self._descriptor = -1
        if self._partial:
            os.unlink(self._partial)


def _told(error: OSError) -> Exception:
    return Full(str(error)) if error.errno in _NO_ROOM else error
