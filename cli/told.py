"""What a moved pointer looks like in a terminal."""

from typing import Any

from cli.output import emit, show, words


def told(deployment: dict[str, Any], as_json: bool) -> None:
    """Say which version answers now."""
    if as_json:
        emit(deployment)
        return
    if "proposed_by" in deployment:
        kind = deployment["modality"]
        show(f"Proposed. Another person approves it with 'thoracle versions approve {kind}'.")
        return
    active, kind = deployment["active"], words(deployment["modality"])
    if active is None:
        show(f"Nothing answers for {kind} now: its jobs wait until you promote a version.")
        return
    show(f"{active['name']} ({active['sha256'][:12]}) now answers for {kind}; generation {deployment['generation']}.")
