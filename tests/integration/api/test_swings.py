"""A pointer that swings while jobs run and workers die: one active version at any instant, and nothing mixed."""

from contextlib import ExitStack
from pathlib import Path

from shared.deployments import publish
from shared.registry import store
from shared.schemas import Modality, Role
from shared.transforms import sample_files
from tests.integration.api.support import Api
from tests.support.stack import worker
from tests.support.swings import Swing
from tests.support.versions import tiny

MOVES, EVERY = 8, 4


def test_nothing_is_mixed_while_a_pointer_swings(api: Api, tmp_path: Path) -> None:
    """The same at full size is measured by bench.rollbacks."""
    artefact = store(tiny(tmp_path / "away", Modality.CHEST_XRAY, "tiny-2", bias=3.0), api.settings.versions_dir)
    with api.database.begin() as session:
        publish(session, artefact, "test")
    client = api.client(Role.ADMIN, Role.SUBMITTER)
    with ExitStack() as stack:
        workers = [stack.enter_context(worker(api.settings, api.database, tmp_path / "worker.log")) for _ in range(2)]

        def kill() -> None:
            workers.pop(0).kill()
            workers.append(stack.enter_context(worker(api.settings, api.database, tmp_path / "worker.log")))

        swing = Swing(api.settings, api.database, client, "chest_xray", artefact.sha256, sample_files.xray("PNG"))
        seen = swing.run(MOVES, singles=3, batch=8, every=EVERY, kill=kill)
    assert (seen.wrong_looks, seen.wrong_answers, seen.mixed, seen.violations) == (0, 0, 0, [])
    assert seen.looks > MOVES
    assert seen.states == {"succeeded": 1 + MOVES * 3 + MOVES // 2 + seen.batches * 8}
    assert seen.batches == MOVES // EVERY
    assert seen.actions == ["install", *["promote", "rollback"] * (MOVES // 2)]
