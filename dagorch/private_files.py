"""
Writing of files that only their owner may read, whole or not at all.

Prompts and answers are private, and a folder may belong to somebody else. Every file that dagorch
writes for a user is written here: a new file beside the old one, renamed over it at the end.
"""

from __future__ import annotations

import errno
import os
import secrets
import stat
from contextlib import suppress
from os import PathLike
from pathlib import Path
from typing import Final, TextIO

from dagorch.errors import DefinitionError

__all__ = ["check_writable", "private_append", "private_folder", "private_write"]

_CANNOT_RENAME: Final = (errno.EBUSY, errno.EPERM, errno.EACCES, errno.EXDEV)
"""Of a file that is a mount point, or of another user in a shared folder."""
_NO_FOLLOW: Final = getattr(os, "O_NOFOLLOW", 0)  # Windows has neither of them
_BINARY: Final = getattr(os, "O_BINARY", 0)
_MAX_LINKS: Final = 40


def private_write(
    path: str | PathLike[str], data: bytes, *, named: bool = False, mode: int = 0o600
) -> None:
    """
    Replace a file by data, or create it. After a failure the old file is as it was.

    A link at the path is replaced and never followed: another user may have put it there.

    Args:
        path: The file. Its folder must exist.
        data: The content.
        named: Whether the user named this very path. Then a link of the user's own keeps its
            place and its target is written; an existing file must be writable and keeps its
            permissions; devices and pipes are written directly. A file that cannot be replaced
            is overwritten, also one of another user.
        mode: The permissions of the file; the umask applies.

    Raises:
        DefinitionError: The file cannot be written.

    Cost: one `fsync`.
    """
    try:
        _write(_named_target(path) if named else Path(path), data, mode, named=named)
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        raise _cannot_write(path, error) from error


def private_append(path: str | PathLike[str]) -> TextIO:
    """
    Open a file that the user named, to append lines of text; create it if it is missing.

    Links, devices and pipes are treated as `private_write` does for a path that the user named.
    The lines of an existing file stay, and it keeps its permissions.

    Raises:
        DefinitionError: The file cannot be written.
    """
    try:
        target = _named_target(path)
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT
        if not _is_special(target):
            if target.exists() and not target.is_file():
                raise PermissionError(errno.EPERM, "it is neither a file nor a pipe of yours")
            flags |= _NO_FOLLOW
        return os.fdopen(os.open(target, flags, 0o600), "a", buffering=1, encoding="utf-8")
    except (OSError, ValueError) as error:
        raise _cannot_write(path, error) from error


def private_folder(path: str | PathLike[str]) -> Path:
    """
    Create a folder that only its owner may enter, and its parents; an existing one is kept.

    Raises:
        OSError: It cannot be created, or its path is a link that another user made.
    """
    folder = Path(path)
    if folder.is_symlink() and not _is_own(folder.lstat()):
        raise PermissionError(errno.EPERM, "another user made this link", os.fspath(path))
    if not folder.is_dir():
        if folder.parent != folder:
            private_folder(folder.parent)
        folder.mkdir(0o700, exist_ok=True)
    return folder


def check_writable(path: str | PathLike[str]) -> None:
    """
    Check that a path that the user named can be written, and leave everything as it is.

    Raises:
        DefinitionError: It cannot be written.
    """
    try:
        target = _named_target(path)
        if _is_special(target) or target.is_symlink():
            return
        if target.exists():
            os.close(os.open(target, os.O_WRONLY | os.O_APPEND | _NO_FOLLOW))
        else:
            temporary, descriptor = _create_beside(target, 0o600)
            os.close(descriptor)
            temporary.unlink()
    except (OSError, ValueError) as error:
        raise _cannot_write(path, error) from error


def _named_target(path: str | PathLike[str]) -> Path:
    """Follow links of this user, or of the system, to the file that the user means."""
    target = Path(path)
    for _ in range(_MAX_LINKS):
        if not target.is_symlink() or not _is_own(target.lstat()) or _is_special(target):
            return target
        target = target.parent / target.readlink()
    raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))


def _is_own(status: os.stat_result) -> bool:
    """Tell whether this user or the system owns a file."""
    return not hasattr(os, "getuid") or status.st_uid in (os.getuid(), 0)


def _is_special(target: Path) -> bool:
    """Tell whether a path leads to a device, or to a pipe or socket that is the user's own."""
    with suppress(FileNotFoundError, NotADirectoryError):
        mode, own = target.stat().st_mode, _is_own(target.lstat())
        if not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):
            return own or stat.S_ISCHR(target.lstat().st_mode)
    return False


def _write(target: Path, data: bytes, mode: int, *, named: bool) -> None:
    if named and _is_special(target):
        target.write_bytes(data)
        return
    old: os.stat_result | None = None
    with suppress(FileNotFoundError):
        old = target.lstat()
    keeps = named and old is not None and stat.S_ISREG(old.st_mode)
    if keeps and not os.access(target, os.W_OK):  # a rename would not ask
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
    may_overwrite = keeps or (old is not None and stat.S_ISREG(old.st_mode) and _is_own(old))
    try:
        temporary, descriptor = _create_beside(target, mode)
    except PermissionError:
        if not may_overwrite:
            raise
        _overwrite(target, data)
        return
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(descriptor)
        if keeps and old is not None:
            _copy_permissions(old, temporary)
        temporary.replace(target)
    except OSError as error:
        if not may_overwrite or error.errno not in _CANNOT_RENAME:
            raise
        _overwrite(target, data)
    finally:
        temporary.unlink(missing_ok=True)


def _overwrite(target: Path, data: bytes) -> None:
    flags = os.O_WRONLY | os.O_TRUNC | _NO_FOLLOW | _BINARY
    with os.fdopen(os.open(target, flags), "wb") as file:
        file.write(data)


def _create_beside(target: Path, mode: int) -> tuple[Path, int]:
    """Create an empty file in the target's folder."""
    temporary = target.with_name(f".dagorch-{secrets.token_hex(8)}.tmp")
    return temporary, os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY | _BINARY, mode)


def _copy_permissions(old: os.stat_result, file: Path) -> None:
    new = file.stat()
    if (new.st_uid, new.st_gid) != (old.st_uid, old.st_gid):
        with suppress(PermissionError):  # only root may give a file away
            os.chown(file, old.st_uid, old.st_gid)
    file.chmod(stat.S_IMODE(old.st_mode))


def _cannot_write(path: str | PathLike[str], error: OSError | ValueError) -> DefinitionError:
    reason = getattr(error, "strerror", None) or error
    return DefinitionError(f"cannot write {os.fspath(path)!r}: {reason}")
