"""What the readers of tables take by name and what they return, for type checkers and editors."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, TypeAlias, TypedDict

import pandas as pd
from numpy.typing import NDArray

__all__ = ["CSVOptions", "PathsAndLabels", "ShardOptions", "TableOptions"]

PathsAndLabels: TypeAlias = tuple[NDArray[Any], pd.DataFrame]


class CSVOptions(TypedDict, total=False):
    """What `load_image_csv` takes by name, but for `return_X_y`, which decides what comes back."""

    id_column: str | None
    label_column: str | Sequence[str] | None
    label_columns: Sequence[str] | None
    label_delimiter: str | None
    label_values: Mapping[Any, Any] | None
    on_missing: Literal["raise", "drop"]
    on_duplicate: Literal["drop", "keep", "union"]
    storage_options: Mapping[str, Any] | None


class TableOptions(CSVOptions, total=False):
    """The same of `load_image_table`."""

    image_path: str | Callable[[Any], Any] | None
    label_names: Sequence[Any] | Mapping[Any, Any] | None
    value_column: str | None
    metadata_columns: Sequence[str] | None
    groups: str | None
    split: str | None
    sep: str | None
    encoding: str | None
    column_names: Sequence[str] | None


class ShardOptions(TypedDict, total=False):
    """The same of `load_image_shards`."""

    image_column: str | None
    image_extension: str | None
    label_column: str | Sequence[str] | None
    label_columns: Sequence[str] | None
    label_extension: Literal["json", "cls", "txt"] | None
    label_delimiter: str | None
    label_values: Mapping[Any, Any] | None
    label_names: Sequence[Any] | Mapping[Any, Any] | None
    metadata_columns: Sequence[str] | None
    on_missing: Literal["raise", "drop"]
    verbose: int
