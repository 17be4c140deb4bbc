"""Canaries and shadows: what they show, and why one ends by itself."""

SENTENCES = {
    "no_canary": "No version answers a share of the studies here. PUT this address to let one.",
    "no_shadow": "No version computes beside the active one here. PUT this address to let one.",
    "canary.errors": "Ended by the service: {failed:.0f} of {jobs:.0f} jobs of the canary failed, and {other:.0f} of "
    "{others:.0f} of the active version's over the same time.",
    "canary.slowdown": "Ended by the service: of the canary's inputs one in twenty took {ms:.0f} ms or longer, of the "
    "active version's {other:.0f} ms; at most {limit:.1f} times as long is allowed.",
    "canary.shift": "Ended by the service: the canary's probabilities are not spread as the active version's over the "
    "same time (population stability index {shift:.2f}, at most {limit:.2f} is allowed; largest gap {distance:.2f}).",
}
