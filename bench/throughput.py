"""(a) How near the whole service comes to the limit of its cores, and how it compares with a plain loop.

`python -m bench.throughput`. The limit is cores ÷ (core-seconds of decoding, transforming and predicting one job, each
measured alone, best of several). Gateway, queue, store, worker and the load client share the same cores. Service and
loop run in turns; each figure is the median of its rounds.
"""

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import func, select

from bench import inputs, versions
from bench.cores import Cores
from bench.limits import Alone, Cost
from bench.record import Claim, at_least, figure, write
from bench.stack import Bench, bench
from shared.db.tables import Job
from shared.schemas import Modality

ROUNDS = 3
CONNECTIONS = 8
_ALONE = 32  # files that are measured without the service
_WARM = 64
_PATIENCE_S = 120.0
_LOOK_S = 0.5
_SINGLES = 0.75


@dataclass
class Case:
    """One version under load, and what was measured: jobs a second of each round, and who used the cores."""

    name: str
    alone: Alone
    modality: Modality
    files: list[bytes]
    share: float
    bulk: list[float] = field(default_factory=list)
    singles: list[float] = field(default_factory=list)
    loop: list[float] = field(default_factory=list)
    crowd: list[float] = field(default_factory=list)
    costs: list[Cost] = field(default_factory=list)
    notes: dict[str, str] = field(default_factory=dict)


class Service:
    """A running service with its gateway and one worker."""

    def __init__(self, place: Bench) -> None:
        self._place, self._key = place, place.key()
        gateway, worker = place.gateway(), place.worker()
        self._cores = Cores(place, worker.popen.pid, gateway.popen.pid)

    def bulk(self, case: Case, files: Sequence[bytes]) -> float:
        """Jobs a second when all are there at the start: from the first claim to the last result."""
        since = datetime.now(UTC)
        ids = inputs.hold(self._place, case.modality, files)
        before = self._cores.read()
        inputs.release(self._place, case.modality, ids)
        begun, ended = self._span(since, len(files))
        case.notes["bulk"] = self._cores.note(before, len(files))
        return len(files) / (ended - begun).total_seconds()

    def singles(self, case: Case, folder: Path) -> float:
        """Jobs a second when a client uploads them one by one: from its first byte to the last result."""
        before = self._cores.read()
        command = ("bench.load", str(self._place.settings.port), self._key, str(CONNECTIONS), str(folder))
        told = json.loads(subprocess.run([sys.executable, "-m", *command], check=True, capture_output=True).stdout)
        assert not told["refused"], told["refused"]
        begun = datetime.fromtimestamp(told["begun"], UTC)
        _, ended = self._span(begun, len(case.files))
        client = told["core_seconds"] / len(case.files) * 1000
        case.notes["singles"] = f"{self._cores.note(before, len(case.files))}, client {client:.1f}"
        return len(case.files) / (ended - begun).total_seconds()

    def _span(self, since: datetime, count: int) -> tuple[datetime, datetime]:
        """When the jobs made since then began and ended, all of them with a result."""
        query = select(func.count(), func.min(Job.started_at), func.max(Job.finished_at)).where(
            Job.created_at >= since, Job.state == "succeeded"
        )

        def ended() -> tuple[datetime, datetime] | None:
            with self._place.database.begin() as session:
                done, first, last = session.execute(query).one()
            return (first, last) if done == count and first and last else None

        deadline = time.monotonic() + _PATIENCE_S
        while (span := ended()) is None:
            assert time.monotonic() < deadline, f"after {_PATIENCE_S} s still not {count} results"
            time.sleep(_LOOK_S)  # the database knows when it was; to ask often would be measured too
        return span


def main() -> None:
    """Measure and write."""
    with bench(rate_per_s=0) as place, tempfile.TemporaryDirectory() as folder:
        cases = [
            _case(
                place, Path(folder), "X-rays through EfficientNet-B3", Modality.CHEST_XRAY, versions.efficientnet, 240
            ),
            _case(place, Path(folder), "coughs through cough/mlp", Modality.COUGH, versions.cough_mlp, 800),
        ]
        service = Service(place)
        for case in cases:
            _measure(service, case, Path(folder) / case.modality)
    claims = [claim for case in cases for claim in _claims(case)]
    print(write("throughput", claims))
    for claim in claims:
        print(f"{claim.claim}: {claim.value} {claim.unit} ({claim.limit}, {claim.holds}) {claim.note}")


def _case(place: Bench, folder: Path, name: str, modality: Modality, make: Callable[[Path], Path], count: int) -> Case:
    artefact = versions.serve(place, make(folder / f"{modality}-version"))
    files = inputs.bodies(modality, count)
    (folder / modality).mkdir()
    for number, body in enumerate(files):
        (folder / modality / f"{number:05}").write_bytes(body)
    alone = Alone(artefact, sorted((folder / modality).iterdir())[:_ALONE])
    return Case(name, alone, modality, files, 0.85 if modality == Modality.CHEST_XRAY else 0.70)


def _measure(service: Service, case: Case, folder: Path) -> None:
    service.bulk(case, case.files[:_WARM])
    for _ in range(ROUNDS):
        case.costs.append(case.alone.cost())
        case.loop.append(case.alone.loop())
        case.crowd.append(case.alone.crowd())
        case.bulk.append(service.bulk(case, case.files))
        if case.modality == Modality.CHEST_XRAY:
            case.singles.append(service.singles(case, folder))


def _claims(case: Case) -> list[Claim]:
    cost = Cost(min(cost.prepare for cost in case.costs), min(cost.predict for cost in case.costs))
    parts = f"decode and transform {cost.prepare * 1000:.1f} + predict {cost.predict * 1000:.1f} core-ms a job"
    claims = [
        figure(f"limit: {case.name}", [cost.limit], "jobs/s", parts),
        figure(f"plain loop: {case.name}", case.loop, "jobs/s"),
        figure(f"only preparing, a plain loop on every core at once: {case.name}", case.crowd, "inputs/s"),
        figure(f"bulk: {case.name}", case.bulk, "jobs/s"),
        at_least(
            f"bulk of {case.name}, of the limit", _over(case.bulk, cost.limit), "", case.share, case.notes["bulk"]
        ),
    ]
    if case.singles:
        share = _over(case.singles, cost.limit)
        claims += [
            figure(f"single uploads: {case.name}", case.singles, "jobs/s"),
            at_least(f"single uploads of {case.name}, of the limit", share, "", _SINGLES, case.notes["singles"]),
        ]
    return claims


def _over(rates: Sequence[float], limit: float) -> list[float]:
    return [rate / limit for rate in rates]


if __name__ == "__main__":
    main()
