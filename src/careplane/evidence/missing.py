"""What has no value, and what could not be measured, in words."""

from careplane.evidence.study import Study, compared


def missing_rows(study: Study, name: str) -> str:
    """What has no value in a measure, by arm, and how many rows were still open when it was computed."""
    trial, measure = study.trials[name], study.measures[name]
    parts = []
    for treated, arm in ((1, "intervention"), (0, "control")):
        rows = compared(trial, treated)
        total, absent = int(rows.sum()), int((rows & ~trial.measured).sum())
        share = f" ({100 * absent / total:.1f} %)" if total else ""
        parts.append(f"{absent:,} of {total:,} {arm} events{share}")
    text = f"{' and '.join(parts)} {measure.missing}; they are left out, not counted as zero."
    text += "".join(f" {count:,} events {reason} are left out too." for reason, count in trial.left_out.items())
    since = study.at.timestamp() - measure.follow_up_days * 86400
    late = int((trial.pilot & (trial.at > since)).sum())
    if late:
        text += f" {late:,} events had less than {measure.follow_up_days} days to be followed up."
    return text
