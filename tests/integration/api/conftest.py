"""A running gateway with three active versions."""

from collections.abc import Iterator

import httpx
import pytest

from shared.db.engine import Database
from shared.schemas import Modality, Role
from shared.settings import Settings
from tests.integration.api.support import Api, serving


@pytest.fixture
def api(settings: Settings, database: Database, deployed: dict[Modality, str]) -> Iterator[Api]:
    """The gateway of this test."""
    with serving(settings, database) as running:
        yield running


@pytest.fixture
def client(api: Api) -> httpx.Client:
    """A system that submits for the hospital `north`."""
    return api.client(Role.SUBMITTER)
