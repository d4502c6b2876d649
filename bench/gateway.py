"""The gateway under load beside nginx, LiteLLM, Portkey and MLflow in one alternating run, and under faults.

Run ``python bench/gateway.py [--part NAME ...] [--rounds 5] [--seconds 2] [--targets nginx,litellm,...]``. The gateway
under test has one core, the load (wrk) and the upstream the other; medians of the rounds, and the medians of the ratios
within each round. The body is a chat of 2,182 bytes, the reply 400 words. Parts:

  throughput  audit on, and everything on, at 1, 32 and 128 connections, beside nginx and the peers
  delayed     an upstream that takes 50 ms, 128 connections
  streams     128 streams of paced events
  memory      a million requests (--requests), or as many as are answered in three minutes
  crash       kill -9 under load, 20 times (--kills): every reply a client saw is in the ledger
  full        the disk fills up: refused, never answered without a record
  canary      a unique value in every request: no reply crosses, none is empty (--canaries)
  soak        half load for a while (--minutes): memory and descriptors stay

Without ``--part`` the first four run, in about ten minutes.
"""

import argparse
import signal
import sys
import tempfile
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import _bodies
import _careplane
import _faults
from _goals import judged
from _machine import record
from _parts import Measured, delayed, million, streamed, throughput
from _targets import Maker, litellm, mlflow, nginx, nginx_streaming, portkey

TARGETS: dict[str, Maker] = {
    "nginx": nginx,
    "litellm": litellm,
    "portkey": portkey,
    "mlflow": mlflow,
    "careplane": _careplane.audited,
    "careplane-full": _careplane.everything,
}
MEASURED = ("throughput", "delayed", "streams", "memory")
RUN = Path(__file__).with_name(".run")  # on a disk that is a disk; /tmp may be memory
FAULTS = ("crash", "full", "canary", "soak")


def measure(given: argparse.Namespace, makers: Mapping[str, Maker], folder: Path) -> dict[str, Measured]:
    """The measured parts that were asked for."""
    plain = _bodies.chat()
    found: dict[str, Measured] = {}
    waiting = {name: make for name, make in makers.items() if name in ("nginx", "careplane")}
    if "throughput" in given.part:
        bodies = {name: _bodies.with_context(plain) if name == "careplane-full" else plain for name in makers}
        found["throughput"] = throughput(makers, bodies, folder / "throughput", given.rounds, given.seconds)
    if "delayed" in given.part:
        found["delayed"] = delayed(waiting, plain, folder / "delayed", given.rounds, given.seconds)
    if "streams" in given.part:
        streaming = {**waiting, "nginx": nginx_streaming} if "nginx" in waiting else waiting
        found["streams"] = streamed(streaming, folder / "streams", given.rounds, 2 * given.seconds)
    if "memory" in given.part and "careplane" in makers:
        found["memory"] = million("careplane", makers["careplane"], plain, folder / "memory", given.requests)
        if (theirs := found.get("throughput", Measured()).median("litellm", "memory", "mb")) is not None:
            found["memory"].add("litellm", "million", {"late_mb": theirs})
    return found


def hurt(given: argparse.Namespace, makers: Mapping[str, Maker], folder: Path) -> dict[str, Any]:
    """The parts that hurt the gateway, as they were asked for; each tells what it saw as it ends."""
    found: dict[str, Any] = {}
    for name in (name for name in makers if name.startswith("careplane")):
        checks: dict[str, Callable[[Maker, Path], dict[str, Any]]] = {
            "crash": partial(_faults.crash, kills=given.kills),
            "full": _faults.full,
            "canary": partial(_faults.canary, count=given.canaries, context=name == "careplane-full"),
            "soak": partial(_faults.soak, minutes=given.minutes, context=name == "careplane-full"),
        }
        for part in (part for part in FAULTS if part in given.part):
            fault = found[f"{name} {part}"] = checks[part](makers[name], folder / name / part)
            print(f"{name} {part}: {'ok' if fault['ok'] else 'FAILED'}: {fault['told']}", flush=True)
    return found


def table(found: Mapping[str, Measured]) -> list[str]:
    """The results as lines of at most 80 characters."""
    lines = []
    if whole := found.get("throughput"):
        lines.append(f"{'':15}{'requests/s':>21}{'p50/p99 ms':>14}{'CPU us':>8}{'x nginx':>9}{'MB':>6}")
        lines.append(f"{'target':15}{'1 / 32 / 128':>21}{'at 32':>14}{'at 32':>8}{'at 32':>9}")
        for name in (name for name in whole.samples if name != "disk"):
            rates = " / ".join(f"{whole.median(name, at, 'rps') or 0:.0f}" for at in ("1", "32", "128"))
            p50, p99, cpu = (whole.median(name, "32", what) or 0 for what in ("p50_ms", "p99_ms", "cpu_us"))
            ratio = whole.against(name, "nginx", "32", "cpu_us") or 0
            held = whole.median(name, "memory", "mb") or 0
            lines.append(f"{name:15}{rates:>21}{f'{p50:.1f}/{p99:.0f}':>14}{cpu:>8.0f}{ratio:>9.1f}{held:>6.0f}")
    if late := found.get("delayed"):
        lines += ["", f"50 ms upstream, 128 connections: {'requests/s':>12}{'p50 ms':>9}{'p99 ms':>9}{'CPU us':>8}"]
        for name in late.samples:
            rps, p50, p99, cpu = (late.median(name, "128", what) or 0 for what in ("rps", "p50_ms", "p99_ms", "cpu_us"))
            lines.append(f"{name:33}{rps:>13.0f}{p50:>9.1f}{p99:>9.1f}{cpu:>8.0f}")
    if events := found.get("streams"):
        lines += ["", f"128 paced streams, 50 ms to the first word:{'p50 ms':>9}{'p99 ms':>9}{'CPU us/event':>14}"]
        for name in (name for name in events.samples if name != "disk"):
            names = ("first_p50_ms", "first_p99_ms", "cpu_us_per_chunk")
            p50, p99, cpu = (events.median(name, "128", what) or 0 for what in names)
            lines.append(f"{name:43}{p50:>9.1f}{p99:>9.1f}{cpu:>14.1f}")
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--part", action="append", choices=MEASURED + FAULTS, help="again for more than one")
    parser.add_argument("--targets", default=",".join(TARGETS), help="with commas between them")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=2)
    parser.add_argument("--requests", type=int, default=1_000_000)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--canaries", type=int, default=100_000)
    parser.add_argument("--minutes", type=float, default=3)
    given = parser.parse_args()
    given.part = given.part or list(MEASURED)
    wanted = given.targets.split(",")
    if unknown := set(wanted) - set(TARGETS):
        parser.error(f"no such target: {', '.join(sorted(unknown))}; there are: {', '.join(TARGETS)}")
    makers = {name: TARGETS[name] for name in TARGETS if name in wanted}
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that what was started is ended
    RUN.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=RUN) as folder:
        found = measure(given, makers, Path(folder))
        faults = hurt(given, makers, Path(folder))
    goals = judged(found) if any(name.startswith("careplane") for name in makers) else []
    report(found, goals)
    keep(given, found, faults, goals)
    sys.exit(1 if any(not fault["ok"] for fault in faults.values()) else 0)


def report(found: Mapping[str, Measured], goals: list[dict[str, Any]]) -> None:
    """Print the tables."""
    print("", *table(found), "", sep="\n")
    for row in goals:
        value = "" if row["value"] is None else f"{row['value']:.2f}"
        verdict = {True: "met", False: "NOT MET", None: "not measured"}[row["met"]]
        print(f"{row['goal']:46}{row['reach']:>8}{value:>10}  {verdict}")
    for part, measured in found.items():
        for name, wrong in measured.wrong().items():
            print(f"{part}: {name} gave {wrong} errors")


def keep(
    given: argparse.Namespace, found: Mapping[str, Measured], faults: Mapping[str, Any], goals: list[dict[str, Any]]
) -> None:
    """Record the medians, the goals and what could not be run."""
    medians = {part: measured.medians() for part, measured in found.items()}
    missing = {name: why for measured in found.values() for name, why in measured.missing.items()}
    name = "gateway" if set(MEASURED) <= set(given.part) else f"gateway-{'-'.join(given.part)}"
    content = {"rounds": given.rounds, "seconds": given.seconds, **medians, "goals": goals, "faults": dict(faults)}
    record(name, {**content, "not_installed": missing})


if __name__ == "__main__":
    main()
