"""1.4: the extractor and the decider that a library file describes."""

from __future__ import annotations

from typing import Any

from fashion16_lib.search.answer import Decider, Extractor
from fashion16_lib.search.library import Library
from fashion16_lib.settings import Fashion16Error


def refuse_other_fingerprint(what: str, stored: dict[str, Any], given: dict[str, Any], name: str) -> None:
    """Raise where a part isn't the one that a library was built with."""
    differing = [key for key in sorted(stored.keys() | given.keys()) if stored.get(key) != given.get(key)]
    if differing:
        details = "; ".join(f"{key}: library {stored.get(key)!r}, given {given.get(key)!r}" for key in differing)
        raise Fashion16Error(
            f"{name} was built with another {what} ({details}); use that one, or build the library again"
        )


def rebuild_extractor(library: Library) -> Extractor:
    """Return the extractor that a library's features came from."""
    from fashion16_lib.models.vgg16 import Vgg16Extractor

    return Vgg16Extractor.from_fingerprint(library.settings["extractor"])


def rebuild_head(library: Library, extractor: Extractor) -> Decider | None:
    """Return the softmax head that a library holds; None where its decider is another."""
    from fashion16_lib.models.softmax_head import SoftmaxHead

    if library.settings["decider"]["kind"] != SoftmaxHead.kind:
        return None  # a Table 1 model is a file of its own
    return SoftmaxHead(library.decider_arrays(), library.class_names, extractor)
