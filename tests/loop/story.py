"""The loop, step by step. Each step asks the service for the state that it must have reached, and says where."""

import time
from collections import Counter
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from cli.commands.lineage import told
from tests.loop.place import HERE, Answer, Place, place
from tests.loop.record import Record
from tests.loop.recordings import BASE, Recording, endless, muffled, recordings, write_base

RECIPE, BASE_SET = "cough/gbdt", "coughs"
JUDGED, CORRECTED = 300, 40
_BASIS = "pcr"


class Story:
    """One run. `studies`: what comes in, one after another."""

    def __init__(self, here: Place, record: Record, coughs: list[Recording]) -> None:
        self.here, self.record = here, record
        self._base, later = coughs[:BASE], coughs[BASE:]
        self._studies: Iterator[tuple[Recording, bytes]] = endless(later)
        self._truth: dict[str, bool] = {}
        self.candidate: Answer = {}

    def run(self) -> None:
        """All of it, in order."""
        self.first_version()
        answers = self.judge()
        self.correct(answers)
        self.retrain()
        self.weigh()
        self.shadow()
        self.canary()
        self.promote()
        last = self.drift()
        self.roll_back()
        self.recall(last)
        self.trace(last)

    def first_version(self) -> None:
        """A version from the base set alone, so that nothing that comes in was trained on."""
        write_base(self.here.settings.datasets / BASE_SET, self._base)
        self.here.until(lambda: BASE_SET in self._datasets(), "the trainer has the base set")
        wanted = {"recipe": RECIPE, "dataset": BASE_SET, "name": "first", "folds": 3}
        run = self.here.ask("Carla", "POST", "/v1/training-runs", wanted)
        done = self._trained(run["id"])
        self.tell("Carla", f"trained `first` on {len(self._base)} coughs: {_area(done)}", "GET /v1/training-runs/{id}")
        self._promoted("first", "to begin with", "it is the first one of this hospital")

    def judge(self) -> list[Answer]:
        """Studies come in and are answered."""
        answers = self.send(JUDGED)
        counts = Counter(one["result"]["decision"] if one["result"] else one["status"] for one in answers)
        assert {one["result"]["version"]["name"] for one in answers if one["result"]} == {"first"}
        said = ", ".join(f"{count} {name.replace('_', ' ')}" for name, count in sorted(counts.items()))
        self.tell("system", f"judged {len(answers)} studies with `first`: {said}", "GET /v1/jobs/{id}")
        return answers

    def correct(self, answers: list[Answer]) -> None:
        """Ada reads until she has corrected forty; Ben reads those again without knowing what was said."""
        agreed = corrected = 0
        for one in (one for one in answers if one["result"] and one["result"]["decision"] != "refer"):
            if corrected == CORRECTED:
                break
            present = self._truth[one["id"]]
            right = (one["result"]["decision"] == "flagged") == present
            verdict = {"verdict": "agree"} if right else {"verdict": "disagree", "label": _label(present)}
            body = {**verdict, "basis": _BASIS, "saw_result_first": True}
            given = self.here.ask("Ada", "POST", f"/v1/jobs/{one['id']}/feedback", body)
            assert given["review"]["state"] == ("agreed" if right else "in_adjudication")
            agreed, corrected = agreed + right, corrected + (not right)
        assert corrected == CORRECTED, f"only {corrected} of {len(answers)} results were wrong"
        self.tell("Ada", f"agreed with {agreed} results and corrected {corrected}", "GET /v1/feedback")
        self._rule(agreed + corrected)
        for reading in self._worklist():
            body = {"label": _label(self._truth[reading["job_id"]]), "basis": _BASIS}
            self.here.ask("Ben", "POST", f"/v1/adjudications/{reading['id']}/verdict", body)
        job = self.here.get(f"/v1/jobs/{reading['job_id']}", "Ada")
        assert job["result"]["review"]["state"] == "adjudicated", job["result"]["review"]
        self.tell("Ben", f"read the {corrected} again, blind, and settled them", "GET /v1/adjudications")

    def retrain(self) -> None:
        """The rule finds enough, a trainer collects and trains, and the candidate is put into the shadow."""
        found = self.here.until(self._retraining, "the rule begins a training")
        assert (found["cause"], found["asked_by"]) == ("labels", "Carla")
        self.tell("system", f"began a training by rule: {found['reason']}", "GET /v1/retrainings")
        address = f"/v1/retrainings/{found['id']}"
        found = self.here.until(lambda: _if(self.here.get(address), "fingerprint"), "the data set is collected")
        self.tell("trainer", found["steps"][1]["detail"], "GET /v1/retrainings/{id}")
        self._trained(found["run"]["id"])
        found = self.here.until(lambda: _if(self.here.get(address), "outcome"), "it has ended")
        assert found["outcome"] == "shadowed", found["steps"]
        self.candidate = found["version"]
        self.tell("trainer", f"published `{self.candidate['name']}`: {_area(found['run'])}", "GET /v1/retrainings/{id}")
        assert self.here.get(HERE)["shadow"] == self.candidate
        self.tell("system", "let it compute in the shadow", f"GET {HERE}")

    def weigh(self) -> None:
        """Its gates, before anything was seen of it in service."""
        self.here.ask("Carla", "POST", f"{HERE}/prepare", {"version": self.candidate["sha256"]})
        address = f"{HERE}/prepare?version={self.candidate['sha256']}"
        self.here.until(lambda: self.here.get(address)["ready"], "the worker has proved it")
        self._gates("before it was tried")

    def shadow(self) -> None:
        """What it would have said of studies that the active version answers."""
        self.send(60)
        wanted = 60 + self._held_out()
        report = self.here.until(lambda: self._shadowed(wanted), "the shadow has computed them")
        agreed, flips = report["agreement"], report["agreement"]["flips"]
        alike = f"same decision {_share(agreed['agreed'])}, kappa {_value(agreed['kappa'])}"
        self.tell(
            "system",
            f"shadow on {agreed['n']} inputs: {alike}, "
            f"{flips['to_flagged']} flipped to flagged, {flips['to_not_flagged']} to not flagged",
            f"GET {HERE}/shadow",
        )

    def canary(self) -> None:
        """It answers a tenth of the studies."""
        wanted = {"version": self.candidate["sha256"], "share": 0.1, "reason": "a tenth first"}
        made = self.here.move("Carla", "PUT", f"{HERE}/canary", wanted)
        assert (made["canary"], made["canary_share"], made["shadow"]) == (self.candidate, 0.1, None)
        self.tell("Carla", "let it answer a tenth of the studies", f"GET {HERE}")
        answers = self.send(120)
        found = self.here.get(f"{HERE}/canary")["comparison"]
        own = sum(one["result"]["version"] == self.candidate for one in answers if one["result"])
        assert 0 < own == found["canary"]["succeeded"] < 40
        enough = "enough" if found["enough"] else "not enough to end it by itself"
        said = f"canary answered {own} of {len(answers)}, {found['canary']['failed']} failed; {enough}"
        self.tell("system", said, f"GET {HERE}/canary")

    def promote(self) -> None:
        """Two persons: one proposes and overrides what is not proved, the other approves."""
        self._gates("before it is promoted")
        self._promoted(self.candidate["sha256"], "retrained on our verdicts", "no harm seen in shadow and canary")
        assert self.here.get(HERE)["previous"]["name"] == "first"

    def drift(self) -> Answer:
        """A microphone goes bad, and the service says so."""
        answers = self.send(100)
        assert {one["result"]["version"]["name"] for one in answers if one["result"]} == {self.candidate["name"]}
        self.tell("system", f"answered {len(answers)} ordinary studies with it: what later ones are held against")
        answers = self.send(120, spoilt=True)
        self.tell("PACS", f"sent {len(answers)} studies through a microphone that lets nothing above 400 Hz pass")
        alerts = self.here.until(self._alerts, "an alert is raised")
        for alert in alerts:
            assert alert["version"] == self.candidate
        worst = max(alerts, key=lambda alert: alert["psi"])
        measures = ", ".join(sorted({alert["measure"] for alert in alerts}))
        self.tell("system", f"raised alerts ({measures}); worst index {worst['psi']:.1f}", "GET /v1/alerts?state=open")
        return next(one for one in reversed(answers) if one["result"])

    def roll_back(self) -> None:
        """The version before answers again, at once."""
        began = time.monotonic()
        done = self.here.ask(
            "Carla", "POST", f"{HERE}/rollback", {"reason": "a microphone drifted: back until we know"}
        )
        assert done["active"]["name"] == "first"
        (answer,) = self.send(1)
        seconds = time.monotonic() - began
        assert answer["result"]["version"]["name"] == "first"
        self.tell("Carla", f"rolled back; the first answer of `first` came {seconds:.2f} s later", f"GET {HERE}")

    def recall(self, last: Answer) -> None:
        """The retrained version is never used again, its results say so, and they are run again."""
        address = f"/v1/versions/{self.candidate['sha256']}"
        done = self.here.ask(
            "Carla", "POST", f"{address}/recall", {"reason": "not before the microphone is understood"}
        )
        shown = self.here.get(f"/v1/jobs/{last['id']}", "Ada")
        assert shown["result"]["reasons"][0]["code"] == "result_recalled"
        self.tell("Carla", f"recalled it; {done['answered']} results now say so", "GET /v1/versions/{sha256}")
        batch = self.here.ask("PACS", "POST", f"{address}/rerun")
        done = self.here.until(lambda: self._complete(batch["id"]), "they are run again")
        self.tell("PACS", f"had {done['jobs']} studies run again by `first`", "GET /v1/batches/{id}")

    def trace(self, last: Answer) -> None:
        """From the last result back to the first click."""
        found = self.here.get(f"/v1/versions/{self.candidate['sha256']}/lineage")
        moves = [move["action"] for move in found["moves"]]
        assert moves == ["shadow", "canary", "promote", "rollback"], moves
        verdicts = found["retraining"]["verdicts"]
        assert verdicts["adjudicated"] == CORRECTED
        assert verdicts["each"][0]["feedback"]
        shown = self.here.get(f"/v1/jobs/{last['id']}", "Ada")
        self.record.lineage = told(found, shown)
        self.tell(
            "Carla",
            f"followed its last result to the first click ({', '.join(moves)})",
            "GET /v1/versions/{sha256}/lineage",
        )

    def tell(self, who: str, what: str, seen: str = "") -> None:
        """Say what happened."""
        self.record.tell(who, what, seen)

    def send(self, count: int, *, spoilt: bool = False) -> list[Answer]:
        """So many more studies, answered."""
        some = [(one, muffled(body) if spoilt else body) for one, body in islice(self._studies, count)]
        answers = self.here.send(some)
        self._truth |= {answer["id"]: one.present for answer, (one, _) in zip(answers, some, strict=True)}
        return answers

    def _rule(self, labels: int) -> None:
        plan = {
            "recipe": RECIPE,
            "base": BASE_SET,
            "bases": [_BASIS],
            "hold_out": 0.2,
            "folds": 3,
            "trust_labels": True,
        }
        made = self.here.ask("Carla", "PUT", "/v1/retraining-rules/cough", {"plan": plan, "min_labels": labels})
        said = f"set the rule: train when {labels} labels are confirmed ({made['labels']} are), and vouched for them"
        self.tell("Carla", said, "GET /v1/retraining-rules")

    def _worklist(self) -> list[Answer]:
        found = self.here.get("/v1/adjudications?reason=disagreement&limit=200", "Ben")["adjudications"]
        assert len(found) == CORRECTED
        assert all(one["verdicts"] is None for one in found)
        return list(found)

    def _gates(self, when: str) -> None:
        found = self.here.get(f"{HERE}/gates?version={self.candidate['sha256']}")["gates"]
        said = ", ".join(f"{gate['name']} {gate['outcome'].replace('_', ' ')}" for gate in found)
        self.tell("system", f"gates {when}: {said}", f"GET {HERE}/gates")
        compared = next(gate for gate in found if gate["name"] == "comparison")
        self.tell("system", f"of the comparison: {compared['detail']}")

    def _promoted(self, version: str, reason: str, override: str) -> None:
        wanted = {"version": version, "reason": reason, "override": override}
        proposal = self.here.move("Carla", "PUT", HERE, wanted)
        address = f"{HERE}/proposals/{proposal['id']}/approve"
        alone = self.here.tried("Carla", "POST", address, {"reason": "my own"})
        assert (alone.status_code, alone.json()["code"]) == (403, "self_approval")
        done = self.here.ask("Dan", "POST", address, {"reason": "looked at the figures"})
        assert version in (done["active"]["name"], done["active"]["sha256"])
        name = done["active"]["name"]
        self.tell("Dan", f"approved `{name}`, which Carla proposed with an override: {override}", f"GET {HERE}/history")

    def _trained(self, run: str) -> Answer:
        ended = ("succeeded", "failed", "cancelled", "dead")
        address = f"/v1/training-runs/{run}"
        done: Answer = self.here.until(lambda: _in(self.here.get(address), ended), "it is trained")
        assert done["status"] == "succeeded", done["error"]
        return done

    def _datasets(self) -> list[str]:
        answer = self.here.tried("Carla", "GET", "/v1/recipes")
        return answer.json()["datasets"] if answer.is_success else []

    def _retraining(self) -> Answer | None:
        return next(iter(self.here.get("/v1/retrainings")["retrainings"]), None)

    def _held_out(self) -> int:
        found = self._retraining()
        assert found
        return int(found["counts"]["held_out"])

    def _shadowed(self, wanted: int) -> Answer | None:
        report = self.here.get(f"{HERE}/shadow")
        return report if report["agreement"]["n"] + sum(report["unanswered"].values()) >= wanted else None

    def _alerts(self) -> list[Answer]:
        return list(self.here.get("/v1/alerts?state=open")["alerts"])

    def _complete(self, batch: str) -> Answer | None:
        found = self.here.ask("PACS", "GET", f"/v1/batches/{batch}")
        return found if found["done"] else None


def tell_story(data: Path) -> Record:
    """One run around the loop with the coughs of this folder. Raises AssertionError where a state is not reached."""
    record = Record()
    with place() as here:
        record.tell("system", "a gateway, a worker and a trainer are running")
        Story(here, record, recordings(data)).run()
    return record


def _label(present: bool) -> str:
    return "present" if present else "absent"


def _if(found: Answer, name: str) -> Answer | None:
    return found if found[name] else None


def _in(found: Answer, states: tuple[str, ...]) -> Answer | None:
    return found if found["status"] in states else None


def _area(run: Answer) -> str:
    area = run["figures"]["auroc"]
    return f"AUROC {area['value']:.2f} ({area['low']:.2f} to {area['high']:.2f}) on patients it had not seen"


def _share(interval: Answer | None) -> str:
    return "unknown" if interval is None else f"{interval['value']:.0%}"


def _value(interval: Answer | None) -> str:
    return "unknown" if interval is None else "{value:.2f} ({low:.2f} to {high:.2f})".format(**interval)
