"""`thoracle feedback`, `adjudications` and `adjudicate` against the gateway, as two persons run them."""

import json
from pathlib import Path
from typing import Any

import httpx
from typer.testing import CliRunner

from cli.main import app
from shared.db import people
from shared.schemas import Role
from tests.integration.api.support import Api
from tests.integration.api.test_feedback import result


def command(api: Api, person: str, *arguments: str, code: int = 0) -> Any:
    """What one command says with --json, with the key of this person."""
    with api.database.begin() as session:
        owner = people.ensure_tenant(session, "north")
        key = people.issue(session, people.ensure_principal(session, owner, person, [Role.CLINICIAN]).id, "key")
    environment = {"THORACLE_URL": api.settings.base_url, "THORACLE_KEY": key}
    done = CliRunner().invoke(app, [*arguments, "--json"], env=environment)
    assert done.exit_code == code, done.output
    return json.loads(done.stdout) if done.stdout.startswith("{") else done.output


def test_a_verdict_from_its_click_to_its_second_reading(api: Api, client: httpx.Client) -> None:
    job = result(api, client)
    how = ("--basis", "radiologist", "--saw-result-first")
    one = command(api, "ada", "feedback", "give", job, "disagree", "--label", "absent", *how)
    assert one["review"]["state"] == "in_adjudication"
    assert [said["id"] for said in command(api, "ada", "feedback", "list", "--standing")["feedback"]] == [one["id"]]
    assert command(api, "ada", "feedback", "list", "--ended")["feedback"] == []
    (waiting,) = command(api, "ben", "adjudications", "list", "--modality", "chest_xray")["adjudications"]
    assert command(api, "ben", "adjudications", "show", waiting["id"])["verdicts"] is None
    refused = command(api, "ada", "adjudicate", waiting["id"], "absent", "--basis", "pcr", code=1)
    assert "Another person" in refused
    closed = command(api, "ben", "adjudicate", waiting["id"], "absent", "--basis", "pcr", "--comment", "seen before")
    assert (closed["state"], closed["label"], closed["verdicts"][0]["reader"]) == ("adjudicated", "absent", "ada")
    assert command(api, "ada", "feedback", "withdraw", one["id"])["stands"] is False
    assert [said["stands"] for said in command(api, "ada", "feedback", "show", job)["feedback"]] == [False]


def test_a_laboratory_tells_many_at_once(api: Api, client: httpx.Client, tmp_path: Path) -> None:
    jobs = [result(api, client, client_ref=f"ORDER-{number}") for number in range(3)]
    file = tmp_path / "pcr.csv"
    file.write_text("client_ref,label\nORDER-0,present\nORDER-1,absent\nORDER-9,absent\n")
    how = ("feedback", "import", str(file), "--basis", "pcr", "--before-result")
    done = command(api, "laboratory", *how, code=1)
    assert (done["given"], done["refused"], done["lines"][2]["line"]) == (2, 1, 4)
    again = command(api, "laboratory", *how, code=1)
    assert [one.get("id") for one in again["lines"]] == [one.get("id") for one in done["lines"]]
    states = [client.get(f"/v1/jobs/{job}").json()["result"]["review"]["state"] for job in jobs]
    assert states == ["agreed", "in_adjudication", "none"]
