"""CSV exports into the embedded CRM: column names by a mapping file, bad rows told one by one, good rows go on.

Exports come with or without a byte-order mark, with commas or semicolons, with Indonesian or English numbers. What is
ambiguous is refused, never guessed. Importing the same file again changes nothing.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path

from connectors.base import Value
from connectors.crm.embedded import EmbeddedCrm
from worker.core.money import NumberStyle, parse_number
from worker.export_file import ExportError, delimiter_of, lines_of, read_export
from worker.import_mapping import Column, ImportMapping, load_import_mapping

_LARGEST_FIELD = 1_000_000
_RISKY = ("=", "+", "-", "@", "\t", "\r")
_CURRENCY_FIELDS = {
    "account": {"arr": "arr_currency"},
    "case": {"amount": "amount_currency"},
    "dispute": {"amount": "currency"},
}
_WRITTEN_BEFORE = {"Rp.": "IDR", "Rp": "IDR", "IDR": "IDR", "USD": "USD"}
"""What exports write before an amount, with the currency that it means."""
_TRUE = frozenset({"true", "1", "yes", "ya", "y", "x"})
_FALSE = frozenset({"false", "0", "no", "tidak", "n", ""})


@dataclass(frozen=True, slots=True)
class RowFault:
    """A row that was not imported: where, what it says there, why not, what to do."""

    file: str
    line: int
    column: str
    value: str
    reason: str

    def __str__(self) -> str:
        where = f"{self.file}:{self.line}"
        return (
            f"{where}: column {self.column!r}: {self.value!r}: {self.reason}"
            if self.column
            else f"{where}: {self.reason}"
        )


@dataclass(slots=True)
class ImportReport:
    """What came in, and what did not."""

    imported: dict[str, int] = field(default_factory=dict)
    faults: list[RowFault] = field(default_factory=list)


def import_files(
    crm: EmbeddedCrm, files: Mapping[str, Path], mapping: Path, rejects: Path | None = None
) -> ImportReport:
    """Import CSV files (object name to path) into a CRM. Raises FaultyDocumentError for a faulty mapping."""
    rules = load_import_mapping(mapping)
    report = ImportReport()
    refused: list[tuple[str, list[str]]] = []
    for object_name in ("account", "case", "dispute"):
        if object_name in files:
            crm.add_fields(object_name, [name for name in rules.objects.get(object_name, {}) if name != "id"])
            _import_file(crm, object_name, files[object_name], rules, report, refused)
    if rejects is not None and refused:
        _write_rejects(rejects, refused)
    return report


def _import_file(
    crm: EmbeddedCrm,
    object_name: str,
    path: Path,
    rules: ImportMapping,
    report: ImportReport,
    refused: list[tuple[str, list[str]]],
) -> None:
    report.imported[object_name] = 0
    try:
        reader = _Reader(path, rules.objects.get(object_name, {}), rules, _CURRENCY_FIELDS[object_name])
    except ExportError as error:
        report.faults.append(RowFault(str(path), error.line, "", "", str(error)))
        return
    seen: dict[str, int] = {}
    for line, cells in reader.rows():
        fields, faults = reader.read(line, cells)
        record_id = str(fields.pop("id", "") or "")
        if not faults and record_id in seen:
            reason = f"the id stands in line {seen[record_id]} already; that row was taken"
            faults.append(RowFault(str(path), line, reader.header_of("id"), record_id, reason))
        if not faults and object_name != "account" and crm.get("account", str(fields.get("account_id") or "")) is None:
            reason = "there is no such account; import the accounts first, or correct the id"
            value = str(fields.get("account_id") or "")
            faults.append(RowFault(str(path), line, reader.header_of("account_id"), value, reason))
        if faults:
            report.faults.extend(faults)
            refused.append((f"{path.name}:{line}: {faults[0].reason}", cells))
            continue
        seen[record_id] = line
        crm.put(object_name, record_id, fields)
        report.imported[object_name] += 1
    if reader.broken:
        report.faults.append(RowFault(str(path), reader.broken[0], "", "", reader.broken[1]))


class _Reader:
    """One CSV file: its dialect, its columns, its number styles."""

    def __init__(
        self, path: Path, columns: Mapping[str, Column], rules: ImportMapping, currencies: Mapping[str, str]
    ) -> None:
        self._path = path
        self._currencies = currencies
        self._rules = rules
        self.broken: tuple[int, str] | None = None
        text = read_export(path)
        self._delimiter = delimiter_of(text)
        csv.field_size_limit(_LARGEST_FIELD)
        self._lines = lines_of(text)
        parsed = self._parsed()
        header = next(parsed, (1, []))[1]
        self._header = [each.strip() for each in header]
        self._places = self._located(columns)
        self._columns = columns
        self._body = list(parsed)
        self._styles = {
            name: self._style(place) for name, place in self._places.items() if columns[name].kind == "number"
        }

    def _parsed(self) -> Iterator[tuple[int, list[str]]]:
        reader = csv.reader(iter(self._lines), delimiter=self._delimiter, strict=True)
        while True:
            line = reader.line_num + 1
            try:
                cells = next(reader)
            except StopIteration:
                return
            except csv.Error as error:
                self.broken = (line, f"the file cannot be read further from here: {error}; is a quote left open?")
                return
            if any(cell.strip() for cell in cells):
                yield line, cells

    def rows(self) -> Iterator[tuple[int, list[str]]]:
        """The rows with the line on which each begins."""
        return iter(self._body)

    def _located(self, columns: Mapping[str, Column]) -> dict[str, int]:
        folded = {name.casefold(): place for place, name in reversed(list(enumerate(self._header)))}
        places: dict[str, int] = {}
        missing: list[str] = []
        for target, column in columns.items():
            place = next((folded[name.casefold()] for name in column.names if name.casefold() in folded), None)
            if place is not None:
                places[target] = place
            elif column.required or target == "id":
                missing.append(" or ".join(repr(name) for name in column.names))
        if missing:
            raise ExportError(f"the column {', '.join(missing)} is missing; the file has: {', '.join(self._header)}")
        return places

    def header_of(self, target: str) -> str:
        """The name of a field's column in this file."""
        return self._header[self._places[target]] if target in self._places else target

    def _style(self, place: int) -> NumberStyle | None:
        """The one style in which every number of the column can be read; None when none or several differ."""
        if self._rules.numbers is not None:
            return self._rules.numbers
        values = [cells[place].strip() for _, cells in self._body if place < len(cells) and cells[place].strip()]
        readings = {style: _all_numbers(values, style) for style in NumberStyle}
        fitting = {style: read for style, read in readings.items() if read is not None}
        if fitting and len({tuple(read) for read in fitting.values()}) == 1:
            return next(iter(fitting))
        best = max(NumberStyle, key=lambda style: sum(_number(value, style) is not None for value in values))
        return None if len(fitting) > 1 else best

    def read(self, line: int, cells: Sequence[str]) -> tuple[dict[str, Value], list[RowFault]]:
        """One row as fields, and its faults."""
        fields: dict[str, Value] = {}
        faults: list[RowFault] = []
        if len(cells) > len(self._header):
            reason = (
                f"the row has {len(cells)} cells, the header {len(self._header)}: is a delimiter in a text unquoted?"
            )
            return fields, [RowFault(str(self._path), line, "", "", reason)]
        for target, place in self._places.items():
            text, column = self._cell(target, cells), self._columns[target]
            try:
                fields[target] = self._value(target, column, text)
            except ValueError as error:
                faults.append(RowFault(str(self._path), line, self._header[place], text, str(error)))
        for amount, currency in self._currencies.items():
            faults += self._currency(line, amount, currency, cells, fields)
        return fields, faults

    def _cell(self, target: str, cells: Sequence[str]) -> str:
        place = self._places.get(target, len(cells))
        return cells[place].strip() if place < len(cells) else ""

    def _currency(
        self, line: int, amount: str, currency: str, cells: Sequence[str], fields: dict[str, Value]
    ) -> Iterator[RowFault]:
        """The currency that stands before an amount counts where no column names one, and must not contradict it."""
        text = self._cell(amount, cells)
        said, named = _apart(text)[0], self._cell(currency, cells).upper()
        if said and named and said != named:
            reason = f"is in {said}, and column {self._header[self._places[currency]]!r} says {named}: correct one"
            yield RowFault(str(self._path), line, self._header[self._places[amount]], text, reason)
        elif said:
            fields[currency] = said

    def _value(self, target: str, column: Column, text: str) -> Value:
        if not text:
            if column.required or target == "id":
                raise ValueError("must not be empty")
            return None
        readers: dict[str, Callable[[], Value]] = {
            "text": lambda: text,
            "number": lambda: self._number(target, text),
            "date": lambda: self._date(text).isoformat(),
            "time": lambda: self._time(text),
            "truth": lambda: _truth(text),
        }
        return readers[column.kind]()

    def _number(self, target: str, text: str) -> Value:
        style = self._styles[target]
        if style is None:
            raise ValueError("can be read in two ways; set `numbers: indonesian` or `numbers: english` in the mapping")
        return parse_number(_apart(text)[1], style)

    def _date(self, text: str) -> date:
        return self._moment(text).date()

    def _time(self, text: str) -> datetime:
        moment = self._moment(text)
        return (moment if moment.tzinfo else moment.replace(tzinfo=self._rules.zone)).astimezone(UTC)

    def _moment(self, text: str) -> datetime:
        for form in self._rules.dates:
            try:
                return datetime.strptime(text, form)  # noqa: DTZ007  the mapping's zone is applied where a time is meant
            except ValueError:
                continue
        try:
            return datetime.fromisoformat(text)
        except ValueError:
            raise ValueError(f"is not a date of the form {' or '.join(self._rules.dates)}") from None


def _all_numbers(values: Sequence[str], style: NumberStyle) -> list[Value] | None:
    read = [_number(value, style) for value in values]
    return None if any(each is None for each in read) else read


def _number(text: str, style: NumberStyle) -> Value:
    try:
        return parse_number(_apart(text)[1], style)
    except ValueError:
        return None


def _apart(text: str) -> tuple[str, str]:
    """The currency before an amount, if one is written there, and the rest."""
    for before, code in _WRITTEN_BEFORE.items():
        if text.startswith(before):
            return code, text.removeprefix(before).strip()
    return "", text


def _truth(text: str) -> bool:
    folded = text.casefold()
    if folded in _TRUE:
        return True
    if folded in _FALSE:
        return False
    raise ValueError("is neither true nor false")


def _write_rejects(path: Path, refused: Sequence[tuple[str, list[str]]]) -> None:
    """The refused rows with their reasons; nothing in it is a formula to a spreadsheet."""
    with path.open("w", encoding="utf-8-sig", newline="") as file:
        writer = csv.writer(file, quoting=csv.QUOTE_ALL)
        writer.writerow(["reason", "row"])
        writer.writerows([_harmless(reason), *map(_harmless, cells)] for reason, cells in refused)


def _harmless(text: str) -> str:
    return f"'{text}" if text.startswith(_RISKY) else text
