"""`thoracle feedback` speaks HTTP: what a CSV's lines become, which are refused, and the exit code."""

import json
from pathlib import Path
from typing import Any

import httpx
import pytest
from typer.testing import CliRunner, Result

from cli.client import Client
from cli.commands import adjudications, feedback
from cli.main import app
from shared.settings import Settings

JOBS = {"j1": "flagged", "j2": "not_flagged", "j3": "refer"}


class Service:
    """Answers as the gateway would, and remembers what it was sent."""

    def __init__(self) -> None:
        self.sent: list[dict[str, Any]] = []
        self.keys: list[str] = []

    def answer(self, request: httpx.Request) -> httpx.Response:
        if request.method == "GET" and request.url.path == "/v1/jobs":
            ref = request.url.params["client_ref"]
            return httpx.Response(200, json={"jobs": [_job("j1")] if ref == "ORDER-1" else []})
        if request.method == "GET":
            return httpx.Response(200, json=_job(request.url.path.rpartition("/")[2]))
        body = json.loads(request.content)
        if body["comment"] == "late":
            return httpx.Response(409, json={"code": "not_judgeable", "detail": "Only a job that has a result."})
        self.sent.append(body)
        self.keys.append(request.headers["Idempotency-Key"])
        return httpx.Response(201, json={"id": f"f{len(self.sent)}", **body})


def _job(name: str) -> dict[str, Any]:
    return {"id": name, "result": {"decision": JOBS[name]}}


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> Service:
    made = Service()
    transport = httpx.MockTransport(made.answer)
    for module in (feedback, adjudications):
        monkeypatch.setattr(module, "Client", lambda _: Client(Settings(_env_file=None, url="http://t"), transport))
    return made


def run(tmp_path: Path, text: str, *options: str) -> Result:
    (tmp_path / "verdicts.csv").write_text(text)
    return CliRunner().invoke(app, ["feedback", "import", str(tmp_path / "verdicts.csv"), *options])


def test_a_label_alone_is_a_verdict_on_what_the_model_said(service: Service, tmp_path: Path) -> None:
    text = "job_id,label\nj1,present\nj1,absent\nj2,absent\nj3,present\n"
    done = run(tmp_path, text, "--basis", "pcr", "--before-result")
    assert done.exit_code == 0, done.output
    assert [said["verdict"] for said in service.sent] == ["agree", "disagree", "agree", "disagree"]
    assert {(said["basis"], said["saw_result_first"]) for said in service.sent} == {("pcr", False)}


def test_a_line_says_more_than_the_options(service: Service, tmp_path: Path) -> None:
    text = "client_ref,verdict,basis,saw_result_first\nORDER-1,Unsure,follow_up,YES\n"
    assert run(tmp_path, text, "--basis", "pcr", "--before-result").exit_code == 0
    (said,) = service.sent
    assert (said["verdict"], said["basis"], said["saw_result_first"]) == ("unsure", "follow_up", True)


def test_what_cannot_be_given_is_told_by_its_line_and_stops_no_other(service: Service, tmp_path: Path) -> None:
    text = (
        "job_id,client_ref,verdict,label,basis,saw_result_first,comment\n"
        ",,agree,,pcr,no,\n,ORDER-2,agree,,pcr,no,\nj1,,,,pcr,no,\nj1,,maybe,,pcr,no,\nj1,,agree,,,no,\n"
        "j1,,agree,,pcr,perhaps,\nj1,,agree,,pcr,no,late\nj1,,agree,,pcr,no,fine\n"
    )
    done = run(tmp_path, text, "--json")
    answer = json.loads(done.stdout)
    assert (done.exit_code, answer["given"], answer["refused"]) == (1, 1, 7)
    assert [line["line"] for line in answer["lines"] if line["error"]] == [2, 3, 4, 5, 6, 7, 8]
    assert answer["lines"][6]["error"]["code"] == "not_judgeable"


def test_the_same_line_again_is_the_same_request(service: Service, tmp_path: Path) -> None:
    text = "job_id,verdict\nj1,agree\nj2,agree\n"
    for _ in range(2):
        run(tmp_path, text, "--basis", "pcr", "--before-result")
    assert service.keys[:2] == service.keys[2:]
    assert len(set(service.keys)) == 2


def test_an_unknown_column_is_named(service: Service, tmp_path: Path) -> None:
    done = run(tmp_path, "job,verdict\nj1,agree\n")
    assert done.exit_code == 1
    assert service.sent == []
