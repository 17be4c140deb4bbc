"""(b) The same model and pictures through LitServe, BentoML and a plain Celery worker, and through us, in one run.

`python -m bench.peers [--python PEERS_PYTHON]`. The programs of the peers lie in `bench/peers`; they run in an
environment of their own, which is made for the run when none is named. Whoever is not measured is frozen meanwhile.
"""

import argparse
import subprocess
import sysconfig
import tempfile
import venv
from collections import defaultdict
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench import inputs, versions
from bench.limits import Alone
from bench.record import Claim, at_least, figure, tell
from bench.rivals import Broker, Rival, encoded, uploaded
from bench.stack import Bench, bench
from bench.throughput import Case, Service
from infra.ports import free_port
from shared.registry import Artefact
from shared.schemas import Modality

PROGRAMS = Path(__file__).parent / "peers"
ROUNDS, SLOW, FAST, WARM = 3, 40, 160, 16
FACTOR, SINGLES, BULK = 4.0, 0.95, 1.0
LITSERVE, BENTOML, CELERY = "LitServe as documented", "BentoML as documented", "a plain Celery worker with torch"
AROUND, OURS, OURS_BULK = "LitServe around our runtime", "ours, single uploads", "ours, bulk"


@dataclass
class Field:
    """Who takes part: the peers with how many pictures each gets, and us."""

    rivals: dict[str, tuple[Rival | Broker, int]]
    service: Service
    case: Case
    folder: Path

    def round(self) -> dict[str, float]:
        """Pictures a second of everybody, in turn."""
        rates = {name: rival.rate(self.case.files[:count]) for name, (rival, count) in self.rivals.items()}
        rates[OURS] = self.service.singles(self.case, self.folder)
        rates[OURS_BULK] = self.service.bulk(self.case, self.case.files)
        return rates


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--python", type=Path, help="the Python of an environment that holds the peers")
    named: Path | None = parser.parse_args().python
    rates: defaultdict[str, list[float]] = defaultdict(list)
    with tempfile.TemporaryDirectory() as folder, bench(rate_per_s=0) as place, ExitStack() as opened:
        python = named or _environment(Path(folder) / "peers")
        field = _field(opened, place, python, Path(folder))
        for _ in range(ROUNDS):
            for name, rate in field.round().items():
                rates[name].append(rate)
        tell("peers", _judged(rates, field.case.notes["singles"]))


def _environment(folder: Path) -> Path:
    """An environment with the peers that finds torch and the runtimes in ours."""
    venv.create(folder, with_pip=True)
    (packages,) = folder.glob("lib/python*/site-packages")
    (packages / "ours.pth").write_text(sysconfig.get_path("purelib") + "\n", encoding="utf-8")
    python = folder / "bin" / "python"
    subprocess.run([python, "-m", "pip", "install", "-q", "-r", PROGRAMS / "requirements.txt"], check=True)
    return python


def _field(opened: ExitStack, place: Bench, python: Path, folder: Path) -> Field:
    artefact = versions.serve(place, versions.efficientnet(folder / "version"))
    files = inputs.xrays(FAST)
    (folder / "files").mkdir()
    for number, body in enumerate(files):
        (folder / "files" / f"{number:05}").write_bytes(body)
    paths = sorted((folder / "files").iterdir())
    case = Case("X-rays", Alone(artefact, paths[:1]), Modality.CHEST_XRAY, files, 0)
    rivals = {
        name: (opened.enter_context(_warm(rival, files)), count)
        for name, rival, count in _rivals(place, python, artefact)
    }
    service = Service(place)
    service.bulk(case, files[:WARM])
    return Field(rivals, service, case, folder / "files")


def _rivals(place: Bench, python: Path, artefact: Artefact) -> Iterator[tuple[str, Rival | Broker, int]]:
    ports = [free_port() for _ in range(3)]
    version = str(place.settings.versions_dir / artefact.sha256)
    torch = [str(python), "litserve_torch.py", str(ports[0])]
    yield LITSERVE, Rival(torch, ports[0], "/predict", encoded), SLOW
    bento = [str(python), "-m", "bentoml", "serve", "bentoml_torch:Classifier", "--port", str(ports[1])]
    yield BENTOML, Rival(bento, ports[1], "/classify", lambda body: uploaded(body, "images")), SLOW
    yield CELERY, Broker(python, place.engines.redis_url.rpartition("/")[0] + "/5"), SLOW
    around = [str(python), "litserve_ours.py", str(ports[2]), version]
    yield AROUND, Rival(around, ports[2], "/predict", lambda body: uploaded(body, "file")), FAST


@contextmanager
def _warm(rival: Rival | Broker, files: list[bytes]) -> Iterator[Rival | Broker]:
    with rival.running(PROGRAMS):
        rival.rate(files[:WARM])
        yield rival


def _judged(rates: dict[str, list[float]], note: str) -> list[Claim]:
    def over(one: str, other: str) -> list[float]:
        return [a / b for a, b in zip(rates[one], rates[other], strict=True)]

    return [
        *(figure(name, values, "pictures/s") for name, values in rates.items()),
        *(
            at_least(f"single uploads against {name}", over(OURS, name), "times", FACTOR, note)
            for name in (LITSERVE, BENTOML, CELERY)
        ),
        at_least(f"single uploads against {AROUND}, which keeps nothing", over(OURS, AROUND), "times", SINGLES, note),
        at_least(f"bulk against {AROUND}", over(OURS_BULK, AROUND), "times", BULK),
    ]


if __name__ == "__main__":
    main()
