"""Runtimes are chosen by measurement on this machine, and only among those that answer the golden samples."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from services.worker import pace
from services.worker.pace import Pace, Paces, group_of, measure
from shared.deployments import STARTER
from shared.errors import VersionInvalid
from shared.registry import Artefact, seal, verify
from shared.runtimes import engines, golden_inputs, load, open_graph
from shared.runtimes.openvino import precisions
from shared.schemas import RuntimeContract, Way
from shared.settings import Settings


@pytest.fixture
def net() -> Artefact:
    return verify(STARTER / "chest_xray")


@pytest.fixture
def place(tmp_path: Path) -> Settings:
    return Settings(_env_file=None, home=tmp_path, group_size=3, predict_threads=1)


def kept(settings: Settings) -> list[Path]:
    return sorted((settings.home / "paces").glob("*.json"))


def way(engine: str, precision: str, *, accepted: bool = True) -> Way:
    values = {"milliseconds": 1, "area_lost": 0, "flipped": 0, "accepted": accepted, "reason": ""}
    return Way.model_validate({"engine": engine, "precision": precision, **values})


def test_a_pace_is_measured_once_and_kept(place: Settings, net: Artefact) -> None:
    runtime, found = Paces(place).load(net)
    assert found.engine in {"openvino", "onnxruntime"}
    assert found.threads == 1
    assert 1 <= found.group <= 3
    assert found.milliseconds > 0
    (file,) = kept(place)
    body = json.loads(file.read_text())
    assert body["version"] == net.sha256
    other = {"openvino": "onnxruntime", "onnxruntime": "openvino"}[found.engine]
    file.write_text(json.dumps({**body, "pace": {"engine": other, "threads": 1, "group": 2, "milliseconds": 9.0}}))
    _, again = Paces(place).load(net)
    assert again == Pace(other, 1, 2, 9.0)
    scores, _ = runtime.run(golden_inputs(net))
    assert scores == pytest.approx(net.card.golden.scores, abs=net.card.golden.tolerance)


def test_another_kind_of_machine_measures_for_itself(
    place: Settings, net: Artefact, monkeypatch: pytest.MonkeyPatch
) -> None:
    Paces(place).load(net)
    monkeypatch.setattr(pace, "_processor", lambda: "Another processor")
    Paces(place).load(net)
    Paces(place.changed(group_size=2)).load(net)
    assert len(kept(place)) == 3


@pytest.mark.parametrize(
    "text", ["", "[]", '{"pace": {"engine": "other", "threads": 1, "group": 1, "milliseconds": 1}}']
)
def test_what_is_kept_may_be_damaged(place: Settings, net: Artefact, text: str) -> None:
    Paces(place).load(net)
    (file,) = kept(place)
    file.write_text(text)
    _, found = Paces(place).load(net)
    assert json.loads(file.read_text())["pace"]["engine"] == found.engine


def test_a_home_that_takes_no_file_costs_time_only(place: Settings, net: Artefact) -> None:
    (place.home / "paces").write_text("in the way")
    _, found = Paces(place).load(net)
    assert found.engine


def test_an_engine_that_answers_differently_is_not_chosen(
    place: Settings, net: Artefact, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The card's golden answers hold for one engine only; the other is not timed, however fast it is."""
    real = open_graph

    def off(model: Path, engine: str, precision: str, threads: int) -> object:
        runtime = real(model, engine, precision, threads)
        if engine == "openvino":
            run = runtime.run
            monkeypatch.setattr(runtime, "run", lambda group: (run(group)[0] + 0.1, run(group)[1]))
        return runtime

    monkeypatch.setattr("shared.runtimes.open_graph", off)
    assert measure(net, 2, 1).engine == "onnxruntime"


def test_no_engine_no_version(place: Settings, net: Artefact, tmp_path: Path) -> None:
    folder = shutil.copytree(net.folder, tmp_path / "altered")
    card = json.loads((folder / "card.json").read_text())
    card["golden"]["scores"][0] += 0.5
    (folder / "card.json").write_text(json.dumps(card))
    seal(folder)
    with pytest.raises(VersionInvalid, match="differently"):
        Paces(place).load(verify(folder))


def test_only_what_computes_the_cards_precision_is_allowed() -> None:
    net, table = RuntimeContract(engine="openvino"), RuntimeContract(engine="onnxruntime")
    assert engines(net) == ["openvino", "onnxruntime"]
    assert engines(table) == ["onnxruntime"]
    assert engines(RuntimeContract(engine="openvino", precision="bf16")) == ["openvino"]
    half = RuntimeContract(
        engine="openvino", precision="bf16", candidates=[way("openvino", "bf16"), way("onnxruntime", "f32")]
    )
    assert engines(half) == ["openvino"]
    refused = RuntimeContract(engine="openvino", candidates=[way("onnxruntime", "f32", accepted=False)])
    assert engines(refused) == ["openvino"]


def test_a_precision_is_never_taken_for_another(net: Artefact) -> None:
    """OpenVINO would take f32 in silence where bf16 is asked for and absent, and bf16 where nothing is asked for."""
    inputs = group_of(golden_inputs(net), 4)
    exact, _ = load(net, 1, "openvino").run(inputs)
    if "bf16" not in precisions():
        with pytest.raises(VersionInvalid, match="bf16"):
            open_graph(net.model, "openvino", "bf16", 1)
        return
    rounded, _ = open_graph(net.model, "openvino", "bf16", 1).run(inputs)
    assert not np.array_equal(exact, rounded)
    other, _ = load(net, 1, "onnxruntime").run(inputs)
    assert np.abs(exact - other).max() < np.abs(exact - rounded).max()
    with pytest.raises(VersionInvalid, match="bf16"):
        open_graph(net.model, "onnxruntime", "bf16", 1)


def test_a_group_of_any_size_repeats_what_there_is(net: Artefact) -> None:
    inputs = golden_inputs(net)
    group = group_of(inputs, len(inputs) + 1)
    assert group.shape == (len(inputs) + 1, *net.card.tensor.shape)
    assert np.array_equal(group[-1], inputs[0])


def test_the_threads_that_an_operator_sets_are_kept_to(place: Settings, net: Artefact) -> None:
    assert measure(net, 1, 2).threads == 2
