"""What docker-compose.yml promises, read from the file itself: no container engine is needed to notice a slip."""

import re
import socket
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import AliasChoices
from sqlalchemy import select

from cli.local import TENANT
from infra.docker import prepare, pulse
from shared.db.engine import Database
from shared.db.people import digest
from shared.db.tables import Credential, Principal
from shared.schemas import Role
from shared.settings import Settings
from tests.support.stack import worker

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docker-compose.yml").read_text()
COMPOSE: dict[str, Any] = yaml.safe_load(TEXT)
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
OURS = {name: service for name, service in SERVICES.items() if "build" in service}
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
DOCKERFILE = (ROOT / "infra" / "docker" / "Dockerfile").read_text()
HEAVY = {"torch", "torchvision", "scikit-learn", "hyperopt", "onnx"}

each_service = pytest.mark.parametrize("name", sorted(SERVICES))
each_of_ours = pytest.mark.parametrize("name", sorted(OURS))


def settings_variables() -> set[str]:
    """Every environment variable that Settings reads."""
    names: set[str] = set()
    for name, field in Settings.model_fields.items():
        alias = field.validation_alias
        names |= {str(choice) for choice in alias.choices} if isinstance(alias, AliasChoices) else set()
        names.add(f"THORACLE_{name.upper()}")
    return names


def seconds(duration: str) -> int:
    """Seconds of a duration like `40s`."""
    found = re.fullmatch(r"(\d+)s", duration)
    assert found, duration
    return int(found[1])


def interpolated(value: str) -> str:
    """A value as it is with every password set to `secret` and nothing else in `.env`."""
    return re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", re.sub(r"\$\{\w+:\?[^}]*\}", "secret", value))


def requirements(extra: str) -> set[str]:
    """Names of the packages that an extra asks for, together with the project's own."""
    names: set[str] = set()
    for line in [*PROJECT["dependencies"], *PROJECT["optional-dependencies"][extra]]:
        name, _, inner = re.split(r"[<>=~!;\s]", line, maxsplit=1)[0].partition("[")
        names |= requirements(inner.rstrip("]")) if name == PROJECT["name"] else {name}
    return names


def test_expected_services() -> None:
    assert set(SERVICES) == {"postgres", "redis", "migrate", "api", "worker", "worker-gpu", "trainer"}
    assert set(OURS) == {"migrate", "api", "worker", "worker-gpu", "trainer"}


@each_of_ours
def test_every_variable_is_a_setting(name: str) -> None:
    assert set(OURS[name]["environment"]) <= settings_variables()
    assert {"DATABASE_URL", "REDIS_URL", "THORACLE_DATA_DIR"} <= set(OURS[name]["environment"])


def test_every_interpolated_variable_is_known() -> None:
    used = set(re.findall(r"(?<!\$)\$\{([A-Z_]+)", TEXT))
    assert used - settings_variables() == {"POSTGRES_PASSWORD", "REDIS_PASSWORD", "TRAINING_DATA", "TRAINING_WEIGHTS"}


def test_nothing_starts_without_passwords() -> None:
    for use in re.findall(r"\$\{((?:POSTGRES|REDIS)_PASSWORD[^}]*)\}", TEXT):
        assert ":?" in use, use
    assert "$$REDIS_PASSWORD" in TEXT, "the shell in the container reads it, so that no process list shows it"


def test_settings_of_the_gateway_parse(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable, value in SERVICES["api"]["environment"].items():
        monkeypatch.setenv(
            variable, re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", re.sub(r"\$\{\w+:\?[^}]*\}", "secret", value))
        )
    settings = Settings(_env_file=None)  # type: ignore[call-arg]  # the mypy plugin does not know this argument
    assert settings.database_url.get_secret_value() == "postgresql+psycopg://thoracle:secret@postgres:5432/thoracle"
    assert settings.redis_url.get_secret_value() == "redis://:secret@redis:6379/0"
    assert (settings.host, settings.port) == ("0.0.0.0", 8000)
    assert settings.base_url == "http://127.0.0.1:8000"


@each_service
def test_hardened(name: str) -> None:
    service = SERVICES[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert "cap_add" not in service
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert not {"privileged", "devices", "pid", "ipc", "network_mode"} & set(service)
    assert service["pids_limit"] > 0
    assert any(re.fullmatch(r"/tmp:size=\d+m", mount) for mount in service["tmpfs"])
    assert service["logging"]["options"]["max-size"]


@each_service
def test_nobody_is_root(name: str) -> None:
    if name in OURS:
        assert "user" not in SERVICES[name], "the image's user stands in the Dockerfile"
        assert re.findall(r"^USER (.*)$", DOCKERFILE, re.M) == ["10001:10001"]
    else:
        assert SERVICES[name]["user"] == "999:999"


@each_service
def test_images_name_a_version(name: str) -> None:
    image = SERVICES[name]["image"]
    tag = image.rpartition("/")[2].partition(":")[2]
    assert tag
    assert "latest" not in tag
    if name in OURS:
        assert tag == PROJECT["version"]
    else:
        assert image.startswith("docker.io/"), "a short name means another registry on another machine"


def test_base_image_names_a_version() -> None:
    for image in re.findall(r"^ARG BASE=(\S+)", DOCKERFILE, re.M) + re.findall(r"^FROM (\S+)", DOCKERFILE, re.M):
        assert image in ("${BASE}", "python") or re.search(r":(?!latest)[\w.-]+$", image), image


def test_ports_are_for_this_machine_only() -> None:
    for service in SERVICES.values():
        for port in service.get("ports", []):
            assert port.startswith("127.0.0.1:")


def test_only_the_gateway_reaches_outside() -> None:
    assert COMPOSE["networks"]["inside"]["internal"] is True
    assert {name for name, service in SERVICES.items() if service["networks"] != ["inside"]} == {"api"}


@pytest.mark.parametrize("name", ["api", "worker", "worker-gpu", "trainer"])
def test_time_to_stop(name: str) -> None:
    assert seconds(SERVICES[name]["stop_grace_period"]) >= 40
    assert SERVICES[name]["init"] is True


def test_worker_has_room_for_its_slots_and_time_for_its_claim() -> None:
    settings = Settings(_env_file=None)  # type: ignore[call-arg]
    room = int(SERVICES["worker"]["shm_size"].removesuffix("m"))
    assert room >= 2 * settings.claim_size * settings.slot_mb
    assert seconds(SERVICES["worker"]["stop_grace_period"]) > 2 * settings.sandbox_seconds


def test_redis_keeps_what_it_has_and_evicts_nothing() -> None:
    script = SERVICES["redis"]["command"][-1]
    for line in ("appendonly yes", "maxmemory-policy noeviction", "requirepass $$REDIS_PASSWORD"):
        assert line in script.splitlines()


@pytest.mark.parametrize("name", ["postgres", "redis", "api", "worker", "trainer"])
def test_healthchecks(name: str) -> None:
    assert SERVICES[name]["healthcheck"]["test"][0] in ("CMD", "CMD-SHELL")


def test_health_of_the_gateway_is_readiness() -> None:
    assert "/health/ready" in SERVICES["api"]["healthcheck"]["test"][-1]


@pytest.mark.parametrize("name", ["api", "worker", "trainer"])
def test_start_order(name: str) -> None:
    waits = {other: wait["condition"] for other, wait in SERVICES[name]["depends_on"].items()}
    assert waits == {
        "postgres": "service_healthy",
        "redis": "service_healthy",
        "migrate": "service_completed_successfully",
    }
    assert "depends_on" not in SERVICES["migrate"], "podman 4 cannot follow a dependency of a container that has ended"


@each_of_ours
def test_extras_exist(name: str) -> None:
    for extra in OURS[name]["build"]["args"]["EXTRAS"].split(","):
        assert extra in PROJECT["optional-dependencies"]
    assert (ROOT / OURS[name]["build"]["dockerfile"]).is_file()


@pytest.mark.parametrize("name", ["migrate", "api", "worker", "worker-gpu"])
def test_no_torch_where_it_does_not_belong(name: str) -> None:
    for extra in OURS[name]["build"]["args"]["EXTRAS"].split(","):
        assert not requirements(extra) & HEAVY


def test_profiles() -> None:
    assert {name: service["profiles"] for name, service in SERVICES.items() if "profiles" in service} == {
        "worker-gpu": ["gpu"],
        "trainer": ["train"],
    }


def test_the_trainer_takes_runs_on_what_is_mounted() -> None:
    trainer = SERVICES["trainer"]
    assert trainer["command"] == ["python", "-m", "services.trainer"]
    mounted = [volume.split(":")[-2:] for volume in trainer["volumes"]]
    assert [trainer["environment"]["THORACLE_DATASETS_DIR"], "ro"] in mounted
    assert trainer["restart"] == SERVICES["worker"]["restart"]


def test_uploads_and_secrets_stay_out_of_the_build() -> None:
    lines = [line for line in (ROOT / ".dockerignore").read_text().splitlines() if line and not line.startswith("#")]
    assert lines[0] == "*", "nothing enters unless it is named"
    assert not {line for line in lines if line.startswith("!") and (".env" in line or ".git" in line)}


def test_a_fresh_installation_gets_one_admin(settings: Settings, database: Database, monkeypatch: Any) -> None:
    monkeypatch.setattr(prepare, "Settings", lambda: settings)
    prepare.main()
    key_file = settings.versions_dir.parent / prepare.KEY_FILE
    secret = key_file.read_text().strip()
    assert key_file.stat().st_mode & 0o777 == 0o600
    with database.begin() as session:
        query = select(Principal.roles).join(Credential).where(Credential.digest == digest(secret))
        assert session.scalars(query).all() == [[Role.ADMIN]]
    key_file.unlink()
    prepare.main()
    assert not key_file.exists(), "there is an admin already"


def test_the_first_admin_belongs_to_the_hospital_of_the_command_line() -> None:
    assert prepare.TENANT == TENANT


def test_the_pulse_of_a_worker(settings: Settings, database: Database, tmp_path: Path) -> None:
    here = socket.gethostname()
    assert not pulse.beats(settings, here)
    with worker(settings, database, tmp_path / "worker.log"):
        assert pulse.beats(settings, here)
        assert not pulse.beats(settings, "elsewhere")
    assert not pulse.beats(settings, here), "it said that it is gone"
