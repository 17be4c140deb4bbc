"""Real engines for every test that needs them: PostgreSQL and Valkey from wheels, one migrated database a test."""

import secrets
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from pydantic import SecretStr
from sqlalchemy.engine import make_url

from infra.embedded import Engines
from shared.db import engine
from shared.db.engine import Database
from shared.db.migrate import upgrade
from shared.deployments import open_deployment, publish
from shared.registry import store
from shared.schemas import Modality
from shared.settings import Settings
from tests.support.memory import memory
from tests.support.stack import Hospital

if TYPE_CHECKING:
    from tests.support.trained import Trainings

ROOT = Path(__file__).parents[1]
DATA = ROOT.parent / "shared" / "data"
_TOGETHER = {  # files and folders whose tests share costly things, which one process makes once
    "tests/e2e/": "one site and browser",
    "tests/integration/test_recipes_serve.py": "the trained versions",
    "tests/unit/trainer/test_recipes.py": "the trained versions",
}
_LONGEST = ("tests/chaos/test_run.py", "the trained versions", "one site and browser")  # they begin: none ends alone


def pytest_configure(config: pytest.Config) -> None:
    """Each process has its own cache of compiled functions: two that write one leave what crashes its next reader."""
    if process := getattr(config, "workerinput", None):
        cache = Path(sys.prefix) / "numba" / process["workerid"]
        pytest.MonkeyPatch().setenv("NUMBA_CACHE_DIR", str(cache))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest groups begin."""
    places = {name: place for place, name in enumerate(_LONGEST)}
    items.sort(key=lambda item: places.get(_group(item.nodeid), len(places)))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """With several processes (`make test`), a group's tests run in one of them."""
    from xdist.scheduler import LoadScopeScheduling

    class Groups(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return _group(nodeid)

    return Groups(config, log)


def _group(test: str) -> str:
    """A file, or what several share."""
    return next((name for start, name in _TOGETHER.items() if test.startswith(start)), test.partition("::")[0])


@dataclass(frozen=True)
class Published:
    """A database to copy, the folder of the versions that it knows, and their sha256 by modality."""

    template: str
    versions: Path
    addresses: dict[Modality, str]


@pytest.fixture(scope="session")
def data() -> Path:
    """The development data beside the repository."""
    if not DATA.is_dir():
        pytest.skip("the development data (../shared/data) is not beside this clone")
    return DATA


@pytest.fixture(scope="session", autouse=True)
def patient() -> Iterator[None]:
    """A machine that stands still for seconds is no database that is away: connecting may take long in a test."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(engine._CONNECT, "connect_timeout", 30)
        yield


@pytest.fixture(scope="session")
def engines() -> Iterator[Engines]:
    """PostgreSQL and Valkey, started once."""
    home = Path(tempfile.mkdtemp(prefix="thoracle-engines-", dir=memory()))
    with Engines(home) as running:
        # A thousand databases are made and dropped; no test of this server survives a power cut.
        _admin(running, "ALTER SYSTEM SET fsync = off")
        _admin(running, "ALTER SYSTEM SET full_page_writes = off")
        # Who was told to stop while it connected leaves half a connection behind, and dropping a database waits for it.
        _admin(running, "ALTER SYSTEM SET authentication_timeout = '5s'")
        _admin(running, "SELECT pg_reload_conf()")
        yield running
    running.erase()
    shutil.rmtree(home)


@pytest.fixture(scope="session")
def template(engines: Engines, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The name of a migrated database that tests copy."""
    name = "template_thoracle"
    _admin(engines, f"CREATE DATABASE {name}")
    upgrade(_settings(engines, name, tmp_path_factory.mktemp("template")))
    return name


@pytest.fixture(scope="session")
def published_template(
    engines: Engines, template: str, tiny_versions: dict[Modality, Path], tmp_path_factory: pytest.TempPathFactory
) -> Published:
    """The same with tiny versions stored, published and active."""
    name, addresses = "template_published", {}
    _copy(engines, template, name)
    settings = _settings(engines, name, tmp_path_factory.mktemp("published"))
    database = Database(settings)
    for modality, folder in tiny_versions.items():
        artefact = store(folder, settings.versions_dir)
        with database.begin() as session:
            open_deployment(session, publish(session, artefact, "test"), "test")
        addresses[modality] = artefact.sha256
    database.close()
    return Published(name, settings.versions_dir, addresses)


@pytest.fixture
def settings(request: pytest.FixtureRequest, engines: Engines, tmp_path: Path) -> Iterator[Settings]:
    """Settings with a database and data folder of the test's own, and short times."""
    published: Published | None = None
    if "deployed" in request.fixturenames:
        published = request.getfixturevalue("published_template")
    template = published.template if published else request.getfixturevalue("template")
    with made_database(engines, template, tmp_path) as made:
        if published:
            shutil.copytree(published.versions, made.versions_dir)
        yield made


@pytest.fixture
def database(settings: Settings) -> Iterator[Database]:
    """Sync sessions on the test's database."""
    opened = Database(settings)
    yield opened
    opened.close()


@pytest.fixture
def hospital(settings: Settings, database: Database) -> Hospital:
    """A tenant that submits straight into the database."""
    return Hospital(settings, database)


@pytest.fixture(scope="session")
def tiny_versions(tmp_path_factory: pytest.TempPathFactory) -> dict[Modality, Path]:
    """A tiny sealed version per modality."""
    from tests.support.versions import tiny  # needs onnx, which only development installs

    folder = tmp_path_factory.mktemp("versions")
    return {modality: tiny(folder / modality, modality) for modality in Modality}


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> "Trainings":
    """A tiny version of every recipe, trained on the first request."""
    pytest.importorskip("torch")
    from tests.support.trained import Trainings  # needs torch, which only development installs

    return Trainings(tmp_path_factory.mktemp("trained"))


@pytest.fixture
def deployed(published_template: Published) -> dict[Modality, str]:
    """Tiny versions are stored, published and active in the test's database; their sha256 by modality."""
    return dict(published_template.addresses)


@contextmanager
def made_database(engines: Engines, template: str, folder: Path) -> Iterator[Settings]:
    """A migrated database that is dropped in the end, and the settings for it."""
    name = f"test_{secrets.token_hex(6)}"
    _copy(engines, template, name)
    yield _settings(engines, name, folder)
    _admin(engines, f"DROP DATABASE {name} WITH (FORCE)")


def _settings(engines: Engines, name: str, folder: Path) -> Settings:
    url = make_url(engines.database_url).set(database=name).render_as_string(hide_password=False)
    return Settings(
        _env_file=None,
        home=folder,
        data_dir=folder / "data",
        database_url=SecretStr(url),
        redis_url=SecretStr(engines.redis_url),
        lease_s=3.0,
        heartbeat_s=0.5,
        idle_look_s=0.3,
        deployment_look_s=0.3,
        log_format="text",
        reuse_results=False,  # many tests submit one input many times
    )


def _copy(engines: Engines, template: str, name: str) -> None:
    _admin(engines, f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY file_copy")  # nothing through the log


def _admin(engines: Engines, statement: str) -> None:
    address = make_url(engines.database_url).set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(address, autocommit=True) as connection:
        connection.execute(statement.encode())
