"""Recall: a version that must never answer again. Whatever points to it lets go in the same transaction."""

from typing import Any

from sqlalchemy import func, or_, select, update
from sqlalchemy.orm import Session

from shared.db.tables import Deployment, Version
from shared.deployments import Why, move, without
from shared.errors import Conflict

_NAMES = ("active", "previous", "canary", "shadow", "prepare")


def recall(session: Session, version: Version, why: Why) -> list[Deployment]:
    """Recall a version and return the deployments that pointed to it, as they are now.

    Where it was active the previous version answers again; where there is none, nothing does and jobs wait. Raises
    Conflict: it was recalled before.
    """
    # The version's row comes first, as in every move: one that is being promoted ends before, and is seen below.
    recalled = session.execute(
        update(Version)
        .where(Version.id == version.id, Version.recalled_at.is_(None))
        .values(recalled_at=func.clock_timestamp(), recall_reason=why.reason)
        .returning(Version.id)
    ).scalar_one_or_none()
    if recalled is None:
        raise Conflict("version_recalled")
    session.refresh(version, ["recalled_at", "recall_reason"])
    return [_let_go(session, deployment, version, why) for deployment in _pointing(session, version)]


def _pointing(session: Session, version: Version) -> list[Deployment]:
    named = or_(*(getattr(Deployment, f"{name}_id") == version.id for name in _NAMES))
    query = select(Deployment).where(named).order_by(Deployment.id).with_for_update()
    return list(session.scalars(query.execution_options(populate_existing=True)))


def _let_go(session: Session, deployment: Deployment, version: Version, why: Why) -> Deployment:
    let_go = [name for name in _NAMES if getattr(deployment, f"{name}_id") == version.id]
    values: dict[str, Any] = without(deployment, version.id)
    active = deployment.active_id
    if active == version.id:
        active = deployment.previous_id
        again = {} if active is None else without(deployment, active)  # it may have been tried out meanwhile
        values |= {**again, "active_id": active, "previous_id": None}
    said = Why(why.actor, why.reason, {**why.evidence, "version": version.sha256, "let_go": let_go})
    between = (deployment.active_id, active)
    return move(session, deployment, deployment.generation, "recall", between, values, said)
