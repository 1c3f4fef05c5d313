"""Units in every spelling that files use, in SI (energies in electronvolt)."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from napari_ptychonn.data.scan import ELECTRONVOLT

Kind = Literal["length", "energy", "pixel", "unknown"]

PIXEL = "pixel"

_PREFIXES = {
    "": 1.0, "c": 1e-2, "centi": 1e-2, "m": 1e-3, "milli": 1e-3, "u": 1e-6, "mu": 1e-6,
    "micro": 1e-6, "mikro": 1e-6, "n": 1e-9, "nano": 1e-9, "p": 1e-12, "pico": 1e-12,
    "f": 1e-15, "femto": 1e-15, "k": 1e3, "kilo": 1e3,
}  # fmt: skip
_BASES: dict[str, tuple[Kind, float]] = {
    "m": ("length", 1.0), "meter": ("length", 1.0), "metre": ("length", 1.0),
    "micron": ("length", 1e-6), "mikron": ("length", 1e-6), "u": ("length", 1e-6),
    "a": ("length", 1e-10), "aa": ("length", 1e-10), "ang": ("length", 1e-10),
    "angstrom": ("length", 1e-10), "angstroem": ("length", 1e-10),
    "ev": ("energy", 1.0), "gev": ("energy", 1e9), "electronvolt": ("energy", 1.0),
    "j": ("energy", 1 / ELECTRONVOLT), "joule": ("energy", 1 / ELECTRONVOLT),
    "px": ("pixel", 1.0), "pix": ("pixel", 1.0), "pixel": ("pixel", 1.0),
    "objectpixel": ("pixel", 1.0), "objectpx": ("pixel", 1.0),
}  # fmt: skip
_PREFIXED = ("m", "meter", "metre", "ev", "electronvolt", "j", "joule")
_TIMES = r"\s*[*·×x]?\s*"
_POWER = re.compile(
    # 10e-6 is not among them: some mean 1e-6 by it.
    rf"(?:10\s*(?:\^|\*\*)?\s*(?P<exponent>[+-]\d+)|(?P<number>(?!10e)\d+\.?\d*(?:e[+-]?\d+)?))"
    rf"{_TIMES}(?P<unit>[^\d\s].*)"
)
_QUANTITY = re.compile(r"\s*([+-]?(?:\d+[.,]?\d*|[.,]\d+)(?:e[+-]?\d+)?)\s*(.*)", re.I | re.S)
_BRACKETED = re.compile(r"(.*?)[\[({<]([^\[\](){}<>]*)[\])}>](.*)", re.S)
_NOTHING = {"", "-", "none", "null", "n/a", "na", "unknown", "nxlength", "nxany", "nxenergy",
            "1", "unitless", "dimensionless"}  # fmt: skip
_REMARKS = re.compile(
    r"[xyz\d]*(?:stage|sample|motor|encoder|readback|rbv|set|setpoint|demand|pos|position|lab|"
    r"abs(?:olute)?|rel(?:ative)?|horizontal|vertical|piezo|coarse|fine)?"
)
_MOST_TEXT = 64


@dataclass(frozen=True, kw_only=True)
class Unit:
    """A unit as a file names it.

    Attributes
    ----------
    text : str
        As written.
    kind : {'length', 'energy', 'pixel', 'unknown'}
        What it measures.
    factor : float
        What turns a number into m, eV or pixels; 1 for an unknown unit.
    """

    text: str
    kind: Kind
    factor: float = 1.0


def parse_unit(value: Any) -> Unit | None:
    """Understand a unit; None where there is none.

    Parameters
    ----------
    value : object
        Text, bytes in any encoding, or an array of one of them, or of several that are alike.
    """
    units = parse_units(value)
    if len({(unit.kind, unit.factor) for unit in units if unit is not None}) > 1:
        text = ", ".join(unit.text for unit in units if unit is not None)
        return Unit(text=text, kind="unknown")
    return next((unit for unit in units if unit is not None), None)


def parse_units(value: Any) -> tuple[Unit | None, ...]:
    """Understand the units of several columns: an array of them, or a text with commas."""
    texts = [as_text(item) for item in _items(value)]
    if len(texts) == 1:
        alone = _parse(texts[0])
        parts = re.split(r"\s*[,;]\s*", texts[0].strip().strip("[]()"))
        if len(parts) == 1 or (alone is not None and alone.kind != "unknown"):
            return (alone,)
        texts = parts
    return tuple(_parse(text) for text in texts)


def parse_quantity(value: Any) -> tuple[float, Unit | None] | None:
    """Split '8.8 keV' into its number and its unit; None for what begins with no number."""
    found = _QUANTITY.fullmatch(as_text(value))
    return None if found is None else (float(found[1].replace(",", ".")), _parse(found[2]))


def unit_in_name(name: str) -> Unit | None:
    """Return the unit in the name of a column or dataset: 'x_um', 'x [mm]', 'X (µm) readback'."""
    bracketed = _BRACKETED.fullmatch(name)
    if bracketed is not None:
        inside = _parse(bracketed[2])
        if inside is not None and not (
            inside.kind == "unknown" and _REMARKS.fullmatch(_plain(bracketed[2]))
        ):
            return inside
        name = f"{bracketed[1]} {bracketed[3]}"
    words = [word for word in re.split(r"[^\w.]+|_", name) if word]
    for word in reversed(words[1:]):
        # One letter is a unit at the end only, and 'a' and 'j' are indices as often.
        if len(word) == 1 and (word.lower() != "m" or word is not words[-1]):
            continue
        unit = _parse(word)
        if unit is not None and unit.kind in ("length", "pixel", "energy"):
            return unit
    return None


def as_text(value: Any) -> str:
    """Decode text that may be bytes in UTF-8 or, from older programs, latin-1."""
    if isinstance(value, str):  # h5py keeps bytes that are not UTF-8 as surrogates
        value = value.encode("utf-8", errors="surrogateescape")
    if not isinstance(value, bytes):
        return str(value)
    try:
        return value.decode("utf-8").replace("\0", "")
    except UnicodeDecodeError:
        return value.decode("latin-1").replace("\0", "")


def _items(value: Any) -> Sequence[Any]:
    if value is None:
        return ()
    return [value] if isinstance(value, str | bytes) else np.asarray(value).ravel().tolist()


def _parse(text: str) -> Unit | None:
    text = " ".join(text.split())
    if _plain(text) in _NOTHING:
        return None
    kind, factor = _known(text) or ("unknown", 1.0)
    shown = text if len(text) <= _MOST_TEXT else text[:_MOST_TEXT] + "…"
    return Unit(text=shown, kind=kind, factor=factor)


def _known(text: str) -> tuple[Kind, float] | None:
    """Look for a unit in the whole text, before its brackets, and in them."""
    bracketed = _BRACKETED.fullmatch(text)
    parts = [text] if bracketed is None else [bracketed[1] + bracketed[3], bracketed[2]]
    for part in parts:
        powered = _POWER.fullmatch(_ascii(part).strip().lower())
        if powered is None:
            found = _word(part)
            scale = 1.0
        else:
            found = _word(powered["unit"])
            exponent = powered["exponent"]
            scale = float(powered["number"]) if exponent is None else 10.0 ** int(exponent)
        if found is not None and scale > 0:
            return found[0], found[1] * scale
    return None


def _word(text: str) -> tuple[Kind, float] | None:
    plain = _plain(text)
    if plain in ("mev", "megaelectronvolt"):
        # Only here do capitals tell milli from mega; 'mev' can be either.
        stripped = text.strip()
        factor = 1e6 if stripped[:1] == "M" or "mega" in plain else 1e-3
        return None if stripped == "mev" else ("energy", factor)
    for word in (plain, plain.removesuffix("s")):
        if word in _BASES:
            return _BASES[word]
        for base in _PREFIXED:
            prefix = word.removesuffix(base)
            if prefix != word and prefix in _PREFIXES:
                kind, factor = _BASES[base]
                return kind, factor * _PREFIXES[prefix]
    return None


def _ascii(text: str) -> str:
    """Write both signs for micro as 'u', and letters without their accents (Å, mètre)."""
    for broken in ("Âµ", "Î¼", "\\u00b5", "\\u00B5"):  # decoded twice; ImageJ's escape
        text = text.replace(broken, "µ")
    decomposed = unicodedata.normalize("NFKD", text)
    plain = "".join(c for c in decomposed if not unicodedata.combining(c))
    return plain.replace("μ", "u").replace("−", "-")


def _plain(text: str) -> str:
    return re.sub(r"[\s\-_.'\"\[\](){}]", "", _ascii(text)).lower()
