"""``careplane estimate``: one estimator on one table, as a specification says."""

import csv
import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click
import msgspec
import yaml

from careplane._shelf import items, load, missing
from careplane.cli.table_files import read_table
from careplane.errors import InputError, Refused
from careplane.estimators._frame import Frame
from careplane.estimators._spec import Info, Key, Result, needs_data, read_spec

_NAMED = ("estimate", "se", "ci_low", "ci_high", "df", "p", "n", "clusters")


@click.command()
@click.argument("spec", required=False, type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
@click.option("--list", "listed", is_flag=True, help="Every estimator with its keys and an example.")
@click.option("--example", metavar="NAME", help="Write an example of an estimator, with synthetic data.")
@click.option("--out", metavar="DIR", type=click.Path(path_type=Path), default=Path(), help="Where the example goes.")
def command(spec: Path | None, as_json: bool, listed: bool, example: str | None, out: Path) -> None:
    """Estimate an effect from a table: SPEC is a YAML file.

    It names the data (.csv, .csv.gz or .parquet, beside it), the estimator and
    the keys of that estimator. Rows that cannot be used are counted with the
    reason; what is not valid is refused and says what would be.

    \b
    Example:
      careplane estimate --list
      careplane estimate --example difference_in_means --out trial
      careplane estimate trial/difference_in_means.yaml --json
    """
    if listed:
        _list(as_json)
    elif example is not None:
        _write_example(_info(example), out)
    elif spec is None:
        raise InputError("name a specification, or: careplane estimate --list", field="SPEC")
    else:
        _print(_estimated(spec), as_json)


def _estimated(path: Path) -> Result:
    given = _read(path)
    name = given.pop("estimator", None)
    info = _info(str(name)) if name else None
    if info is None:
        raise InputError("is needed; see: careplane estimate --list", file=path, field="estimator")
    data = given.pop("data", None)
    try:
        checked = read_spec(info, given)
        frame = _frame(info, given, data, path.parent)
        found: Result = load("estimators", info.name).estimate(frame, checked)
        if frame is None and data is not None:
            unread = f"The data were not read: {info.name} goes by its keys alone."
            found = msgspec.structs.replace(found, warnings=(*found.warnings, unread))
    except Refused as error:  # what would not be valid is a wrong question, as a wrong column is: exit code 2
        raise InputError(str(error), file=path) from error
    except InputError as error:
        if error.file is not None:
            raise
        raise InputError(error.message, field=error.field, file=path) from error
    return found


def _frame(info: Info, given: Mapping[str, Any], data: object, folder: Path) -> Frame | None:
    """The table, where the estimator reads one."""
    if not needs_data(info, given):
        if data is not None and info.made is not None:
            raise InputError("is not read beside a summary; give one of the two", field="data")
        return None
    if not isinstance(data, str) or not data:
        raise InputError("is needed: a .csv, .csv.gz or .parquet file", field="data")
    return read_table(folder / data)


def _read(path: Path) -> dict[str, Any]:
    try:
        given = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"cannot be read: {error.strerror}", file=path) from error
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        raise InputError("is not YAML", file=path, line=mark.line + 1 if mark else None) from error
    if not isinstance(given, dict):
        raise InputError("must be a table of keys and values", file=path)
    return given


def _infos() -> dict[str, Info]:
    return {name: load("estimators", name).INFO for name in items("estimators")}


def _info(name: str) -> Info:
    if name not in items("estimators"):
        raise InputError(missing("estimator", name, items("estimators")), field="estimator")
    info: Info = load("estimators", name).INFO
    return info


def _print(found: Result, as_json: bool) -> None:
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode(_ordered(found)), indent=2))
        return
    click.echo(found.method)
    for name in _NAMED:
        value = getattr(found, name)
        click.echo(f"  {name:<10}{'not given' if value is None else f'{value:.6g}'}")
    for name, value in found.details.items():
        click.echo(f"  {name}: {value}")
    for reason, count in found.left_out.items():
        click.echo(f"  left out: {count} rows, {reason}")
    for one in found.assumptions:
        click.echo(f"  assumes {one.name}: {_HELD[one.held]}. {one.text}")
    for warning in found.warnings:
        click.echo(f"  warning: {warning}")


_HELD = {True: "holds", False: "does not hold", None: "not checked here"}


def _ordered(found: Result) -> dict[str, Any]:
    """The keys of the published answer first."""
    given = {field: getattr(found, field) for field in found.__struct_fields__}
    return {**{name: given.pop(name) for name in _NAMED}, **given}


def _list(as_json: bool) -> None:
    infos = _infos()
    if as_json:
        told = [{**dataclasses.asdict(dataclasses.replace(info, made=None))} for info in infos.values()]
        click.echo(msgspec.json.format(msgspec.json.encode(told), indent=2))
        return
    for info in infos.values():
        click.echo(info.name)
        for text in (info.purpose, f"Source: {info.source}"):
            click.echo(click.wrap_text(text, 78, initial_indent="  ", subsequent_indent="  "))
        for key in info.keys:
            click.echo(_told(key))
        click.echo(f"  Example: careplane estimate --example {info.name}\n")


def _told(key: Key) -> str:
    more = "needed" if key.needed else "" if key.default is None else f"default {key.default}"
    chosen = f" ({' | '.join(key.choices)})" if key.choices else ""
    text = f"{key.help}{chosen}{f'; {more}' if more else ''}"
    return click.wrap_text(text, 78, initial_indent=f"    {key.name:<14} ", subsequent_indent=" " * 19)


def _write_example(info: Info, folder: Path) -> None:
    """A specification that runs, and the synthetic table that it reads."""
    folder.mkdir(parents=True, exist_ok=True)
    spec: dict[str, Any] = dict(info.example)
    if info.made is not None:
        spec = {"data": f"{info.name}.csv", **spec}
        _write_csv(folder / f"{info.name}.csv", info.made())
    path = folder / f"{info.name}.yaml"
    path.write_text(yaml.safe_dump(spec, sort_keys=False), encoding="utf-8")
    click.echo(f"{path} (the data are synthetic)")


def _write_csv(path: Path, table: Mapping[str, Any]) -> None:
    with path.open("w", encoding="utf-8", newline="") as text:
        writer = csv.writer(text)
        writer.writerow(table)
        writer.writerows(zip(*table.values(), strict=True))
