"""Whether something can be written, found out before hours of work rather than after them."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryFile

from streams.errors import UserError


def file(path: Path) -> None:
    """Create the file where there is none, change nothing where there is.

    Raises
    ------
    UserError
        It cannot be written.
    """
    try:
        path.open("ab").close()
    except OSError as error:
        raise UserError(f"{path}: cannot be written ({error.strerror or error})") from None


def folder(path: Path, *, setting: str = "") -> None:
    """Create the folder where there is none, and write to it once; nothing is left in it.

    Parameters
    ----------
    setting
        The setting that names it, for the message.

    Raises
    ------
    UserError
        It cannot be written.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
        TemporaryFile(dir=path).close()
    except OSError as error:
        where = f"{setting} {path.absolute()}" if setting else path
        raise UserError(f"{where}: cannot be written ({error.strerror or error})") from None
