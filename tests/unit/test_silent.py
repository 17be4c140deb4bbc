"""What a process leaves behind and tells to others: nothing that nobody asked for."""

import subprocess
import sys
from pathlib import Path

from shared.deployments import STARTER
from shared.settings import child_environment

_ANSWER = """
from pathlib import Path
from shared.settings import Settings
from shared.runtimes import open_graph
open_graph(Path({model!r}), "onnxruntime", "f32", 1)
"""


def test_onnx_runtime_notes_nothing_for_its_maker(tmp_path: Path) -> None:
    code = _ANSWER.format(model=str(STARTER / "chest_xray" / "model.onnx"))
    environment = child_environment(HOME=str(tmp_path), XDG_CACHE_HOME=str(tmp_path))
    environment.pop("ORT_DISABLE_TELEMETRY", None)  # as for a process that a user starts
    subprocess.run([sys.executable, "-B", "-c", code], env=environment, check=True, timeout=120)
    assert list(tmp_path.rglob("*")) == []
