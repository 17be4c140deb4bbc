"""A running gateway with three active versions."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from shared.db.engine import Database
from shared.deployments import publish
from shared.registry import store
from shared.schemas import Modality, Role
from shared.settings import Settings
from tests.integration.api.support import Api, serving
from tests.support.versions import tiny


@pytest.fixture
def api(settings: Settings, database: Database, deployed: dict[Modality, str]) -> Iterator[Api]:
    """The gateway of this test."""
    with serving(settings, database) as running:
        yield running


@pytest.fixture
def client(api: Api) -> httpx.Client:
    """A system that submits for the hospital `north`."""
    return api.client(Role.SUBMITTER)


@pytest.fixture
def second(api: Api, tmp_path: Path) -> str:
    """A second X-ray version, published and not active."""
    artefact = store(tiny(tmp_path / "second", Modality.CHEST_XRAY, "tiny-2", bias=1.0), api.settings.versions_dir)
    with api.database.begin() as session:
        publish(session, artefact, "test")
    return artefact.sha256
