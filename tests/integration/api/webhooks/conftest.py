"""A gateway whose operator lets webhooks reach this machine, and the systems that are told."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from shared.db.engine import Database
from shared.schemas import Modality, Role
from shared.settings import Settings
from tests.integration.api.support import Api, serving
from tests.integration.api.webhooks.support import local
from tests.support.receiver import Receiver, receiver

DOCS = Path(__file__).parents[4] / "docs" / "api.md"


@pytest.fixture
def api(settings: Settings, database: Database, deployed: dict[Modality, str]) -> Iterator[Api]:
    """A gateway whose operator lets webhooks reach this machine."""
    with serving(local(settings), database) as running:
        yield running


@pytest.fixture
def admin(api: Api) -> httpx.Client:
    """The hospital's administrator."""
    return api.client(Role.ADMIN)


@pytest.fixture
def client(api: Api) -> httpx.Client:
    """A system that submits for the same hospital."""
    return api.client(Role.SUBMITTER)


@pytest.fixture
def hook() -> Iterator[Receiver]:
    """The hospital's system that is told."""
    with receiver() as running:
        yield running


@pytest.fixture(scope="module")
def verify() -> Callable[..., dict[str, Any]]:
    """The example of docs/api.md."""
    code = next(c for c in re.findall(r"```python\n(.*?)```", DOCS.read_text(), re.DOTALL) if "def verify" in c)
    names: dict[str, Any] = {}
    exec(code, names)
    return names["verify"]
