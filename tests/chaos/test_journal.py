"""The journal is what the service is judged by, so it must not lose or invent a call itself."""

import json
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from tests.chaos.journal import Journal, Operation, read
from tests.support.stack import ROOT

_WRITES_UNTIL_KILLED = """
import sys
from pathlib import Path
from tests.chaos.journal import Journal
journal, number = Journal(Path(sys.argv[1])), 0
while True:
    call = journal.before("submit", subject=str(number), padding="x" * 500)
    journal.after(call, status=202)
    print(number, flush=True)
    number += 1
"""


def test_a_call_is_read_back_as_it_was_told(tmp_path: Path) -> None:
    with Journal(tmp_path / "journal") as journal:
        call = journal.before("submit", tenant="north", idempotency_key="k", subject="s", number=7)
        open_call = journal.before(Operation.GET, tenant="north", asked="j")
        journal.after(call, status=202, job_id="j")
    first, second = read(tmp_path / "journal")
    assert (first.call, first.operation, first.status, first.job_id) == (call, "submit", 202, "j")
    assert (first.tenant, first.idempotency_key, first.subject, first.more) == ("north", "k", "s", {"number": 7})
    assert first.ended_at is not None
    assert first.ended_at >= first.at
    assert first.accepted
    assert (second.call, second.status, second.ended_at, second.accepted) == (open_call, None, None, False)


def test_an_unknown_operation_is_refused(tmp_path: Path) -> None:
    with Journal(tmp_path / "journal") as journal, pytest.raises(ValueError, match="guess"):
        journal.before("guess")


def test_threads_mix_no_lines(tmp_path: Path) -> None:
    def calls(journal: Journal, name: str) -> None:
        for number in range(20):
            journal.after(journal.before("get", asked=f"{name}-{number}"), status=200, job_id=f"{name}-{number}")

    with Journal(tmp_path / "journal") as journal:
        threads = [threading.Thread(target=calls, args=(journal, str(name))) for name in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    entries = read(tmp_path / "journal")
    assert len(entries) == 80
    assert all(entry.asked == entry.job_id for entry in entries)


def test_a_torn_last_line_is_left_out_and_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    with Journal(path) as journal:
        journal.after(journal.before("submit", subject="whole"), status=202)
    with path.open("ab") as file:
        file.write(b'{"call": "half", "operation": "sub')
    assert [entry.subject for entry in read(path)] == ["whole"]
    with Journal(path) as journal:
        journal.before("submit", subject="next")
    assert [entry.subject for entry in read(path)] == ["whole", "next"]


def test_a_torn_line_elsewhere_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    path.write_bytes(b'{"call": "half", "opera\n{"call": "a", "operation": "get", "at": "2026-11-28T00:00:00+00:00"}\n')
    with pytest.raises(json.JSONDecodeError):
        read(path)


def test_a_killed_client_has_written_whatever_it_did(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    command = [sys.executable, "-c", _WRITES_UNTIL_KILLED, str(path)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as client:
        assert client.stdout is not None
        seen = [int(client.stdout.readline()) for _ in range(30)]
        client.kill()
        seen += [int(line) for line in client.stdout.read().splitlines()]
    entries = read(path)
    assert [entry.subject for entry in entries if entry.status == 202][: len(seen)] == [str(number) for number in seen]
