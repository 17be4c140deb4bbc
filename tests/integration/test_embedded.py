"""The embedded engines: start, attach, a clean end, and what kill -9 leaves behind."""

import json
import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from signal import SIGKILL

import psutil
import psycopg
import pytest
import redis

from infra.accounts import EngineFailed
from infra.embedded import Engines
from infra.processes import wait_until

OWNER = """
import sys, time
from pathlib import Path
from infra.embedded import Engines
engines = Engines(Path(sys.argv[1])).start()
print("up", flush=True)
time.sleep(600)
"""


@pytest.fixture
def home() -> Iterator[Path]:
    # Directly under the temporary folder: the account that runs the engines for root must be able to pass through.
    folder = Path(tempfile.mkdtemp(prefix="thoracle-engines-"))
    yield folder
    Engines(folder).erase()
    for path in sorted(folder.rglob("*"), reverse=True):
        path.unlink() if path.is_file() else path.rmdir()
    folder.rmdir()


def test_both_engines_answer_and_refuse_without_the_password(home: Path) -> None:
    with Engines(home) as engines:
        assert _query(engines, "SELECT 1") == 1
        assert _query(engines, "SHOW fsync") == "on"
        assert _valkey(engines).config_get("maxmemory-policy") == {"maxmemory-policy": "noeviction"}
        assert _valkey(engines).config_get("appendonly") == {"appendonly": "yes"}
        with pytest.raises(psycopg.OperationalError):
            psycopg.connect(_plain(engines).replace(engines._state.password, "guess"))
        with pytest.raises(redis.AuthenticationError):
            redis.Redis.from_url(engines.redis_url.replace(engines._state.password, "guess")).ping()


def test_no_engine_runs_as_root_and_secrets_are_private(home: Path) -> None:
    with Engines(home) as engines:
        for process in _processes(engines):
            assert process.uids().effective != 0
            assert engines._state.password not in " ".join(process.cmdline())
    for name in ("engines.json", "users.lock", "changing.lock"):
        assert (home / name).stat().st_mode & 0o077 == 0
    root = engines._state.root
    assert root
    for folder in (home / "data", home / "logs", root / "postgres", root / "valkey"):
        assert folder.stat().st_mode & 0o077 == 0


def test_data_and_addresses_survive_a_restart(home: Path) -> None:
    with Engines(home) as engines:
        before = engines.database_url, engines.redis_url
        _query(engines, "CREATE TABLE kept AS SELECT 42 AS answer", fetch=False)
        _valkey(engines).set("kept", "42")
    with Engines(home) as engines:
        assert (engines.database_url, engines.redis_url) == before
        assert not engines.attached
        assert _query(engines, "SELECT answer FROM kept") == 42
        assert _valkey(engines).get("kept") == b"42"


def test_the_last_one_to_leave_stops_them(home: Path) -> None:
    first, second = Engines(home).start(), Engines(home).start()
    processes = _processes(first)
    assert second.attached
    assert second.database_url == first.database_url
    first.stop()
    assert _query(second, "SELECT 1") == 1
    second.stop()
    assert not any(_runs(process) for process in processes)
    assert not (home / "postgres" / "postmaster.pid").exists(), "PostgreSQL did not end cleanly"


def test_nothing_is_left_behind_when_the_owner_is_killed(home: Path) -> None:
    owner = _owner(home)
    processes = [psutil.Process(child["pid"]) for child in _state(home)["children"].values()]
    owner.kill()
    owner.communicate()
    assert wait_until(lambda: not any(_runs(process) for process in processes), 60)
    with Engines(home) as engines:
        assert not engines.attached
        assert _query(engines, "SELECT 1") == 1


def test_engines_left_by_a_killed_owner_and_guardian_are_taken_over(home: Path) -> None:
    owner = _owner(home)
    guardian = psutil.Process(owner.pid).children()
    processes = [psutil.Process(child["pid"]) for child in _state(home)["children"].values()]
    for process in guardian:
        if "infra.guardian" in process.cmdline():
            process.kill()
    owner.kill()
    owner.communicate()
    assert all(_runs(process) for process in processes)
    with Engines(home) as engines:
        assert engines.attached
        assert _query(engines, "SELECT 1") == 1
    assert not any(_runs(process) for process in processes)


def test_killed_engines_start_again_with_their_data(home: Path) -> None:
    with Engines(home) as engines:
        _query(engines, "CREATE TABLE kept AS SELECT 42 AS answer", fetch=False)
        for process in _processes(engines):
            os.kill(process.pid, SIGKILL)
        before = engines.database_url
        engines.ensure()
        assert engines.database_url == before
        assert _query(engines, "SELECT answer FROM kept") == 42


def test_a_taken_port_is_given_up(home: Path) -> None:
    with Engines(home) as engines:
        port = engines._state.ports["postgres"]
    with socket.socket() as squatter:
        squatter.bind(("127.0.0.1", port))
        squatter.listen()
        with Engines(home) as engines:
            assert engines._state.ports["postgres"] != port
            assert _query(engines, "SELECT 1") == 1


def test_a_lost_password_is_said_clearly(home: Path) -> None:
    with Engines(home):
        pass
    (home / "engines.json").unlink()
    with pytest.raises(EngineFailed, match=r"engines\.json"):
        Engines(home).start()


def _owner(home: Path) -> subprocess.Popen[str]:
    owner = subprocess.Popen([sys.executable, "-c", OWNER, str(home)], stdout=subprocess.PIPE, text=True)
    assert owner.stdout
    assert owner.stdout.readline() == "up\n"
    return owner


def _state(home: Path) -> dict[str, dict[str, dict[str, int]]]:
    return json.loads((home / "engines.json").read_text())  # type: ignore[no-any-return]


def _processes(engines: Engines) -> list[psutil.Process]:
    return [psutil.Process(child.pid) for child in engines._state.children.values()]


def _runs(process: psutil.Process) -> bool:
    return process.is_running() and process.status() != psutil.STATUS_ZOMBIE


def _plain(engines: Engines) -> str:
    return engines.database_url.replace("+psycopg", "")


def _query(engines: Engines, statement: str, fetch: bool = True) -> object:
    with psycopg.connect(_plain(engines)) as connection:
        cursor = connection.execute(statement)
        return cursor.fetchone()[0] if fetch else None  # type: ignore[index]


def _valkey(engines: Engines) -> redis.Redis:
    return redis.Redis.from_url(engines.redis_url)
