"""One of everything that a hospital can have, all under the id of its one job: what a test of every id needs."""

from sqlalchemy import text

from shared.db.engine import Database

_ROWS = """
    INSERT INTO studies (id, tenant_id, external_id) SELECT id, tenant_id, 'visit' FROM jobs;
    INSERT INTO batches (id, tenant_id, principal_id, key, pinned)
    SELECT id, tenant_id, principal_id, 'k', '{}' FROM jobs;
    INSERT INTO comparisons (id, tenant_id, principal_id, first_id, second_id, wanted)
    SELECT id, tenant_id, principal_id, version_id, version_id, '{}' FROM jobs;
    INSERT INTO feedback (id, tenant_id, job_id, principal_id, person, verdict, basis, saw_result_first)
    SELECT id, tenant_id, id, principal_id, 'ada', 'unsure', 'pcr', true FROM jobs;
    INSERT INTO adjudications (id, tenant_id, job_id, modality, rank) SELECT id, tenant_id, id, modality, 1 FROM jobs;
    INSERT INTO webhooks (id, tenant_id, principal_id, url, events, secret)
    SELECT id, tenant_id, principal_id, 'https://x.example', '{}', '' FROM jobs;
    INSERT INTO drift_alerts (id, tenant_id, modality, version_id, site, device, measure,
                              raised_psi, worst_psi, psi, results)
    SELECT id, tenant_id, modality, version_id, '', '', 'probability', 1, 1, 1, 100 FROM jobs;
    INSERT INTO training_runs (id, tenant_id, principal_id, recipe, mode, seed, dataset, name, options)
    SELECT id, tenant_id, principal_id, 'cough/mlp', 'sound', 1, 'x', 'x', '{}' FROM jobs;
    INSERT INTO retrainings (id, tenant_id, modality, principal_id, cause, reason, plan, run_id)
    SELECT id, tenant_id, modality, principal_id, 'asked', 'x',
           '{"recipe": "cough/mlp", "bases": ["pcr"], "hold_out": 0.2}', id FROM jobs;
    INSERT INTO credentials (id, principal_id, kind, digest, hint, scopes)
    SELECT id, principal_id, 'key', '', 'thk_x', '{}' FROM jobs"""


def one_of_everything(database: Database) -> None:
    """There is one job, and it has a result."""
    with database.begin() as session:
        for statement in _ROWS.split(";"):
            session.execute(text(statement))
