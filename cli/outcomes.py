"""The outcomes of a batch while they come, each once."""

import csv
import json
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import IO

from cli.client import Client


class Format(StrEnum):
    """How outcomes are written."""

    CSV = "csv"
    NDJSON = "ndjson"


@dataclass
class Outcomes:
    """A batch's outcomes; `after` is the cursor of the last row that was written."""

    client: Client
    batch_id: str
    format: Format
    after: str | None = None
    _headed: bool = False

    def write(self, out: IO[str]) -> None:
        """Write what ended since the last call; a CSV has one header in all."""
        if self.format is Format.CSV:
            self._csv(out)
        else:
            self._ndjson(out)
        out.flush()

    def _csv(self, out: IO[str]) -> None:
        rows, table = csv.reader(self._lines()), csv.writer(out)
        names = next(rows)
        if not self._headed:
            table.writerow(names)
            self._headed = True
        for row in rows:
            table.writerow(row)
            self.after = row[names.index("cursor")]

    def _ndjson(self, out: IO[str]) -> None:
        for line in self._lines():
            out.write(line)
            self.after = json.loads(line)["cursor"]

    def _lines(self) -> Iterator[str]:
        return self.client.lines(f"/v1/batches/{self.batch_id}/results", format=self.format, after=self.after)
