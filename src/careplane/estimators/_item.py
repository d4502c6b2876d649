"""An item of the shelf as other rooms hold it: what it is, and how to call it on columns without a file."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from careplane.errors import InputError
from careplane.estimators import ClusterData, Estimate, Estimator
from careplane.estimators._frame import Column, Frame
from careplane.estimators._spec import Info, Method, Result, read_spec


@dataclass(frozen=True, slots=True)
class Item:
    """An estimator of the shelf. Called with clusters it is an :data:`~careplane.estimators.Estimator`."""

    info: Info
    method: Method
    of_clusters: Estimator | None = None

    def __call__(self, data: ClusterData) -> Estimate:
        """The effect of a cluster-randomised comparison.

        Raises:
            InputError: this item is none for randomised clusters, or the data do not fit.
            Refused: it would not be valid here.
        """
        if self.of_clusters is None:
            raise InputError("does not estimate from clusters alone; give it a table", field=self.info.name)
        return self.of_clusters(data)

    def run(self, columns: Mapping[str, Column], **given: Any) -> Result:
        """The effect from columns of one length, by the item's own keys.

        Raises:
            InputError: a column or key does not fit.
            Refused: the method would not be valid here.
            MissingExtra: the method needs a library that is not installed.
        """
        rows = len(next(iter(columns.values()))) if columns else 0
        frame = Frame(dict(columns), np.arange(2, rows + 2, dtype=np.int64), {})
        return self.method(frame, read_spec(self.info, given))


def item(module: Any) -> Item:
    """The item of a module of the shelf."""
    return Item(module.INFO, module.estimate, getattr(module, "of_clusters", None))
