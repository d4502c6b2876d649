"""How far the app was used where it could have been, for whom, and what the outcome was by how much it was used."""

from collections import Counter
from collections.abc import Mapping
from math import exp, log, sqrt

import numpy as np
from scipy.special import ndtri, stdtrit

from careplane.estimators import Floats, Ints
from careplane.evidence.equity import withheld
from careplane.evidence.patients import UNKNOWN
from careplane.evidence.trial import Mask, Trial
from careplane.evidence.uses import Uses
from careplane.records.evidence import AccessRow, Plan, Uptake


def uptake(plan: Plan, eligible: int, uses: Uses) -> Uptake:
    """Use over all eligible events of the intervention arm; ``uses`` are those of the plan."""
    mine = uses.arm == "intervention"
    status = Counter(uses.status[mine].tolist())
    used = status["accepted"] + status["edited"]
    low, high = wilson(used, eligible, plan.alpha)
    return Uptake(
        plan=plan.id,
        eligible=eligible,
        offered=int(uses.drafted[mine].sum()),
        used=used,
        accepted=status["accepted"],
        edited=status["edited"],
        rejected=status["rejected"],
        refused=status["refused"],
        share=used / eligible if eligible else 0.0,
        ci_low=low,
        ci_high=high,
    )


def wilson(successes: int, n: int, alpha: float) -> tuple[float, float]:
    """Wilson's score interval of a proportion (JASA 1927, 22:209); (0, 1) when there are no trials."""
    if not n:
        return 0.0, 1.0
    z = float(ndtri(1 - alpha / 2))
    p = min(1.0, successes / n)
    middle = (p + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    return max(0.0, middle - half), min(1.0, middle + half)


def of_rows(trial: Trial, uses: Uses) -> tuple[Ints, Ints] | None:
    """Of each row whether a draft was made, and whether one was signed; ``None`` when no run names a row's event."""
    found = np.array([focus.rpartition("/")[2] for focus in uses.focus], dtype=object)
    offered = set(found[uses.drafted == 1].tolist())
    used = set(found[uses.used == 1].tolist())
    keys = trial.key.tolist()
    if not offered.intersection(keys):
        return None
    return (
        np.array([key in offered for key in keys], dtype=np.int64),
        np.array([key in used for key in keys], dtype=np.int64),
    )


def access(trial: Trial, uses: Uses, dimension: str, group_of: Mapping[str, str]) -> tuple[AccessRow, ...]:
    """One row per group, the largest first; empty when the runs cannot be joined to the events of the measure."""
    joined = of_rows(trial, uses)
    if joined is None:
        return ()
    offered, used = joined
    reached = trial.arm(1)
    group = np.array([group_of.get(patient, UNKNOWN) for patient in trial.patient], dtype=object).astype(str)
    masks: dict[str, Mask] = {name: np.equal(group, name) & reached for name in np.unique(group[reached]).tolist()}
    sizes = {name: int(mask.sum()) for name, mask in masks.items()}
    hidden = withheld({name: (size, size) for name, size in sizes.items()}, trial.plan.small_cell)
    rows = []
    for name in sorted(masks, key=lambda name: (-sizes[name], name)):
        if name in hidden:
            rows.append(AccessRow(dimension, name, None, None, None, None, None, None, None, hidden[name]))
            continue
        mask = masks[name]
        share = float(used[mask].mean())
        ratio, low, high = _ratio(trial, used, mask, reached & ~mask)
        rows.append(
            AccessRow(
                dimension, name, sizes[name], int(offered[mask].sum()), int(used[mask].sum()), share, ratio, low, high
            )
        )
    return tuple(rows)


def _ratio(trial: Trial, used: Ints, group: Mask, others: Mask) -> tuple[float | None, float | None, float | None]:
    """The share of use in a group over that in the others, its interval by linearisation over the places of care.

    The variance of the logarithm is that of a ratio of two ratio estimators that share clusters (Woodruff 1971, J Am
    Stat Assoc 66:411): ``C / (C - 1)`` times the sum of squares of each place's part, on ``C - 1`` degrees of freedom.
    """
    codes = np.unique(trial.place.astype(str), return_inverse=True)[1]
    both = [_by_place(codes, used, mask) for mask in (group, others)]
    shares = [float(u.sum() / n.sum()) if n.sum() else 0.0 for u, n in both]
    if not shares[1]:
        return None, None, None
    if not shares[0]:
        return 0.0, None, None
    parts = [(u - share * n) / u.sum() for (u, n), share in zip(both, shares, strict=True)]
    seen = (both[0][1] + both[1][1]) > 0
    places = int(seen.sum())
    ratio = shares[0] / shares[1]
    if places < 2:
        return ratio, None, None
    difference = (parts[0] - parts[1])[seen]
    se = sqrt(places / (places - 1) * float((difference**2).sum()))
    reach = float(stdtrit(places - 1, 1 - trial.plan.alpha / 2)) * se
    return ratio, exp(log(ratio) - reach), exp(log(ratio) + reach)


def _by_place(codes: Ints, used: Ints, mask: Mask) -> tuple[Floats, Floats]:
    size = int(codes.max()) + 1
    return (
        np.bincount(codes[mask], weights=used[mask], minlength=size).astype(np.float64),
        np.bincount(codes[mask], minlength=size).astype(np.float64),
    )
