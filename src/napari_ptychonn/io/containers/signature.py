"""What a file is, by its first bytes; extensions are free."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

Container = Literal["HDF5", "NPZ", "NPY", "BZ2", "safetensors", "TIFF", "MATLAB",
                    "4D-STEM", "text", "unknown"]  # fmt: skip

_MAGIC: tuple[tuple[bytes, Container], ...] = (
    (b"\x89HDF\r\n\x1a\n", "HDF5"),
    (b"PK\x03\x04", "NPZ"),
    (b"PK\x05\x06", "NPZ"),
    (b"\x93NUMPY", "NPY"),
    (b"BZh", "BZ2"),
    (b"II*\0", "TIFF"),
    (b"MM\0*", "TIFF"),
    (b"II+\0", "TIFF"),
    (b"MM\0+", "TIFF"),
    (b"MQ1,", "4D-STEM"),  # Merlin .mib
    (b"\0\0\0\x03\0\0", "4D-STEM"),  # Gatan .dm3
    (b"\0\0\0\x04\0\0", "4D-STEM"),  # Gatan .dm4
)
_MATLAB = b"MATLAB 5.0 MAT-file"
EMPAD_FRAME = 130 * 128 * 4
"""Bytes of a frame of EMPAD, which writes two rows of its own below the 128."""

_USER_BLOCKS = tuple(512 * 2**k for k in range(8))
_LONGEST_JSON_HEADER = 100_000_000


def container_of(file: Path) -> Container:
    """Recognise the container; 'text' for something a person could have typed."""
    with file.open("rb") as stream:
        head = stream.read(64)
        for magic, container in _MAGIC:
            if head.startswith(magic):
                return container
        if head[8:9] == b"{" and int.from_bytes(head[:8], "little") <= _LONGEST_JSON_HEADER:
            return "safetensors"
        # MATLAB 7.3 and others put a block of their own in front of the HDF5 signature.
        for offset in _USER_BLOCKS:
            stream.seek(offset)
            if stream.read(8) == _MAGIC[0][0]:
                return "HDF5"
    if _is_empad(file):
        return "4D-STEM"
    if head.startswith(_MATLAB):
        return "MATLAB"
    return "text" if head.isascii() and b"\0" not in head else "unknown"


def _is_empad(file: Path) -> bool:
    """EMPAD writes nothing but frames, so that only name and size can tell."""
    size = file.stat().st_size
    return file.suffix.lower() == ".raw" and size > 0 and size % EMPAD_FRAME == 0
