"""A small trained tagger for people and places that neither the chart nor a pattern names.

A linear-chain model over the few words of a text that may be part of a name; all other words cost next to nothing.
What it was trained on, how well it does and where it fails is in ``MODEL_CARD.md``. Nothing is downloaded.
"""

from careplane.shield.tagger.model import Model, tagger

__all__ = ["Model", "tagger"]
