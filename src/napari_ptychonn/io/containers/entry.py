"""One line of a file's contents as a person looks at them: what it is, how it is stored."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np

Kind = Literal["group", "array", "attribute", "broken", "rest"]

_LONGEST_TEXT = 200
FEW = 3
"""Numbers that one line shows."""


@dataclass(frozen=True, kw_only=True)
class Entry:
    """A group, an array, an attribute, or a link that leads nowhere.

    Attributes
    ----------
    path : str
        From the root; that of an attribute is 'owner@name'.
    kind : {'group', 'array', 'attribute', 'broken', 'rest'}
        'broken' cannot be read, `problem` says why; 'rest' stands for those
        that are too many to be listed.
    shape : tuple of int
        Of an array.
    type : str
        Of its elements, as NumPy calls it.
    chunks : tuple of int
        How an array is cut; empty where it is in one piece.
    compression : str
        Filters, the last of which was applied last.
    link : str
        Where a link leads, or how many files a virtual array is made of.
    value : str
        Of an attribute, or of an array with one element.
    problem : str
        A sentence.
    leaf : bool
        Nothing is below it.
    """

    path: str
    kind: Kind
    shape: tuple[int, ...] = ()
    type: str = ""
    chunks: tuple[int, ...] = ()
    compression: str = ""
    link: str = ""
    value: str = ""
    problem: str = ""
    leaf: bool = True

    @property
    def name(self) -> str:
        """Last part of the path; attributes begin with '@'."""
        owner, at, attribute = self.path.partition("@")
        return at + attribute if at else owner.rpartition("/")[2]

    @property
    def is_real(self) -> bool:
        """True if its elements are integers or real numbers."""
        return self.type.startswith(("int", "uint", "float"))

    @property
    def is_complex(self) -> bool:
        """True if its elements are complex numbers."""
        return self.type.startswith("complex")

    @property
    def is_number(self) -> bool:
        """True if it is one number, or a few: an energy, the two sizes of a pixel."""
        is_told = self.kind in ("array", "attribute") and self.is_real
        return is_told and math.prod(self.shape) <= FEW

    def as_json(self) -> dict[str, Any]:
        """Plain values for the way between processes; see `from_json`."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> Entry:
        """Undo `as_json`."""
        sizes = {name: tuple(values[name]) for name in ("shape", "chunks")}
        return cls(**(values | sizes))


def attribute_entry(owner: str, name: str, value: Any) -> Entry | None:
    """Describe an attribute; None for what is neither numbers nor text."""
    path = f"{owner}@{name}"
    if isinstance(value, str | bytes):
        return Entry(path=path, kind="attribute", value=as_text(value))
    values = np.asarray(value)
    if values.dtype.kind not in "biufSU":
        return None
    return Entry(
        path=path,
        kind="attribute",
        shape=values.shape,
        type=str(values.dtype),
        value=as_text(values) if values.size <= FEW else "",
    )


def as_text(value: Any) -> str:
    """Write a value or a few in one line."""
    if isinstance(value, np.ndarray):
        return ", ".join(as_text(v) for v in value.ravel().tolist())
    if isinstance(value, bytes):
        value = value.decode(errors="replace")
    text = f"{value:.6g}" if isinstance(value, float) else str(value)
    text = " ".join(text.split())
    return text if len(text) <= _LONGEST_TEXT else f"{text[:_LONGEST_TEXT]}…"
