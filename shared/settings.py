"""The only reader of the environment. Every field is documented in `.env.example`; a test compares the two."""

import os
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from pydantic import AliasChoices, Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    """Frozen settings of one process. Durations are in seconds, sizes in bytes unless the name says otherwise."""

    model_config = SettingsConfigDict(
        env_prefix="THORACLE_", env_file=".env", env_ignore_empty=True, extra="ignore", frozen=True
    )

    home: Path = Field(
        default_factory=lambda: Path.home() / ".thoracle", description="Data of this machine; `~/.thoracle` when empty"
    )
    database_url: SecretStr = Field(
        SecretStr("postgresql+psycopg://thoracle@127.0.0.1:5432/thoracle"),
        validation_alias=AliasChoices("DATABASE_URL", "THORACLE_DATABASE_URL"),
        description="PostgreSQL 15 or newer",
    )
    redis_url: SecretStr = Field(
        SecretStr("redis://127.0.0.1:6379/0"),
        validation_alias=AliasChoices("REDIS_URL", "THORACLE_REDIS_URL"),
        description="Redis 7 or Valkey, noeviction",
    )
    data_dir: Path | None = Field(None, description="Uploads and versions; `HOME/data` when empty")

    host: str = Field("127.0.0.1", description="Address the gateway listens on")
    port: int = Field(8000, description="Port the gateway listens on")
    public_url: str = Field("", description="Address that clients use, for links; taken from host and port when empty")
    secure_cookies: bool = Field(False, description="Send the session cookie over HTTPS only")
    session_hours: int = Field(12, description="How long a person stays signed in")
    max_upload_mb: int = Field(64, ge=1, description="Largest accepted file")
    max_wait_s: int = Field(30, description="Longest `Prefer: wait`")
    idempotency_hours: int = Field(24, description="How long an Idempotency-Key is remembered")

    max_batch_items: int = Field(20_000, ge=1, le=60_000, description="Most items in one request for a batch")
    max_batch_mb: int = Field(2048, ge=1, description="Most megabytes in it, as they arrive and unpacked")

    max_waiting: int = Field(100_000, ge=1, description="Most jobs of one hospital that wait; more answer 429")
    max_waiting_mb: int = Field(100_000, ge=1, description="Most megabytes of them")
    max_waiting_all: int = Field(500_000, ge=1, description="Most jobs that wait in all; more answer 503")
    max_waiting_all_mb: int = Field(500_000, ge=1, description="Most megabytes of them")
    rate_per_s: int = Field(1000, ge=0, description="Requests a second of one key, per gateway; no limit when 0")
    rate_mb_per_minute: int = Field(12_000, ge=0, description="Megabytes a minute of one key; no limit when 0")
    max_connections_per_address: int = Field(2000, ge=1, description="Most open connections from one address")

    webhook_attempts: int = Field(10, ge=1, description="Attempts before a webhook's delivery is given up")
    webhook_seconds: float = Field(5.0, gt=0, description="Time for one attempt, from the name's look-up to the answer")
    webhook_http: bool = Field(False, description="Allow webhooks without TLS")
    webhook_networks: str = Field(
        "", description="Private networks that webhooks may reach, as `10.1.0.0/16,fd00::/8`; none when empty"
    )

    two_persons: bool = Field(False, description="A promotion needs a second person's approval")
    promotion_gates: Literal["enforce", "advise"] = Field(
        "enforce",
        description="`enforce`: a gate that does not pass needs a person's override; `advise`: it is only kept",
    )

    canary_look_s: float = Field(
        10.0, gt=0, description="Gateways judge a canary against the active version this often"
    )
    canary_min_jobs: int = Field(50, ge=1, description="Ended jobs of a canary before it may be ended automatically")
    canary_max_errors: float = Field(
        0.02, ge=0, le=1, description="A canary ends when its share of failed jobs is higher by this; never when 0"
    )
    canary_max_slowdown: float = Field(
        2.0, ge=0, description="And when its slowest twentieth takes so many times as long; never when 0"
    )
    canary_max_shift: float = Field(
        0.5, ge=0, description="And when its probabilities differ by this population stability index; never when 0"
    )

    drift_every_s: float = Field(60.0, gt=0, description="Time between two countings of what ended")
    drift_rollup_s: int = Field(3600, ge=1, description="How much one rollup holds; beside them there is one a day")
    drift_window_s: int = Field(86_400, ge=1, description="An alert looks back this far")
    drift_reference: int = Field(500, ge=1, description="A version's first results, which later ones are held against")
    drift_results: int = Field(100, ge=1, description="Fewest results of a window that are judged")
    drift_raise: float = Field(0.25, gt=0, description="Population stability index from which an alert is raised")
    drift_clear: float = Field(0.1, gt=0, description="Below it in two windows after another an alert is cleared")

    retraining_look_s: float = Field(
        30.0, gt=0, description="Gateways look this often whether verdicts are to be trained on"
    )

    modalities: str = Field("chest_xray,cough,lung_sound", description="What this worker serves")
    claim_size: int = Field(32, ge=1, description="Most jobs in one claim")
    group_size: int = Field(8, ge=1, description="Most inputs in one forward pass")
    group_values: int = Field(2**23, ge=1, description="Most numbers in the tensors of one forward pass")
    reuse_results: bool = Field(
        True, description="Answer the same bytes by the same version from the hospital's own earlier result"
    )
    shadow_share: float = Field(
        1.0,
        ge=0,
        le=1,
        description="Share of the answered inputs that a shadow version computes too, while nothing waits; none when 0",
    )
    max_attempts: int = Field(3, ge=1, description="Attempts before a job is dead")
    ageing_s: float = Field(30.0, description="A class of urgency that waits is served at least this often")
    lease_s: float = Field(15.0, description="A claim without a heartbeat for this long is lost")
    heartbeat_s: float = Field(3.0, description="Time between heartbeats, and between looks of the reaper")
    idle_look_s: float = Field(2.0, description="An idle worker looks for work this often without Redis")
    deployment_look_s: float = Field(1.0, description="Running workers look for a moved pointer this often")
    predict_threads: int = Field(0, ge=0, description="Threads of the forward pass; all cores when 0")
    worker_metrics_port: int = Field(0, description="Port of a worker's /metrics; none when 0")
    sandbox_children: int = Field(2, ge=1, description="Child processes that open foreign bytes")
    sandbox_seconds: float = Field(20.0, description="Time for one input before its child is killed")
    sandbox_memory_mb: int = Field(3072, description="Address space of one child")
    slot_mb: int = Field(4, description="Largest prepared tensor, for the shared-memory slots")

    weights_dir: Path | None = Field(None, description="torchvision weight files, where its hub cannot be reached")
    random_weights: bool = Field(
        False, description="Start from random weights where a recipe's ImageNet weights are absent"
    )
    datasets_dir: Path | None = Field(
        None, description="Folders that may be trained on, each with an index.csv; `HOME/datasets` when empty"
    )
    trainer_threads: int = Field(2, ge=1, description="Processor cores that training may use")
    trainer_nice: int = Field(10, ge=0, le=19, description="How far a trainer gives way to others; 0 where it is alone")
    url: str = Field("", description="Gateway that the command line asks; the one of this machine when empty")
    key: SecretStr = Field(SecretStr(""), description="API key of the command line; `HOME/key` when empty")

    fault: str = Field("", description="For tests of faults: NAME:kill9|raise|hang[@N] of shared/faults.py")
    log_level: str = Field("INFO", description="DEBUG, INFO, WARNING or ERROR")
    log_format: str = Field("json", description="json, or text for a terminal")

    @cached_property
    def blob_dir(self) -> Path:
        """Where uploads lie, by tenant and sha256."""
        return self._data / "blobs"

    @cached_property
    def versions_dir(self) -> Path:
        """Where published versions lie, by sha256."""
        return self._data / "versions"

    @cached_property
    def datasets(self) -> Path:
        """Where the folders that may be trained on lie, by name."""
        return self.datasets_dir or self.home / "datasets"

    @cached_property
    def runs_dir(self) -> Path:
        """Where training runs keep their checkpoints until they end."""
        return self.home / "cache" / "runs"

    @cached_property
    def base_url(self) -> str:
        """The address that links in answers start with, without a trailing slash."""
        return (self.public_url or f"http://{self.host}:{self.port}").rstrip("/")

    @cached_property
    def served(self) -> tuple[str, ...]:
        """The modalities that this worker serves."""
        return tuple(name.strip() for name in self.modalities.split(",") if name.strip())

    def changed(self, **values: Any) -> "Settings":
        """A copy with some fields changed; what is derived from them follows."""
        fields = {name: getattr(self, name) for name in type(self).model_fields}
        return type(self).model_construct(self.model_fields_set | set(values), **{**fields, **values})

    def given(self, name: str) -> bool:
        """Whether a field was set by somebody, rather than left to its default."""
        return name in self.model_fields_set

    @property
    def _data(self) -> Path:
        return self.data_dir or self.home / "data"


def child_environment(**changes: str) -> dict[str, str]:
    """The environment for a process that we start: ours, with changes."""
    return {**os.environ, **changes}


def set_process_environment(**values: str) -> None:
    """Set variables that libraries read on import (BLAS threads, numba's cache), for us and our children."""
    for name, value in values.items():
        os.environ.setdefault(name, value)


# Read when ONNX Runtime is imported. Without it each process notes what it ran and sends it to the library's maker.
set_process_environment(ORT_DISABLE_TELEMETRY="1")
