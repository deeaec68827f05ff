"""A name that nobody knows: which of the known ones was meant."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from difflib import get_close_matches

_SHOWN = 12  # names of a hint; a person reads no more


def unaccented(text: str) -> str:
    """Lower case, without accents."""
    parts = unicodedata.normalize("NFD", text.strip().lower())
    return "".join(part for part in parts if not unicodedata.combining(part))


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """The nearest known word, or empty."""
    near = get_close_matches(word.lower(), sorted(known), n=1, cutoff=0.6)
    return near[0] if near else ""


def among(known: Iterable[str], what: str = "valeurs connues") -> str:
    """The known words as a hint, the first twelve; empty where there is none."""
    words = sorted(known)
    if not words:
        return ""
    more = ", …" if len(words) > _SHOWN else ""
    return f"{what} : " + ", ".join(words[:_SHOWN]) + more


def nearest(word: str, known: Iterable[str], none: str) -> str:
    """The nearest of the known names, and all of them, as a hint; `none`: what is said where there is none."""
    names = set(known)
    near = did_you_mean(word, names)
    asked = f"vouliez-vous dire « {near} » ? " if near else ""
    return asked + (among(names, "noms connus") or none)
