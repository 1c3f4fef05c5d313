"""NumPy files: arrays in a ZIP, one array, or a ZIP compressed by bz2; never a pickle."""

from __future__ import annotations

import bz2
import io
import math
import struct
import tokenize
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from napari_ptychonn.compute.memory import check_fits_memory, format_bytes, memory_limit
from napari_ptychonn.data.frame_source import ArraySource
from napari_ptychonn.errors import InputError
from napari_ptychonn.io.compression_ratio import check_compression_ratio, is_decompression_bomb
from napari_ptychonn.io.containers.entries import entries_among
from napari_ptychonn.io.containers.entry import Entry
from napari_ptychonn.io.containers.signature import Container, container_of

_KINDS = "biufcSU"
_WIDEST = 16
_PIECE = 16 * 2**20
_BROKEN = (OSError, ValueError, EOFError, zipfile.BadZipFile, zlib.error, struct.error,
           NotImplementedError, RuntimeError, SyntaxError, tokenize.TokenError)  # fmt: skip


class NpyHeader:
    """Shape and type of an array, read without the array."""

    def __init__(self, stream: IO[bytes], what: str, available: int) -> None:
        try:
            version = np.lib.format.read_magic(stream)
            read = (
                np.lib.format.read_array_header_1_0
                if version == (1, 0)
                else np.lib.format.read_array_header_2_0
            )
            self.shape, _, self.dtype = read(stream)
        except _BROKEN as error:
            raise InputError(f"{what} is damaged: its NumPy header cannot be read.") from error
        if self.dtype.hasobject:
            raise InputError(f"{what} holds pickled Python objects, which are never opened.")
        if self.dtype.kind not in _KINDS or self._is_too_wide():
            raise InputError(
                f"{what} has data type {self.dtype}; expected plain numbers of up to 64 bits.",
                expected="plain numbers of up to 64 bits",
                got=self.dtype,
            )
        size = math.prod(self.shape) * self.dtype.itemsize
        if size > available:
            raise InputError(
                f"{what} declares shape {self.shape}, {format_bytes(size)}, but holds only "
                f"{format_bytes(available)}; it is truncated or damaged.",
                expected=size,
                got=available,
            )

    def _is_too_wide(self) -> bool:
        return self.dtype.kind in "fc" and (
            self.dtype.itemsize > _WIDEST or self.dtype in (np.longdouble, np.clongdouble)
        )


class NpzArray:
    """One member of an NPZ; read once, on demand."""

    def __init__(self, archive: zipfile.ZipFile, member: str, what: str) -> None:
        self.path = member.removesuffix(".npy")
        self._archive, self._member, self._what = archive, member, what
        self._values: NDArray[Any] | None = None
        with self._stream() as stream:
            about = archive.getinfo(member)
            header = NpyHeader(stream, what, about.file_size)
        self.stored = about.compress_size
        self.shape, self.dtype = header.shape, header.dtype

    def _stream(self) -> IO[bytes]:
        try:
            return self._archive.open(self._member)
        except _BROKEN as error:
            raise InputError(f"{self._what} cannot be read, the file is damaged.") from error

    def read(self) -> NDArray[Any]:
        """Read all of it."""
        if self._values is None:
            check_fits_memory(self._what, self.shape, self.dtype)
            check_compression_ratio(self._what, self.shape, self.dtype, self.stored)
            try:
                with self._stream() as stream:
                    self._values = np.lib.format.read_array(stream, allow_pickle=False)
            except _BROKEN as error:
                raise InputError(f"{self._what} cannot be read, the file is damaged.") from error
        return self._values

    def source(self) -> ArraySource:
        """All of it in memory: a compressed member cannot be read in pieces."""
        return ArraySource(self.read())


class NpyArray:
    """An NPY file as a memory map."""

    path = "array"

    def __init__(self, file: Path) -> None:
        self._file = file
        with file.open("rb") as stream:
            header = NpyHeader(stream, str(file), file.stat().st_size)
        self.shape, self.dtype = header.shape, header.dtype

    def read(self) -> NDArray[Any]:
        """Read all of it."""
        check_fits_memory(str(self._file), self.shape, self.dtype)
        return np.array(self._mapped())

    def source(self) -> ArraySource:
        """Map it into memory; the system reads the pages that are used."""
        return ArraySource(self._mapped(), mapped=True)

    def _mapped(self) -> NDArray[Any]:
        try:
            return np.asarray(np.load(self._file, mmap_mode="r", allow_pickle=False))
        except _BROKEN as error:
            raise InputError(f"{self._file} cannot be read, the file is damaged.") from error


class NumpyTree:
    """The arrays of a .npz, .npy or .npz.bz2 file, by name; it has no groups or attributes."""

    still_written = False

    def __init__(self, file: Path) -> None:
        self.file = file
        self._archive: zipfile.ZipFile | None = None
        self.container: Container = container_of(file)
        self._arrays: dict[str, NpzArray | NpyArray] = {}
        if self.container == "NPY":
            self._arrays = {"array": NpyArray(file)}
        else:
            stream = file if self.container == "NPZ" else _decompress_bz2(file)
            self._arrays = self._members(stream)
            self.container = "NPZ"

    def _members(self, stream: Path | IO[bytes]) -> dict[str, NpzArray | NpyArray]:
        try:
            self._archive = zipfile.ZipFile(stream)
        except _BROKEN as error:
            raise InputError(f"{self.file} is not a complete NPZ file.") from error
        names = [n for n in self._archive.namelist() if n.endswith(".npy")]
        if not names:
            raise InputError(f"{self.file} is a ZIP file without NumPy arrays in it.")
        arrays = (NpzArray(self._archive, n, f"{self.file}: {n}") for n in names)
        return {a.path: a for a in arrays}

    def array(self, path: str) -> NpzArray | NpyArray | None:
        """Return the array called `path`."""
        return self._arrays.get(path.strip("/"))

    def exists(self, path: str) -> bool:
        """True if there is an array called `path`."""
        return path.strip("/") in self._arrays

    def attribute(self, path: str, name: str) -> Any | None:
        """NumPy files have no attributes."""
        return None

    def arrays(self) -> Iterator[NpzArray | NpyArray]:
        """Go through every array."""
        yield from self._arrays.values()

    def groups(self) -> Iterator[str]:
        """NumPy files have no groups."""
        yield from ()

    def branches(self, path: str) -> list[Entry]:
        """List every array; names with a '/' in them are groups to look at."""
        return entries_among(self._arrays.values(), path)

    def problems(self) -> tuple[str, ...]:
        """NumPy files have no links."""
        return ()

    def close(self) -> None:
        """Close the archive."""
        if self._archive is not None:
            self._archive.close()

    def __enter__(self) -> NumpyTree:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def _decompress_bz2(file: Path) -> IO[bytes]:
    """Decompress piece by piece, so that a decompression bomb is refused in time."""
    out, packed = io.BytesIO(), file.stat().st_size
    try:
        with bz2.open(file) as stream:
            while piece := stream.read(_PIECE):
                out.write(piece)
                if out.tell() > memory_limit() or is_decompression_bomb(out.tell(), packed):
                    raise InputError(
                        f"{file} unpacks {format_bytes(packed)} to "
                        f"{format_bytes(out.tell())} or more; "
                        "it was not read.",
                        file=file,
                        got=out.tell(),
                    )
    except (OSError, EOFError, ValueError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"{file} is a damaged or truncated bz2 file.") from error
    out.seek(0)
    return out
