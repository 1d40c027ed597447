"""A CSV file as rows that remember their line."""

import csv
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ....models.errors import InputError, advise, nearest


@dataclass(frozen=True)
class Row:
    """The cells of one row, stripped of white space.

    Attributes:
        line: from 1, at the row's start.
        cells: those that are wanted, by name.
        named: all of them, by the name of their column; without columns that have none or share one.
    """

    line: int
    cells: Mapping[str, str]
    named: Mapping[str, str]


def read_rows(file: str, delimiter: str, columns: Mapping[str, str], optional: Sequence[str]) -> list[Row]:
    """Reads the named columns of a CSV file with a header (RFC 4180; UTF-8 with or without BOM; blank lines skipped).

    Args:
        file: path of the file.
        delimiter: what stands between cells.
        columns: wanted name to the column's name in the header.
        optional: names that are left out where the header has no such column.

    Raises:
        InputError: file missing, empty, not UTF-8 or not CSV; column missing; row of another length than the header.
    """
    rows = _cells(file, delimiter)
    header_line, header = next(rows, (0, []))
    if not header:
        raise InputError(f"{file}: empty: the first line names the columns")
    header = [name.strip() for name in header]
    at = {}
    for name, column in columns.items():
        if header.count(column) > 1:
            raise InputError(f"{file}:{header_line}: {header.count(column)} columns are called '{column}'")
        if column in header:
            at[name] = header.index(column)
        elif name not in optional:
            raise InputError(_no_column(f"{file}:{header_line}", name, column, header, delimiter))
    single = {name: position for position, name in enumerate(header) if name and header.count(name) == 1}
    found = []
    for line, cells in rows:
        if len(cells) < len(header) or any(cells[len(header) :]):
            raise InputError(f"{file}:{line}: {len(cells)} cells, and the header names {len(header)} columns")
        cells = [cell.strip() for cell in cells]
        wanted, named = ({name: cells[place] for name, place in each.items()} for each in (at, single))
        found.append(Row(line, wanted, named))
    if not found:
        raise InputError(f"{file}: no rows below the header")
    return found


def _cells(file: str, delimiter: str) -> Iterator[tuple[int, list[str]]]:
    """Line and cells of each row that is not blank."""
    line = 1
    try:
        with Path(file).open(newline="", encoding="utf-8-sig") as stream:
            reader = csv.reader(stream, delimiter=delimiter, strict=True, skipinitialspace=True)
            for cells in reader:
                if any(cell.strip() for cell in cells):
                    yield line, cells
                line = reader.line_num + 1
    except FileNotFoundError:
        raise InputError(f"data.path={file}: no such file") from None
    except IsADirectoryError:
        raise InputError(f"data.path={file}: a folder, not a CSV file: data.source=folder reads folders") from None
    except OSError as error:
        raise InputError(f"data.path={file}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise InputError(f"{file}: not UTF-8: save the table as UTF-8") from None
    except csv.Error as error:
        raise InputError(f"{file}:{line}: not CSV: {error}") from None


def _no_column(place: str, name: str, column: str, header: list[str], delimiter: str) -> str:
    other = next((each for each in ";\t|," if each != delimiter and len(header) == 1 and each in header[0]), None)
    if other:
        line = advise("data.delimiter", other)
        return f"{place}: no column '{column}': cells seem to be separated by {other!r}: say {line}"
    return f"{place}: no column '{column}': {nearest(column, header)} (data.columns.{name} names the column)"
