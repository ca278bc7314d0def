"""Tables of a release: its NDJSON files through views, as CSV and Parquet, some rows at a time.

CSV as RFC 4180 writes it, a list as JSON. Parquet (https://parquet.apache.org) by PyArrow, which
comes with the extra ``research``. A decimal keeps its digits in CSV and is a double in Parquet.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from decimal import Decimal
from pathlib import Path
from typing import Any, Protocol

from simdes.errors import Invalid, Unsupported
from simdes.fhir.json import dumps, loads_own
from simdes.research.views import Row, View

FORMATS = ("csv", "parquet")
_ROWS_AT_ONCE = 5_000


class _Table(Protocol):
    def write(self, rows: list[Row]) -> None: ...

    def close(self) -> None: ...


def write_tables(
    folder: Path, views: Iterable[View], *, formats: Iterable[str] = FORMATS
) -> dict[str, int]:
    """Write each view of the release in ``folder`` to ``folder``/tables; returns rows per view.

    Raises ``Unsupported`` for Parquet without PyArrow, ``Invalid`` for other formats and for views
    that don't fit their data.
    """
    wanted = list(formats)
    if not set(wanted) <= set(FORMATS):
        raise Invalid(f"tables are written as {' or '.join(FORMATS)}")
    out = folder / "tables"
    out.mkdir(exist_ok=True)
    counts = {}
    for view in views:
        with ExitStack() as stack:
            tables: list[_Table] = [_WRITERS[f](out / f"{view.name}.{f}", view) for f in wanted]
            for table in tables:
                stack.callback(table.close)
            counts[view.name] = _write(_rows(folder / f"{view.resource}.ndjson", view), tables)
    return counts


def _write(rows: Iterator[Row], tables: list[_Table]) -> int:
    count, waiting = 0, []
    for row in rows:
        waiting.append(row)
        count += 1
        if len(waiting) == _ROWS_AT_ONCE:
            for table in tables:
                table.write(waiting)
            waiting = []
    for table in tables:
        table.write(waiting)
    return count


def _rows(path: Path, view: View) -> Iterator[Row]:
    if not path.exists():
        return
    with path.open("rb") as lines:
        for line in lines:
            yield from view.rows(loads_own(line))


class _Csv:
    def __init__(self, path: Path, view: View) -> None:
        self._file = path.open("w", encoding="utf-8", newline="")
        self._writer = csv.DictWriter(self._file, [c.name for c in view.columns])
        self._writer.writeheader()

    def write(self, rows: list[Row]) -> None:
        self._writer.writerows({k: _text(v) for k, v in row.items()} for row in rows)

    def close(self) -> None:
        self._file.close()


class _Parquet:
    def __init__(self, path: Path, view: View) -> None:
        try:
            import pyarrow  # noqa: PLC0415 (an extra)
            from pyarrow import parquet  # noqa: PLC0415
        except ImportError:
            raise Unsupported(
                "Parquet needs PyArrow", advice="Install SIMDES with its extra `research`."
            ) from None
        self._arrow: Any = pyarrow
        kinds = {
            "boolean": pyarrow.bool_(),
            "integer": pyarrow.int64(),
            "decimal": pyarrow.float64(),
            "string": pyarrow.string(),
            "list": pyarrow.list_(pyarrow.string()),
        }
        self._columns = view.columns
        self._schema = pyarrow.schema([(c.name, kinds[c.type]) for c in view.columns])
        self._writer = parquet.ParquetWriter(path, self._schema, compression="zstd")

    def write(self, rows: list[Row]) -> None:
        columns = [[_PLAIN[c.type](row[c.name]) for row in rows] for c in self._columns]
        arrays = [
            self._arrow.array(values, type=kind)
            for values, kind in zip(columns, self._schema.types, strict=True)
        ]
        self._writer.write_table(self._arrow.Table.from_arrays(arrays, schema=self._schema))

    def close(self) -> None:
        self._writer.close()


_WRITERS: dict[str, type[_Csv] | type[_Parquet]] = {"csv": _Csv, "parquet": _Parquet}


def _text(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool | list | dict):
        return dumps(value).decode()
    return str(value)


def _number(value: Any) -> float | None:
    return float(value) if isinstance(value, int | Decimal) else None


_PLAIN: dict[str, Any] = {
    "boolean": lambda v: v,
    "integer": lambda v: v,
    "decimal": _number,
    "string": _text,
    "list": lambda v: [_text(i) for i in v],
}
