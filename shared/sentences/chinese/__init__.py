"""Chinese (simplified): the same files, keys and values as the English; a test holds them to each other."""

from shared.sentences.chinese import (
    deployments,
    drift,
    inputs,
    judging,
    page_admin,
    page_job,
    page_judging,
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
    **drift.SENTENCES,
    **inputs.SENTENCES,
    **judging.SENTENCES,
    **page_admin.SENTENCES,
    **page_job.SENTENCES,
    **page_judging.SENTENCES,
    **page_version.SENTENCES,
    **page_worklist.SENTENCES,
    **pages.SENTENCES,
    **requests.SENTENCES,
    **results.SENTENCES,
    **retraining.SENTENCES,
    **training.SENTENCES,
    **trials.SENTENCES,
}
