"""English: one file for each part of the service."""

from shared.sentences.english import (
    deployments,
    drift,
    explanations,
    inputs,
    judging,
    page_admin,
    page_job,
    page_version,
    page_worklist,
    pages,
    requests,
    results,
    retraining,
    training,
    trials,
)

SENTENCES: dict[str, str] = {
    **deployments.SENTENCES,
    **explanations.SENTENCES,
    **drift.SENTENCES,
    **inputs.SENTENCES,
    **judging.SENTENCES,
    **page_admin.SENTENCES,
    **page_job.SENTENCES,
    **page_version.SENTENCES,
    **page_worklist.SENTENCES,
    **pages.SENTENCES,
    **requests.SENTENCES,
    **results.SENTENCES,
    **retraining.SENTENCES,
    **training.SENTENCES,
    **trials.SENTENCES,
}
