"""
Writing of files, whole or not at all: a new file beside the old one, renamed over it at the end.

Every file that dagorch writes for a user is written here; logs that grow are not.
"""

from __future__ import annotations

import errno
import os
import secrets
import stat
from contextlib import suppress
from os import PathLike
from pathlib import Path
from typing import Final

from dagorch.errors import DefinitionError

__all__ = ["check_writable", "write_file"]

_CANNOT_RENAME: Final = (errno.EBUSY, errno.EPERM, errno.EACCES, errno.EXDEV)
"""Of a file that is a mount point, or of another user in a shared folder."""


def write_file(path: str | PathLike[str], data: bytes) -> None:
    """
    Replace a file by data, or create it. After a failure the old file is as it was.

    An existing file keeps its permissions and must be writable. A link keeps its place: the file
    that it points to is written, whether or not that exists. Devices and pipes are written
    directly, and so is a file in a folder that permits no new ones.

    Args:
        path: The file. Its folder must exist.
        data: The content.

    Raises:
        DefinitionError: The file cannot be written.

    Cost: one `fsync`.
    """
    target = Path(os.path.realpath(path))
    try:
        _write(target, data)
    except OSError as error:
        raise _cannot_write(path, error) from error


def check_writable(path: str | PathLike[str]) -> None:
    """
    Check that `write_file` can write a file, and leave everything as it is.

    Raises:
        DefinitionError: It cannot be written.
    """
    target = Path(os.path.realpath(path))
    try:
        if target.is_file() or target.is_dir():
            with target.open("ab"):
                pass
        elif not target.exists():
            temporary, descriptor = _create_beside(target)
            os.close(descriptor)
            temporary.unlink()
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        raise _cannot_write(path, error) from error


def _write(target: Path, data: bytes) -> None:
    old = target.stat() if target.exists() else None
    if old is not None and not stat.S_ISREG(old.st_mode):
        target.write_bytes(data)
        return
    if old is not None and not os.access(target, os.W_OK):  # a rename would not ask
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
    try:
        temporary, descriptor = _create_beside(target)
    except PermissionError:
        if old is None:
            raise
        target.write_bytes(data)
        return
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(descriptor)
        if old is not None:
            _copy_permissions(old, temporary)
        temporary.replace(target)
    except OSError as error:
        if old is None or error.errno not in _CANNOT_RENAME:
            raise
        target.write_bytes(data)
    finally:
        temporary.unlink(missing_ok=True)


def _create_beside(target: Path) -> tuple[Path, int]:
    """Create an empty file in the target's folder, with the permissions of any new file."""
    temporary = target.with_name(f".dagorch-{secrets.token_hex(8)}.tmp")
    flags = os.O_CREAT | os.O_EXCL | os.O_WRONLY | getattr(os, "O_BINARY", 0)
    return temporary, os.open(temporary, flags, 0o666)


def _copy_permissions(old: os.stat_result, file: Path) -> None:
    new = file.stat()
    if (new.st_uid, new.st_gid) != (old.st_uid, old.st_gid):
        with suppress(PermissionError):  # only root may give a file away
            os.chown(file, old.st_uid, old.st_gid)
    file.chmod(stat.S_IMODE(old.st_mode))


def _cannot_write(path: str | PathLike[str], error: OSError | ValueError) -> DefinitionError:
    reason = getattr(error, "strerror", None) or error
    return DefinitionError(f"cannot write {os.fspath(path)!r}: {reason}")
