"""Verdicts in a CSV, one a line: which job each means, and what it says of it."""

import csv
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from cli.client import Answer, Client
from shared.errors import BadRequest, ThoracleError
from shared.schemas import Basis, Label, Verdict

COLUMNS = ("job_id", "client_ref", "verdict", "label", "basis", "saw_result_first", "comment")
_TRUE, _FALSE = ("true", "yes", "1"), ("false", "no", "0")
_SAYS = {"flagged": Label.PRESENT, "not_flagged": Label.ABSENT}


@dataclass(frozen=True)
class Line:
    """One line: `number` in the file, `cells` by column, empty ones left out."""

    number: int
    cells: dict[str, str]

    def give(self, client: Client, basis: Basis | None, seen: bool | None) -> Answer:
        """Send the verdict; sent again it is the same one. `basis` and `seen` hold where the line says nothing.

        Raises ThoracleError: the line cannot be understood, or the service refuses it.
        """
        job = self._job(client)
        body = {**self._said(job), **self._how(basis, seen), "comment": self.cells.get("comment")}
        meaning = hashlib.sha256(f"{job['id']} {sorted(body.items(), key=str)}".encode()).hexdigest()
        path, headers = f"/v1/jobs/{job['id']}/feedback", {"Idempotency-Key": meaning}
        answer: Answer = client.call("POST", path, body, headers)
        return answer

    def _job(self, client: Client) -> Answer:
        if "job_id" in self.cells:
            job: Answer = client.get(f"/v1/jobs/{self.cells['job_id']}")
            return job
        if "client_ref" not in self.cells:
            raise BadRequest(detail="The line names neither a job_id nor a client_ref.")
        found = client.get("/v1/jobs", client_ref=self.cells["client_ref"], status="succeeded", limit=2)["jobs"]
        if len(found) != 1:
            raise BadRequest(detail=f"{len(found) or 'No'} jobs with a result have this client_ref. Name the job_id.")
        return dict(found[0])

    def _said(self, job: Answer) -> dict[str, Any]:
        """Verdict and label; a label alone is a verdict on what the model said."""
        verdict = _one_of(Verdict, self.cells, "verdict")
        label = _one_of(Label, self.cells, "label")
        if verdict is None and label is None:
            raise BadRequest(detail="The line gives neither a verdict nor a label.")
        if verdict is None:
            says = _SAYS.get((job.get("result") or {}).get("decision", ""))
            verdict = Verdict.AGREE if label == says else Verdict.DISAGREE
        return {"verdict": verdict, "label": label}

    def _how(self, basis: Basis | None, seen: bool | None) -> dict[str, Any]:
        given = _one_of(Basis, self.cells, "basis") or basis
        if given is None:
            raise BadRequest(detail="The line gives no basis. Fill the column, or say --basis for all.")
        text = self.cells.get("saw_result_first", "").lower()
        first = True if text in _TRUE else False if text in _FALSE else seen
        if first is None or (text and text not in (*_TRUE, *_FALSE)):
            raise BadRequest(
                detail="Say in saw_result_first whether the reader knew the model's answer first: true or false; "
                "or for all with --saw-result-first or --before-result."
            )
        return {"basis": given, "saw_result_first": first}


def lines(path: Path) -> Iterator[Line]:
    """The lines of a CSV. Raises BadRequest: a column that nobody knows, or text that is not UTF-8."""
    with path.open(newline="", encoding="utf-8-sig") as stream:
        reader = csv.DictReader(stream)
        try:
            if unknown := [str(name) for name in reader.fieldnames or () if name not in COLUMNS]:
                known = ", ".join(COLUMNS)
                raise BadRequest(detail=f"Nobody knows the column {unknown[0]!r}. There are: {known}.")
            for row in reader:
                cells = {name: text.strip() for name, text in row.items() if isinstance(text, str) and text.strip()}
                yield Line(reader.line_num, cells)
        except UnicodeDecodeError:
            raise BadRequest(detail=f"{path.name} is not UTF-8 text. Save it as CSV UTF-8.") from None


def given(client: Client, line: Line, basis: Basis | None, seen: bool | None) -> Answer:
    """What became of a line: the verdict, or why there is none."""
    try:
        one = line.give(client, basis, seen)
    except ThoracleError as problem:
        return {"line": line.number, **line.cells, "error": {"code": problem.code, "detail": problem.detail}}
    return {"line": line.number, **one, "error": None}


def _one_of(words: type[StrEnum], cells: dict[str, str], name: str) -> Any:
    text = cells.get(name)
    if text is None:
        return None
    try:
        return words(text.lower())
    except ValueError:
        raise BadRequest(detail=f"{name} is none of {', '.join(words)}.") from None
