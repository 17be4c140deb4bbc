"""`thoracle up` and the commands that speak to it, as a user runs them: real processes on a home of their own."""

import csv
import json
import signal
from collections.abc import Iterator
from pathlib import Path

import httpx
import psutil
import pytest

from infra.ports import free_port
from infra.processes import wait_until
from infra.state import Services
from shared import registry
from shared.deployments import STARTER
from shared.schemas import Modality
from shared.transforms import sample_files
from tests.support.machine import Machine, new, served
from tests.support.versions import tiny

OVERRIDE = ("--override", "a test's version knows nothing")


@pytest.fixture(scope="module")
def machine(tiny_versions: dict[Modality, Path]) -> Iterator[Machine]:
    """Everything up, with a tiny active version of each kind."""
    with served(tiny_versions) as place:
        yield place


@pytest.fixture
def empty() -> Iterator[Machine]:
    place = new()
    yield place
    place.clean()


def test_submit_answers_in_a_table_and_as_json(machine: Machine, tmp_path: Path) -> None:
    picture, cough = tmp_path / "chest.png", tmp_path / "cough.wav"
    picture.write_bytes(sample_files.xray("PNG"))
    cough.write_bytes(sample_files.cough("WAV"))
    (job,) = machine.answer("submit", str(picture), "--client-ref", "order 7")["jobs"]
    assert (job["file"], job["status"], job["modality"]) == ("chest.png", "succeeded", "chest_xray")
    assert job["client_ref"] == "order 7"
    shown = machine.run("submit", str(cough), "--modality", "cough", "--priority", "stat").stdout
    assert "cough.wav" in shown
    assert "probability" in shown
    assert "succeeded" in shown


def test_files_that_cannot_be_used_end_with_a_sentence_and_exit_code_1(machine: Machine, tmp_path: Path) -> None:
    text, silent = tmp_path / "text.png", tmp_path / "silent.wav"
    text.write_text("This is a text.")
    silent.write_bytes(sample_files.silence())
    jobs = machine.answer("submit", str(text), str(silent), "--modality", "cough", code=1)["jobs"]
    assert [job["status"] for job in jobs] == ["refused", "rejected"]
    assert [job["error"]["code"] for job in jobs] == ["input_type_unknown", "audio_silent"]
    assert "silent" in machine.run("submit", str(silent), "--modality", "cough", code=1).stdout
    machine.run("submit", str(tmp_path / "absent.png"), code=1)


def test_jobs_can_be_listed_shown_and_not_cancelled_when_over(machine: Machine, tmp_path: Path) -> None:
    picture = tmp_path / "chest.png"
    picture.write_bytes(sample_files.xray("PNG"))
    (job,) = machine.answer("submit", str(picture))["jobs"]
    listed = machine.answer("jobs", "list", "--modality", "chest_xray", "--limit", "5")["jobs"]
    assert job["id"] == listed[0]["id"]
    assert machine.answer("jobs", "show", job["id"])["result"]["probability"] == job["result"]["probability"]
    assert job["id"] in machine.run("jobs", "list").stdout
    assert "succeeded" in machine.run("jobs", "show", job["id"]).stdout
    assert "still waits or runs" in machine.run("jobs", "cancel", job["id"], code=1).stderr
    assert "failed or was given up" in machine.run("jobs", "retry", job["id"], code=1).stderr


def test_jobs_are_filtered_written_as_a_row_and_run_again(machine: Machine, tmp_path: Path) -> None:
    picture = tmp_path / "chest.png"
    picture.write_bytes(sample_files.xray("PNG"))
    (job,) = machine.answer("submit", str(picture), "--client-ref", "FILTER-1")["jobs"]
    wanted = ("--reference", "FILTER", "--decision", job["result"]["decision"], "--since", "2026-01-01")
    assert [one["id"] for one in machine.answer("jobs", "list", *wanted)["jobs"]] == [job["id"]]
    assert machine.answer("jobs", "list", *wanted, "--until", "2026-01-02")["jobs"] == []
    assert machine.answer("jobs", "list", *wanted, "--priority", "stat")["jobs"] == []
    (row,) = csv.DictReader(machine.run("jobs", "results", job["id"]).stdout.splitlines())
    assert (row["job_id"], row["client_ref"], row["status"]) == (job["id"], "FILTER-1", "succeeded")
    again = machine.answer("jobs", "rerun", job["id"])
    assert again["id"] != job["id"]
    assert again["input"] == job["input"]


def test_pointers_are_listed_moved_and_moved_back(machine: Machine, tmp_path: Path) -> None:
    deployment = httpx.get(f"{_url(machine)}/v1/deployments/cough", headers=_auth(machine), timeout=60).json()
    before, name = deployment["generation"], deployment["active"]["name"]
    problem = machine.run("promote", deployment["active"]["sha256"][:12], "--reason", "once more", code=1).stderr
    assert "active already" in problem
    (version,) = machine.answer("publish", str(tiny(tmp_path / "version", Modality.COUGH, "tiny-7")))["versions"]
    moved = machine.answer("promote", version["sha256"][:12], "--reason", "a test of the pointer", *OVERRIDE)
    assert moved["generation"] == before + 1
    back = machine.answer("rollback", "cough", "--reason", "a test of the way back")
    assert back["generation"] == before + 2
    assert "active" in machine.run("versions").stdout
    problem = machine.run("promote", "nonsense", "--modality", "cough", "--reason", "never", code=1).stderr
    assert name in problem


def test_keys_are_made_used_listed_and_revoked(machine: Machine) -> None:
    made = machine.answer("keys", "create", "ward 7", "--role", "clinician", "--tenant", "north")
    assert made["kind"] == "person"  # who may judge; a system's verdict would be refused
    headers = {"Authorization": f"Bearer {made['key']}"}
    assert httpx.get(f"{_url(machine)}/v1/me", headers=headers, timeout=60).json()["name"] == "ward 7"
    (key,) = [key for key in machine.answer("keys", "list")["keys"] if key["name"] == "ward 7"]
    assert made["key"] not in json.dumps(key)
    machine.run("keys", "revoke", key["id"])
    assert httpx.get(f"{_url(machine)}/v1/me", headers=headers, timeout=60).status_code == 401
    assert "no more than its holder" in machine.run(
        "keys", "create", "ward 7", "--role", "admin", "--tenant", "north", code=1
    ).stderr.replace("\n", " ")
    link = machine.answer("keys", "link", "ann", "--role", "clinician")["link"]
    assert httpx.get(link, timeout=60).status_code == 200


def test_a_version_is_published_and_promoted(machine: Machine, tmp_path: Path) -> None:
    folder = tiny(tmp_path / "version", Modality.COUGH, "tiny-2", bias=0.5)
    (version,) = machine.answer("publish", str(folder))["versions"]
    assert (
        machine.answer("promote", "tiny-2", "--reason", "it is newer", *OVERRIDE)["active"]["sha256"]
        == version["sha256"]
    )
    machine.answer("rollback", "cough", "--reason", "it was a test")
    (folder / "model.onnx").write_bytes(b"altered")
    assert "altered" in machine.run("publish", str(folder), code=1).stderr


def test_a_version_is_carried_to_another_machine(machine: Machine, empty: Machine, tmp_path: Path) -> None:
    file = tmp_path / "version.thoracle"
    sent = machine.answer("versions", "export", "tiny-1", str(file), "--modality", "chest_xray")
    assert sent["bytes"] == file.stat().st_size
    got = empty.answer("versions", "import", str(file))
    assert (got["sha256"], got["name"]) == (sent["sha256"], "tiny-1")
    assert registry.verify(empty.settings().versions_dir / got["sha256"], sent["sha256"]).card.name == "tiny-1"
    body = bytearray(file.read_bytes())
    body[len(body) // 2] ^= 1
    file.write_bytes(body)
    assert "cannot be" in machine.run("versions", "import", str(file), code=1).stderr


def test_a_folder_becomes_a_table_and_is_continued(machine: Machine, tmp_path: Path) -> None:
    folder, out = tmp_path / "folder", tmp_path / "out.csv"
    (folder / "ward").mkdir(parents=True)
    (folder / "chest.png").write_bytes(sample_files.xray("PNG"))
    (folder / "ward" / "chest.jpg").write_bytes(sample_files.xray("JPEG"))
    (folder / "text.txt").write_text("This is a text.")
    (folder / ".hidden").write_text("Not looked at.")
    said = machine.run("predict", str(folder), "--csv", str(out), code=1).stderr
    assert "3 files, 0 of them from an earlier run; 1 have no result" in said
    first = _rows(out)
    assert [(row["file"], row["status"]) for row in first] == [
        ("chest.png", "succeeded"), ("text.txt", "refused"), ("ward/chest.jpg", "succeeded"),
    ]  # fmt: skip
    assert first[1]["error_code"] == "input_type_unknown"
    assert first[0]["decision"] in ("flagged", "not_flagged", "refer")
    assert 0 <= float(first[0]["probability"]) <= 1
    assert len(first[0]["version_sha256"]) == 64

    lines = out.read_text().splitlines(keepends=True)
    out.write_text("".join(lines[:2]) + lines[2][:20])  # killed while it wrote the second row
    assert "1 of them from an earlier run" in machine.run("predict", str(folder), "--csv", str(out), code=1).stderr
    assert _rows(out) == first, "the same jobs, not new ones"
    out.write_text("something else\n")
    assert "was not written by" in machine.run("predict", str(folder), "--csv", str(out), code=1).stderr


def _rows(table: Path) -> list[dict[str, str]]:
    with table.open(newline="") as stream:
        return list(csv.DictReader(stream))


def test_the_demo_joins_what_runs_already(machine: Machine) -> None:
    done = machine.run("demo", "--json")
    jobs = json.loads(done.stdout)["jobs"]
    assert {job["modality"]: job["status"] for job in jobs} == dict.fromkeys(Modality, "succeeded")
    for job in jobs:
        assert job["synthetic"] is True
        assert job["version"]["sha256"]
        assert job["decision"] in ("flagged", "not_flagged", "refer")
        assert 0 <= job["probability"] <= 1
        assert job["timings"]["total_ms"] > 0
    links = [word for word in done.stderr.split() if "/sign-in/" in word]
    assert len(links) == 4
    assert all(link.startswith(_url(machine)) for link in links)


@pytest.mark.skipif(not any(STARTER.glob("*/manifest.json")), reason="this clone has no starter versions yet")
def test_the_demo_from_nothing_twice(empty: Machine) -> None:
    for _ in range(2):
        jobs = empty.answer("demo", "--once")["jobs"]
        assert [job["status"] for job in jobs] == ["succeeded"] * 3
        assert Services.load(empty.home) is None


def test_a_second_one_of_the_same_home_is_refused_clearly(machine: Machine) -> None:
    said = machine.run("up", code=1).stderr
    assert "runs already" in said
    assert _url(machine) in said


def test_a_worker_that_dies_is_started_again(machine: Machine) -> None:
    services = Services.load(machine.home)
    assert services
    psutil.Process(services.children["worker"].pid).kill()

    def restarted() -> bool:
        now = Services.load(machine.home)
        return now is not None and now.children["worker"] != services.children["worker"]

    assert wait_until(restarted, 60)


def test_doctor_looks_at_everything(machine: Machine) -> None:
    found = machine.answer("doctor", code=_doctor_code())
    checks = {check["name"]: check for check in found["checks"]}
    assert checks["Database"]["state"] == checks["Queue"]["state"] == checks["Gateway"]["state"] == "ok"


def test_doctor_tells_what_each_version_takes(machine: Machine) -> None:
    def loaded() -> set[str]:
        rows = machine.answer("doctor", code=_doctor_code())["versions_mb"]
        return {row["version"].partition("/")[0] for row in rows}

    # The worker's row is written with its heartbeat.
    assert wait_until(lambda: loaded() == {"chest_xray", "cough", "lung_sound"}, 60)


def test_a_signal_stops_everything_and_ends_with_0(empty: Machine) -> None:
    up = empty.up()
    processes = empty.processes()
    up.send_signal(signal.SIGINT)
    up.communicate(timeout=60)
    assert up.returncode == 0
    assert not any(_runs(process) for process in processes)
    log = (empty.home / "logs" / "postgres.log").read_text()
    assert log.rstrip().endswith("database system is shut down")


def test_nothing_outlives_a_killed_owner_and_the_next_one_starts(empty: Machine) -> None:
    up = empty.up()
    processes = empty.processes()
    up.kill()
    up.communicate()
    assert wait_until(lambda: not any(_runs(process) for process in processes), 60)
    empty.up()
    assert httpx.get(f"{_url(empty)}/health/ready", timeout=60).status_code == 200


def test_nobody_there_is_said_clearly(tmp_path: Path) -> None:
    place = Machine(tmp_path, free_port())
    said = place.run("jobs", "list", code=1).stderr
    assert "thoracle up" in said


def _url(machine: Machine) -> str:
    return f"http://127.0.0.1:{machine.port}"


def _auth(machine: Machine) -> dict[str, str]:
    return {"Authorization": f"Bearer {(machine.home / 'key').read_text().strip()}"}


def _doctor_code() -> int:
    """Wrong is only that no starter version is there, on a clone that has none yet."""
    return 0 if any(STARTER.glob("*/manifest.json")) else 1


def _runs(process: psutil.Process) -> bool:
    return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
