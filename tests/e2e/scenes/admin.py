"""What those who look after the service see."""

import json
import shutil
import tempfile
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from uuid import UUID

from playwright.sync_api import Page
from sqlalchemy import select
from sqlalchemy.orm import Session

from cli.local import TENANT
from shared.db.engine import Database
from shared.db.people import ensure_principal, ensure_tenant, issue
from shared.db.tables import Delivery, Job, TrainingPoint, TrainingRun, Version, Webhook, Worker, new_id
from shared.deployments import STARTER, Why, promote, publish
from shared.registry import FILES, seal, store
from shared.schemas import Modality, Role
from shared.settings import Settings
from tests.e2e.scenes import Scene
from tests.support.stack import wait_for

_OTHER = "retrained-11"


def prepare(settings: Settings, database: Database) -> None:
    """A second cough version that was promoted, runs, a webhook that fails, a system's key, jobs that were given up."""
    wait_for(lambda: _serve(database), 60, "a worker")
    with tempfile.TemporaryDirectory() as folder, database.begin() as session:
        other = publish(session, store(_altered(Path(folder)), settings.versions_dir), "this machine/demo admin")
        promote(session, other, 1, Why("this machine/demo admin", "Better on the ward's own recordings."))
        tenant = ensure_tenant(session, TENANT)
        admin = ensure_principal(session, tenant, "demo admin", [Role.ADMIN])
        system = ensure_principal(session, tenant, "ward 7 archive", [Role.SUBMITTER], "system", "Dr. Example")
        issue(session, system.id, "key", 24 * 365)
        owned = {"tenant_id": tenant.id, "principal_id": admin.id}
        hook = Webhook(
            id=new_id(),
            **owned,
            url="https://pacs.example/thoracle",
            events=["job.finished"],
            secret=b"synthetic",
            failures=3,
        )
        session.add(hook)
        session.flush()
        answers = (("sent", "200"), ("dead", "503"), ("sent", "204"))
        for state, answer in answers:
            session.add(
                Delivery(
                    id=new_id(),
                    tenant_id=tenant.id,
                    webhook_id=hook.id,
                    event="webhook.test",
                    state=state,
                    attempts=3,
                    answer=answer,
                )
            )
        session.add(
            Job(
                id=new_id(),
                **owned,
                modality="cough",
                priority=1,
                state="dead",
                code="worker_lost",
                attempts=3,
                finished_at=datetime.now(UTC),
            )
        )
        recipes = [
            {"name": f"cough/{name}", "modality": "cough", "finding": "covid_pattern"} for name in ("gbdt", "mlp")
        ]
        session.add(
            Worker(
                host="trainer-1", pid=41, modalities=[], report={"recipes": recipes, "datasets": ["ward-recordings"]}
            )
        )
        _runs(session, owned, other)


def _serve(database: Database) -> bool:
    with database.begin() as session:
        return session.scalar(select(Worker.id).limit(1)) is not None


def _altered(folder: Path) -> Path:
    """The starter version for coughs under another name, with other figures: synthetic, for the picture alone."""
    target = folder / "version"
    target.mkdir()
    for name in FILES:
        shutil.copy(STARTER / "cough" / name, target / name)
    card = json.loads((target / "card.json").read_text())
    card["name"], card["training"]["seed"] = _OTHER, 11
    for rate, change in (("sensitivity", 0.04), ("specificity", -0.02)):
        card["operating_point"][rate] = {
            part: min(one + change, 1) for part, one in card["operating_point"][rate].items()
        }
    (target / "card.json").write_text(json.dumps(card))
    seal(target)
    return target


def _runs(session: Session, owned: dict[str, UUID], version: Version) -> None:
    """One that trains and one that was published."""
    area = {"value": 0.71, "low": 0.66, "high": 0.76}
    options = {"epochs": 40, "folds": 5}
    common = {**owned, "recipe": "cough/mlp", "mode": "sound", "dataset": "ward-recordings", "options": options}
    now = datetime.now(UTC)
    done = TrainingRun(
        id=new_id(),
        **common,
        seed=11,
        name=_OTHER,
        state="succeeded",
        version_id=version.id,
        attempts=1,
        figures={"auroc": area, "sensitivity": area, "specificity": area},
        stage="report",
        done=1,
        total=1,
        created_at=now - timedelta(hours=3),
        started_at=now - timedelta(hours=2),
        finished_at=now - timedelta(hours=1),
    )
    runs = TrainingRun(
        id=new_id(),
        **common,
        seed=12,
        name="retrained-12",
        state="running",
        attempts=1,
        stage="fold 3/5",
        done=94,
        total=240,
        seconds_left=310.0,
        lease_until=now + timedelta(hours=9),
        started_at=now,
    )
    session.add_all([done, runs])
    session.flush()
    for position in range(94):
        fold, epoch = position // 40 + 1, position % 40 + 1
        right = round(140 * (1 - 0.45 * 0.93**epoch)) - 3 * fold
        counts = {
            "tp": right // 2,
            "tn": right - right // 2,
            "fp": (150 - right) // 2,
            "fn": 150 - right - (150 - right) // 2,
        }
        session.add(
            TrainingPoint(
                run_id=runs.id,
                position=position,
                tenant_id=owned["tenant_id"],
                epoch=epoch,
                stage=f"fold {fold}/5",
                loss=0.22 + 0.5 * 0.92**epoch + 0.02 * fold,
                accuracy=right / 150,
                seconds=1.2,
                **counts,
            )
        )


def at(path: str, page: Page, base: str) -> None:
    """A page by its address."""
    page.goto(base + path)


def promoting(page: Page, base: str) -> None:
    """The question before a promotion, with gates that lack evidence."""
    page.goto(f"{base}/admin/deployments/{Modality.COUGH}")
    page.locator(".does a[href*='/promote?']").first.click()
    page.wait_for_url("**/promote?*")


def side_by_side(page: Page, base: str) -> None:
    """Both versions for coughs."""
    page.goto(base + "/admin/versions")
    form = page.locator("form[action='/admin/versions']").first
    for box in form.get_by_role("checkbox").all():
        box.check()
    form.get_by_role("button").click()
    page.wait_for_selector("#figures")


def lineage(page: Page, base: str) -> None:
    """Where the active version for coughs comes from."""
    page.goto(base + "/admin/deployments/cough")
    version = page.locator(".pointers a[href^='/versions/']").first.get_attribute("href")
    page.goto(f"{base}/admin{version}")


def first_of_list(path: str, page: Page, base: str) -> None:
    """The first line of a list, opened."""
    page.goto(base + path)
    page.locator("main table.list tbody th a").first.click()
    page.wait_for_selector(".crumbs")


def _scene(name: str, opening: Callable[[Page, str], None], caption: str) -> Scene:
    return Scene(f"admin-{name}", Role.ADMIN, opening, caption)


SCENES = [
    _scene("overview", partial(at, "/admin"), "What needs a person now"),
    _scene("deployments", partial(at, "/admin/deployments"), "Who answers"),
    _scene("deployment", partial(at, "/admin/deployments/cough"), "One kind of input, and every move so far"),
    _scene("promote", promoting, "Before a promotion: what will happen, the undo, who has it ready, the gates"),
    _scene("side-by-side", side_by_side, "Versions side by side"),
    _scene("lineage", lineage, "Where a version comes from"),
    _scene("training", partial(at, "/admin/training"), "Training runs"),
    _scene("run", partial(first_of_list, "/admin/training"), "A run with its curves"),
    _scene("retraining", partial(at, "/admin/retraining"), "Training from verdicts"),
    _scene("system", partial(at, "/admin/system"), "The state of the service"),
    _scene("webhook", partial(first_of_list, "/admin/webhooks"), "A webhook and its deliveries"),
    _scene("keys", partial(at, "/admin/keys"), "Keys and people"),
    _scene("audit", partial(at, "/admin/audit"), "The audit log"),
]
