"""A machine with a home of its own, everything up on it, and the commands that a user runs there."""

import contextlib
import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from infra.embedded import Engines
from infra.ports import free_port
from infra.stack import open_engines
from infra.state import Services, State
from shared.db.engine import Database
from shared.deployments import open_deployment, publish
from shared.registry import store
from shared.schemas import Modality
from shared.settings import Settings, child_environment
from tests.support.memory import memory

ROOT = Path(__file__).parents[2]


@dataclass
class Machine:
    """A home, and the commands run in it."""

    home: Path
    port: int
    ups: list[subprocess.Popen[str]] = field(default_factory=list)

    @property
    def environment(self) -> dict[str, str]:
        return child_environment(
            THORACLE_HOME=str(self.home), THORACLE_PORT=str(self.port), DATABASE_URL="", REDIS_URL="", THORACLE_KEY=""
        )

    def run(self, *arguments: str, code: int = 0) -> subprocess.CompletedProcess[str]:
        """One command, to its end."""
        command = [sys.executable, "-m", "cli.main", *arguments]
        done = subprocess.run(command, cwd=ROOT, env=self.environment, capture_output=True, text=True, timeout=120)
        assert done.returncode == code, done.stdout + done.stderr
        assert "Traceback" not in done.stderr
        return done

    def answer(self, *arguments: str, code: int = 0) -> Any:
        """What one command says with --json."""
        return json.loads(self.run(*arguments, "--json", code=code).stdout)

    def up(self) -> subprocess.Popen[str]:
        """Start everything; returns when it is ready."""
        command = [sys.executable, "-m", "cli.main", "up", "--json"]
        pipe = subprocess.PIPE
        popen = subprocess.Popen(command, cwd=ROOT, env=self.environment, stdout=pipe, stderr=pipe, text=True)
        self.ups.append(popen)
        assert popen.stdout
        first = popen.stdout.readline()
        assert first == "{\n", popen.communicate()[1]
        return popen

    def processes(self) -> list[psutil.Process]:
        """Services and engines that run now."""
        services = Services.load(self.home)
        assert services
        children = [*services.children.values(), *State.load(self.home).children.values()]
        return [psutil.Process(child.pid) for child in children]

    def settings(self) -> Settings:
        return Settings(_env_file=None, home=self.home, port=self.port)

    def clean(self) -> None:
        for popen in self.ups:
            if popen.poll() is None:
                popen.terminate()
            popen.communicate(timeout=60)
        Engines(self.home).erase()
        shutil.rmtree(self.home)


def new() -> Machine:
    """Nothing runs on it yet."""
    # Directly under a folder that all may enter: the account that runs root's engines must be able to pass through.
    return Machine(Path(tempfile.mkdtemp(prefix="thoracle-home-", dir=memory())), free_port())


@contextlib.contextmanager
def served(versions: Mapping[Modality, Path]) -> Iterator[Machine]:
    """Everything up, with these versions active."""
    place = new()
    try:
        place.up()
        with open_engines(place.settings()) as (settings, _):
            database = Database(settings)
            with database.begin() as session:
                for folder in versions.values():
                    artefact = store(folder, settings.versions_dir)
                    open_deployment(session, publish(session, artefact, "test"), "test")
            database.close()
        yield place
    finally:
        place.clean()
