"""Bugs that a judge must find: `python -m tests.chaos.planted NAME services.worker` runs a module with one of them.

Each is what somebody could have written instead of what is shipped, put in its place when the process starts; shipped
modules hold none of them. `none` runs the module as it is. A patch that finds nothing to replace is an error, so that a
bug cannot vanish by a change elsewhere.
"""

import runpy
import sys
from collections.abc import Callable
from dataclasses import dataclass

from shared import faults
from tests.chaos import gateway_bugs, worker_bugs


@dataclass(frozen=True)
class Bug:
    """What is wrong, the invariant that it breaks, and how it is put in place."""

    invariant: str
    plant: Callable[[], None]

    @property
    def wrong(self) -> str:
        """In words."""
        return self.plant.__doc__ or ""


BUGS = {
    bug.plant.__name__: bug
    for bug in (
        Bug("I9", worker_bugs.no_fence),
        Bug("I14", worker_bugs.cancelled_resurrected),
        Bug("I3", worker_bugs.results_not_written),
        Bug("I3", worker_bugs.doubled_results),
        Bug("I2", worker_bugs.group_not_committed),
        Bug("I4", worker_bugs.answers_swapped),
        Bug("I5", worker_bugs.newest_version),
        Bug("I19", worker_bugs.local_clock),
        Bug("I2", worker_bugs.no_reaper),
        Bug("I8", worker_bugs.reaped_uncharged),
        Bug("I8", worker_bugs.reaped_for_ever),
        Bug("I1", gateway_bugs.acknowledged_early),
        Bug("I7", gateway_bugs.key_not_looked_up),
        Bug("I7", gateway_bugs.body_not_compared),
        Bug("I15", gateway_bugs.blob_after_row),
        Bug("I4", gateway_bugs.other_hospitals_jobs),
        Bug("I16", gateway_bugs.reading_not_named),
        Bug("I17", gateway_bugs.patient_in_the_log),
        Bug("I20", gateway_bugs.webhook_dropped),
    )
}


def main(name: str, module: str) -> None:
    """Plant one bug and become the module."""
    faults.HANG_S = 2.0  # a test waits for whoever hangs
    if name != "none":
        BUGS[name].plant()
    sys.argv = [module]
    runpy.run_module(module, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
