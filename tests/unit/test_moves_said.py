"""Whatever a page may say of a move, of its gates, of a run or a step has its sentence."""

from typing import get_args

import pytest

from services.api.gates import Alerts, Pairs, gates, retold_detail
from services.api.preparation import Preparation, Standing, State
from services.api.retraining import Cause, Step
from services.api.web.consequences import Action
from services.api.web.navigation import _GROUPS
from shared.schemas import Basis, Modality, Role, RunState, VersionRef
from shared.sentences import EN, Language, say, speaking
from tests.support.versions import card as tiny_card

CARD = tiny_card(Modality.COUGH, "cough/mlp", "tiny-1", [26], "covid_pattern", ["audio/wav"], [0.0], [0.0])
REF = VersionRef(recipe="cough/mlp", name="tiny-1", sha256="0" * 64)
PROOF = Preparation(version=REF, proved_by="workers", ready=True, standings=[Standing(worker="h:1", state="warm")])


@pytest.mark.parametrize("action", list(Action))
def test_a_move_is_asked_done_and_taken_back_in_words(action: Action) -> None:
    for part in ("ask", "do", "done", "go", "undo"):
        assert f"admin.{part}.{action}" in EN


def test_what_a_page_lists_has_its_words() -> None:
    named = {
        *(f"admin.gate.{gate.name}" for gate in gates(CARD, None, Pairs(0, 0, 0), PROOF, Alerts(0, 0, watched=False))),
        *(f"admin.standing.{state}" for state in get_args(State)),
        *(f"admin.run.{state}" for state in RunState),
        *(f"admin.role.{role}" for role in Role),
        *(f"admin.basis.{basis}" for basis in Basis),
        *(f"admin.cause.{cause}" for cause in get_args(Cause)),
        *(f"admin.step.{step}" for step in get_args(Step.model_fields["step"].annotation)),
        *(f"admin.nav.{place.here}" for places in _GROUPS.values() for place in places),
        *(f"admin.group.{group}" for group in _GROUPS),
        *(
            f"admin.move.{move}"
            for move in ("install", "promote", "rollback", "recall", "canary", "canary_end", "shadow", "shadow_end")
        ),
    }
    assert sorted(named - EN.keys()) == []


def test_what_a_gate_said_is_told_anew() -> None:
    said = say("gate.shortcuts.as_good", control="file size", reached=0.78, model=0.7)
    assert retold_detail("shortcuts", said) == said
    with speaking(Language.CHINESE):
        told = retold_detail("shortcuts", said)
        assert told != said
        assert "0.78" in told
        assert retold_detail("shortcuts", "Something else.") == "Something else."
