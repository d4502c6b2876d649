"""A table as estimators see it: columns by name, and the row of the file that each came from."""

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from careplane.errors import InputError
from careplane.estimators import Floats, Ints

_LARGE = 1e50
Column = NDArray[Any]
"""``float64`` with NaN for what is missing, or ``object`` holding text and ``None``."""


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """Columns of one length.

    Attributes:
        columns: by name.
        line: line of the file that each row stands on (1 is the header), for messages.
        left_out: how many rows were left out so far, by reason.
    """

    columns: Mapping[str, Column]
    line: Ints
    left_out: Mapping[str, int]

    def __len__(self) -> int:
        return len(self.line)

    def column(self, name: str) -> Column:
        """A column as it is.

        Raises:
            InputError: there is none; names the nearest.
        """
        if name not in self.columns:
            near = difflib.get_close_matches(name, self.columns, n=1, cutoff=0.5)
            hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(list(self.columns)[:20])}"
            raise InputError(f"the data have no such column; {hint}", field=name)
        return self.columns[name]

    def numbers(self, name: str) -> Floats:
        """A column of numbers, NaN where missing.

        Raises:
            InputError: it holds text; names the line.
        """
        found = self.column(name)
        if found.dtype != np.float64:
            where = next(i for i, value in enumerate(found) if value is not None and not _is_number(value))
            raise InputError(f"holds text where a number is needed (line {self.line[where]})", field=name)
        return found

    def finite(self, name: str) -> Floats:
        """A column of finite numbers of a size that can be squared.

        Raises:
            InputError: it holds text, an infinite number or one beyond 1e50, names the line; or nothing but such small
                ones that their squares vanish.
        """
        values = self.numbers(name)
        good = np.isfinite(values)
        if not good.all():
            raise InputError(f"is not finite (line {self.line[int(np.argmin(good))]})", field=name)
        large = np.abs(values) > _LARGE
        if large.any():
            line = self.line[int(np.argmax(large))]
            raise InputError(f"is beyond {_LARGE:g} (line {line}); check it, or take a larger unit", field=name)
        if 0 < float(np.abs(values).max(initial=0.0)) < 1 / _LARGE:
            raise InputError(f"is below {1 / _LARGE:g} in every row; take a smaller unit", field=name)
        return values

    def binary(self, name: str) -> Floats:
        """A column of 0 and 1, NaN where missing; two texts are taken in the order of the alphabet.

        Raises:
            InputError: it holds something else; names the line.
        """
        found = self.column(name)
        if found.dtype != np.float64:
            codes, levels = self.labels(name)
            if len(levels) != 2:
                raise InputError(f"must hold two values, not {len(levels)}", field=name)
            return np.where(codes < 0, np.nan, codes).astype(np.float64)
        wrong = ~(np.isnan(found) | (found == 0) | (found == 1))
        if wrong.any():
            raise InputError(f"must be 0 or 1 (line {self.line[int(np.argmax(wrong))]})", field=name)
        return found

    def labels(self, name: str) -> tuple[Ints, tuple[str, ...]]:
        """A column as codes from 0 in the sorted order of its values (-1 where missing), and the values."""
        found = self.column(name)
        numeric, missing = found.dtype == np.float64, _missing(found)
        present = found[~missing]
        values, codes = np.unique(present if numeric else present.astype(str), return_inverse=True)
        names = tuple(f"{value:.15g}" if numeric else str(value) for value in values)
        every = np.full(len(found), -1, dtype=np.int64)
        every[~missing] = codes
        return every, names

    def coded(self, replaced: Mapping[str, Column], levels: Iterable[str]) -> "Frame":
        """The same rows with some columns replaced, and others as text, so that each value gets an indicator."""
        columns = dict(self.columns) | dict(replaced)
        for name in levels:
            codes, values = self.labels(name)
            columns[name] = np.array([values[code] for code in codes], dtype=object)
        return Frame(columns, self.line, self.left_out)

    def where(self, kept: NDArray[np.bool_], reason: str) -> "Frame":
        """The rows that are kept; the others are counted under a reason."""
        count = int((~kept).sum())
        if not count:
            return self
        return Frame(
            columns={name: column[kept] for name, column in self.columns.items()},
            line=self.line[kept],
            left_out={**self.left_out, reason: self.left_out.get(reason, 0) + count},
        )

    def complete(self, names: Iterable[str]) -> "Frame":
        """The rows in which none of these columns is missing; those left out are counted by column.

        Raises:
            InputError: no such column, or no row is left.
        """
        frame = self
        for name in dict.fromkeys(names):
            column = frame.column(name)
            missing = (
                np.isnan(column) if column.dtype == np.float64 else np.array([v is None for v in column], np.bool_)
            )
            frame = frame.where(~missing, f"{name} is missing")
        if not len(frame):
            raise InputError("no row is left once those with missing values are left out", field=", ".join(names))
        return frame


def _missing(column: Column) -> NDArray[np.bool_]:
    if column.dtype == np.float64:
        return np.isnan(column)
    return np.array([value is None for value in column], dtype=np.bool_)


def _is_number(value: object) -> bool:
    try:
        float(str(value))
    except ValueError:
        return False
    return True


def varies(column: Floats, name: str) -> None:
    """Refuse a column that is the same in every row.

    Raises:
        InputError: it is constant.
    """
    if len(column) and np.ptp(column) == 0:
        raise InputError(f"is {column[0]:g} in every row, so nothing can be told from it", field=name)


def duplicated(frame: Frame, *names: str) -> None:
    """Refuse rows that are the same in these columns, such as a unit and a time.

    Raises:
        InputError: names the columns and the line of the second.
    """
    codes = np.column_stack([frame.labels(name)[0] for name in names])
    _, first, inverse = np.unique(codes, axis=0, return_index=True, return_inverse=True)
    second = first[inverse.ravel()] != np.arange(len(frame))
    if second.any():
        line = frame.line[int(np.argmax(second))]
        raise InputError(f"line {line} repeats an earlier row; give one row for each", field=", ".join(names))
