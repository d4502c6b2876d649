"""The answer of a boundary: allowed or not, with the reasons. It never quotes what was judged, which may hold PHI."""

from careplane.records import Record
from careplane.records.run import Reason


class Verdict(Record, frozen=True):
    """Data with reasons, never a bare boolean. ``reasons`` are the refusals; empty when allowed."""

    allowed: bool
    reasons: tuple[Reason, ...] = ()

    @property
    def text(self) -> str:
        """The reasons in one line."""
        return " ".join(reason.text for reason in self.reasons)


ALLOWED = Verdict(allowed=True)


def verdict(reasons: tuple[Reason, ...]) -> Verdict:
    """Allowed when nothing speaks against it."""
    return Verdict(allowed=False, reasons=reasons) if reasons else ALLOWED


def refusal(rule: str, text: str, way_out: str = "") -> Reason:
    """One reason against."""
    return Reason(rule=rule, allowed=False, text=text, way_out=way_out)
