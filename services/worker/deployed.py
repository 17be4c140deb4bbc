"""The versions this worker has loaded and proven. A claim names its version; pointers that move are loaded ahead."""

import threading
import time
from collections import OrderedDict
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil
import structlog
from sqlalchemy import or_, select

from services.worker.pace import Pace, Paces
from shared.db.engine import Database
from shared.db.tables import Deployment, Version
from shared.errors import VersionInvalid
from shared.registry import Artefact, verify
from shared.runtimes import Runtime
from shared.schemas import Card
from shared.settings import Settings
from shared.telemetry import DEPLOYED

_MOST_UNNAMED = 4  # versions kept that no pointer names: jobs asked for them
_REFUSED_FOR_S = 30.0  # then looked at again: its files may have been restored
_POINTERS = (
    Deployment.active_id,
    Deployment.previous_id,
    Deployment.canary_id,
    Deployment.shadow_id,
    Deployment.prepare_id,
)
_log = structlog.get_logger()


@dataclass(frozen=True)
class Loaded:
    """A version that answered its golden samples on this machine. Immutable: a claim keeps the one it began with.

    `resident_mb`: what loading it added to this process; the first of an engine brings the engine itself.
    """

    artefact: Artefact
    runtime: Runtime
    pace: Pace
    resident_mb: float

    @property
    def card(self) -> Card:
        """The version's own description."""
        return self.artefact.card


class Deployed:
    """Loads versions by address, keeps the latest few, and follows the pointers."""

    def __init__(self, settings: Settings, database: Database) -> None:
        self._settings, self._database, self._paces = settings, database, Paces(settings)
        self._loaded: OrderedDict[str, Loaded] = OrderedDict()
        self._lock, self._loading = threading.Lock(), threading.Lock()
        self._generations: dict[str, int] = {}
        self._named: frozenset[str] = frozenset()
        self._refused: dict[str, tuple[str, float]] = {}

    def get(self, sha256: str) -> Loaded:
        """The loaded version, loaded and proven now if need be. Raises VersionInvalid."""
        return self.found(sha256) or self._loaded_now(sha256)

    def found(self, sha256: str) -> Loaded | None:
        """The loaded version; None where it is not, or not yet."""
        with self._lock:
            if sha256 in self._loaded:
                self._loaded.move_to_end(sha256)
            return self._loaded.get(sha256)

    def follow(self) -> bool:
        """Load whatever a pointer names, so that every move finds it warm; True when that changed what is reported."""
        before = self.report()
        pointers = self._pointers()
        self._named = frozenset(sha256 for _, _, sha256 in pointers)
        self._refused = {sha256: why for sha256, why in self._refused.items() if sha256 in self._named}
        for modality, generation, sha256 in pointers:
            self._try(modality, sha256)
            self._generations[modality] = max(generation, self._generations.get(modality, 0))
            DEPLOYED.labels(modality).set(self._generations[modality])
        return self.report() != before

    def report(self) -> dict[str, object]:
        """What is loaded, for the worker's own row."""
        refused = dict(self._refused)  # another thread may be adding to it
        with self._lock:
            loaded = dict(self._loaded)
        return {
            "loaded": list(loaded),
            "generations": dict(self._generations),
            "refused": {sha256: why for sha256, (why, _) in refused.items()},
            "paces": {sha256: asdict(version.pace) for sha256, version in loaded.items()},
            "versions_mb": {sha256: version.resident_mb for sha256, version in loaded.items()},
        }

    def _forget(self) -> None:
        # The one that was just loaded is the last of them, and stays.
        unnamed = [sha256 for sha256 in self._loaded if sha256 not in self._named]
        for sha256 in unnamed[:-_MOST_UNNAMED]:
            del self._loaded[sha256]

    def _loaded_now(self, sha256: str) -> Loaded:
        # One at a time, but not under the other lock: measuring a new version must not hold up those that serve.
        with self._loading:
            found = self.found(sha256) or self._load(self._settings.versions_dir / sha256, sha256)
            with self._lock:
                self._loaded[sha256] = found
                self._forget()
            return found

    def _pointers(self) -> list[tuple[str, int, str]]:
        query = (
            select(Deployment.modality, Deployment.generation, Version.sha256)
            .join(Version, or_(*(Version.id == pointer for pointer in _POINTERS)))
            .where(Deployment.modality.in_(self._settings.served), Version.recalled_at.is_(None))
        )
        with self._database.begin() as session:
            return [(row.modality, row.generation, row.sha256) for row in session.execute(query)]

    def _try(self, modality: str, sha256: str) -> None:
        if sha256 in self._refused and time.monotonic() < self._refused[sha256][1]:
            return
        try:
            self.get(sha256)
            self._refused.pop(sha256, None)
        except VersionInvalid as error:
            self._refused[sha256] = (error.detail, time.monotonic() + _REFUSED_FOR_S)
            _log.error("version_refused", modality=modality, version=sha256, detail=error.detail)

    def _load(self, folder: Path, sha256: str) -> Loaded:
        artefact = verify(folder, sha256)
        before = _resident_mb()
        runtime, pace = self._paces.load(artefact)
        taken = round(_resident_mb() - before, 1)
        _log.info("version_loaded", version=sha256, recipe=artefact.card.recipe, name=artefact.card.name, mb=taken)
        return Loaded(artefact, runtime, pace, taken)


def _resident_mb() -> float:
    return float(psutil.Process().memory_info().rss) / 2**20
