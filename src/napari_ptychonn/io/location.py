"""Location of data as a user types it: a file, or a group inside a file."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from napari_ptychonn.errors import InputError

SEPARATOR = "::"


@dataclass(frozen=True, kw_only=True)
class Location:
    """A file, and the group in it that is meant ('' for the file as a whole)."""

    file: Path
    group: str = ""

    @classmethod
    def parse(cls, path: str | Path) -> Location:
        """Read 'FILE' or 'FILE::/group'; a file whose own name has '::' in it is found too."""
        text = str(path)
        if SEPARATOR not in text or Path(text).exists():
            return cls(file=Path(text))
        file, _, group = text.rpartition(SEPARATOR)
        return cls(file=Path(file), group=group.strip("/"))

    def is_in_file_of(self, other: Location) -> bool:
        """Whether both are the same file, or in it."""
        return self.file.resolve() == other.file.resolve()

    def must_exist(self) -> Path:
        """Return the file; InputError when there is none to open."""
        if self.file.is_dir():
            raise InputError(f"{self.file} is a folder; expected one file.")
        if not self.file.exists():
            raise InputError(f"{self.file} does not exist.")
        if not self.file.is_file():  # to open a pipe is to wait for ever
            raise InputError(f"{self.file} is a device or a pipe; expected a file.")
        try:
            with self.file.open("rb") as stream:
                empty = not stream.read(1)
        except OSError as error:
            raise InputError(f"{self.file} cannot be opened: {error.strerror}.") from error
        if empty:
            raise InputError(f"{self.file} is empty (0 bytes).")
        return self.file

    def __str__(self) -> str:
        return f"{self.file}{SEPARATOR}/{self.group}" if self.group else str(self.file)
