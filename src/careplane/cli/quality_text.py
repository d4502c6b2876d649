"""What ``careplane quality`` prints."""

import textwrap
from collections.abc import Iterable, Iterator

from careplane.records.quality import Agreement, Calibration, Comparison, Evaluation, Rate

WIDTH = 79


def evaluation_lines(made: Evaluation) -> list[str]:
    """An evaluation with its rates, and the outputs that lack something."""
    origin = f"{len(made.outputs)} outputs of {made.source}"
    lines = [f"{made.app} {made.label} on {origin} ({made.id}, {made.at:%Y-%m-%d})"]
    if made.synthetic:
        lines.append("Synthetic data.")
    lines += ["What checks and expectations can tell (a floor; readers see more):", *rate_lines(made.rates)]
    for output in made.outputs:
        if output.failed:
            lines.append(f"  {output.key}: {output.failed}")
        elif output.seeded and not output.caught:
            lines.append(f"  {output.key}: the seeded fault was not found by {', '.join(output.missing)}")
        elif output.missing or output.forbidden:
            told = [*(f"lacks “{one}”" for one in output.missing), *(f"says “{one}”" for one in output.forbidden)]
            lines.append(f"  {output.key}: {'; '.join(told)}")
    return lines


def rate_lines(rates: Iterable[Rate]) -> list[str]:
    """Rates with interval and number, aligned."""
    return [f"  {rate.name.replace('_', ' '):<24} {_numbers(rate)}" for rate in rates]


def _numbers(rate: Rate) -> str:
    if rate.value is None or rate.low is None or rate.high is None:
        return f"not measured: {rate.withheld}"
    if rate.unit == "share":
        scale, unit = 100, " %"
    else:
        scale, unit = 1, " per 100"
    value, low, high = (scale * one for one in (rate.value, rate.low, rate.high))
    return f"{value:6.1f}{unit:<8} ({low:.1f} to {high:.1f}; n = {rate.n})"


def agreement_lines(found: Iterable[Agreement]) -> list[str]:
    """Coefficients with interval."""
    return [f"  {one.what:<16} {one.coefficient:<22} {_value(one)}" for one in found]


def _value(one: Agreement) -> str:
    if one.value is None or one.low is None or one.high is None:
        return f"cannot be told: a reader saw no difference (n = {one.n})"
    value, low, high = (round(number, 2) + 0.0 for number in (one.value, one.low, one.high))
    return f"{value:5.2f} ({low:.2f} to {high:.2f}; n = {one.n})"


def calibration_lines(found: Calibration) -> list[str]:
    """A judge's agreement with people, and whether it may be used."""
    lines = [
        f"Judge {found.judge} for {found.app} {found.version}, held against {found.n} outputs that people settled "
        f"({found.positives} with an error, {found.unreadable} answers could not be read):",
        *rate_lines((found.sensitivity, found.specificity)),
        *agreement_lines((found.kappa,)),
    ]
    if found.usable:
        return [*lines, "It may be used; its rates are corrected for its errors."]
    return [*lines, "It is refused:", *(f"  {one}" for one in found.reasons)]


def comparison_lines(made: Comparison) -> list[str]:
    """A comparison, and what a swap would meet."""
    lines = [f"{made.app}: {made.b_label} against {made.a_label}, {made.cases} cases: {made.verdict}."]
    lines += [f"  {one.text}" for one in (*made.slices, *made.guardrails)]
    if made.reasons:
        lines += [
            "A swap is refused where patients rely on the app, because of:",
            *(f"  {one}" for one in made.reasons),
        ]
        lines.append(f"Way out: more cases or a better candidate, or careplane quality waive {made.app}")
    if made.not_measured:
        lines += ["Not measured:", *(f"  {one}" for one in made.not_measured)]
    return lines


def wrapped(lines: Iterable[str]) -> Iterator[str]:
    """Lines that fit a terminal of 80 columns, further lines indented."""
    for line in lines:
        indent = " " * (len(line) - len(line.lstrip()))
        yield textwrap.fill(line, WIDTH, subsequent_indent=f"{indent}  ", break_on_hyphens=False) if line else ""
