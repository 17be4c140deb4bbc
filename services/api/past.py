"""Which versions answered at a moment of the past: a pointer's moves, told again from the first one."""

from collections.abc import Iterable
from dataclasses import dataclass
from uuid import UUID

from shared.db.tables import DeploymentEvent


@dataclass
class Standing:
    """The pointers after some moves. `by`: the move that let the active version answer."""

    active: UUID | None = None
    canary: UUID | None = None
    share: float = 0.0
    shadow: UUID | None = None
    by: DeploymentEvent | None = None
    generation: int = 0

    def take(self, move: DeploymentEvent) -> None:
        """Follow one more move."""
        self.generation = move.generation
        if move.action in ("install", "promote", "rollback", "recall"):
            self._answer(move)
        elif move.action == "canary":
            self._let_go(move.to_id)
            self.canary, self.share = move.to_id, float(move.evidence.get("share", 0.0))
        elif move.action == "shadow":
            self._let_go(move.to_id)
            self.shadow = move.to_id
        elif move.action in ("canary_end", "shadow_end"):
            self._let_go(move.from_id)

    def _answer(self, move: DeploymentEvent) -> None:
        for pointer in move.evidence.get("let_go", ()):  # a recall takes every pointer to a version away
            if pointer in ("canary", "shadow"):
                self._let_go(getattr(self, pointer))
        if move.to_id != self.active or self.by is None:
            self.by = move
        self.active = move.to_id
        self._let_go(move.to_id)

    def _let_go(self, version: UUID | None) -> None:
        if self.canary == version:
            self.canary, self.share = None, 0.0
        if self.shadow == version:
            self.shadow = None


def standing(moves: Iterable[DeploymentEvent]) -> Standing:
    """The pointers after these moves of one deployment, oldest first."""
    found = Standing()
    for move in moves:
        found.take(move)
    return found
