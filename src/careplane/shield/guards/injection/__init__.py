"""Injection signal: how much a text reads like instructions to the model. A signal for a person, not a boundary.

Figures, training and limits are in ``README.md``; ``scripts/train-injection`` makes the weights.
"""

from careplane.shield.guards.injection.scoring import score, shipped_weights

THRESHOLD = 0.5
"""The score from which a text is flagged; the weights are calibrated so that few benign charts reach it."""


def injection_score(text: str) -> float:
    """0 (a plain text) to 1 (it speaks to the model).

    The text is read in windows of one, two and four lines or sentences, so that an attack inside a long chart is seen,
    also as it reads when Base64, spaced letters and other encodings are undone.
    """
    return round(score(shipped_weights(), text), 6)


__all__ = ["THRESHOLD", "injection_score"]
