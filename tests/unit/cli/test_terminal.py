"""What the terminal says: sentences for errors and results, one level of JSON for the demo."""

import pytest
from typer.testing import CliRunner

from cli.commands.demo import flat
from cli.commands.versions import choose
from cli.failures import sentence
from cli.main import app
from cli.output import decided, explanation, result_rows
from shared.errors import NotFound, ThoracleError

RESULT = {
    "sentence": "Pattern not seen.",
    "warning": None,
    "quality": [{"code": "quality.quiet", "text": "Very quiet.", "values": {}}],
    "probability": 0.123,
    "decision": "not_flagged",
    "version": {"recipe": "cough/mlp", "name": "starter-1", "sha256": "ab" * 32},
    "timings": {"queued_ms": 1.0, "prepare_ms": 20.4, "predict_ms": 3.0, "total_ms": 30.0},
}
DONE = {"file": "a.wav", "modality": "cough", "status": "succeeded", "sentence": "Done.", "error": None}
DONE |= {"result": RESULT}  # type: ignore[dict-item]
REJECTED = {"status": "rejected", "sentence": "No.", "result": None, "error": {"code": "c", "detail": "It is silent."}}


def test_a_result_is_explained_by_its_own_sentences() -> None:
    assert explanation(DONE) == "Pattern not seen.\nVery quiet."
    assert explanation(REJECTED) == "It is silent."
    assert explanation({"sentence": "Waiting for a worker.", "result": None}) == "Waiting for a worker."


def test_a_row_holds_what_a_person_needs() -> None:
    (row,) = result_rows([DONE])
    assert row == [
        "a.wav\ncough",
        "succeeded",
        "not flagged\nprobability 0.12",
        "starter-1\nabababababab",
        "1 ms waited\n20 ms read\n3 ms model\n30 ms in all",
        "Pattern not seen.\nVery quiet.",
    ]
    (row,) = result_rows([{**REJECTED, "file": "b.wav", "modality": None}])
    assert row == ["b.wav", "rejected", None, None, None, "It is silent."]


def test_a_recalled_result_decides_nothing() -> None:
    reasons = [{"code": "result_recalled", "text": "Recalled.", "values": {}}]
    assert [decided(RESULT), decided({**RESULT, "reasons": reasons}), decided(None)] == ["not flagged", "recalled", ""]


def test_the_demo_says_everything_on_one_level() -> None:
    job = flat(DONE, synthetic=True)
    assert (job["probability"], job["decision"], job["synthetic"]) == (0.123, "not_flagged", True)
    assert job["version"]["sha256"] == "ab" * 32
    assert job["sentence"] == "Pattern not seen."
    rejected = flat(REJECTED, synthetic=False)
    assert (rejected["probability"], rejected["sentence"], rejected["synthetic"]) == (None, "It is silent.", False)


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (NotFound(), "There is nothing here"),
        (ModuleNotFoundError("no", name="torch.nn"), "thoracle[trainer]"),
        (ModuleNotFoundError("no", name="soundfile"), "thoracle[worker]"),
        (ModuleNotFoundError("no", name="uvicorn"), "thoracle[api]"),
        (FileNotFoundError(2, "No such file or directory", "x.png"), "x.png: No such file or directory."),
    ],
)
def test_an_error_is_one_sentence(error: Exception, said: str) -> None:
    assert said in sentence(error)
    assert "\n" not in sentence(error)


def test_what_nobody_foresaw_leaves_a_trace_in_a_file(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path_factory.mktemp("home")
    monkeypatch.setenv("THORACLE_HOME", str(home))
    assert "command.log" in sentence(ZeroDivisionError("secret detail"))
    assert "ZeroDivisionError" in (home / "logs" / "command.log").read_text()


VERSIONS = [
    {"modality": "cough", "version": {"name": "starter-1", "sha256": "aaaaaaaa" * 8}},
    {"modality": "chest_xray", "version": {"name": "starter-1", "sha256": "bbbbbbbb" * 8}},
    {"modality": "cough", "version": {"name": "better", "sha256": "cccccccc" * 8}},
]


def test_a_version_is_chosen_by_name_or_the_beginning_of_its_address() -> None:
    assert choose(VERSIONS, "better")["modality"] == "cough"
    assert choose(VERSIONS, "bbbbbbbb")["modality"] == "chest_xray"


@pytest.mark.parametrize("wanted", ["starter-1", "absent", "cc", ""])
def test_a_doubtful_choice_names_what_there_is(wanted: str) -> None:
    with pytest.raises(ThoracleError, match=r"starter-1 \(aaaaaaaa\)"):
        choose(VERSIONS, wanted)


@pytest.mark.parametrize(
    "command",
    [
        "up",
        "demo",
        "submit",
        "versions list",
        "promote",
        "rollback",
        "recipes",
        "train",
        "publish",
        "samples",
        "doctor",
    ],
)
def test_every_command_has_json_and_explains_itself(command: str) -> None:
    shown = CliRunner().invoke(app, [*command.split(), "--help"], env={"COLUMNS": "200", "NO_COLOR": "1"})
    assert shown.exit_code == 0
    assert "--json" in shown.stdout


@pytest.mark.parametrize("group", ["jobs", "keys", "runs", "versions"])
def test_groups_name_their_commands(group: str) -> None:
    shown = CliRunner().invoke(app, [group, "--help"])
    assert "list" in shown.stdout


def test_wrong_usage_is_exit_code_2() -> None:
    assert CliRunner().invoke(app, ["rollback", "liver"]).exit_code == 2
