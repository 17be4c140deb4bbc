"""What a run leaves outside its rows: stored bytes, the echo inside each result, version files, words, messages, exits.

Every function yields what was broken.
"""

import base64
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import redis
from sqlalchemy import Row, select, text
from sqlalchemy.orm import Session

from services.api.webhooks import signing
from shared.db.tables import Version
from shared.decide import calibrated
from shared.errors import ThoracleError, VersionInvalid
from shared.registry import verify
from shared.schemas import Card
from shared.settings import Settings
from shared.storage import BlobStore
from tests.chaos.identity import CANARY, NoEcho, canary, index_of, read_back
from tests.chaos.query import SHOWN, Violation
from tests.support.receiver import Message

GRACE_S = 30.0  # a process that was told to stop has ended by then
_PIECE = 1 << 20

_BLOBS = text(
    """
    SELECT DISTINCT tenant_id, sha256 FROM job_inputs
    UNION SELECT tenant_id, sha256 FROM renditions WHERE state = 'made'
    """
)
_RESULTS = text(
    """
    SELECT r.job_id, r.score, r.probability, r.decision, r.version_id, v.name, j.subject_id
    FROM results r JOIN jobs j ON j.id = r.job_id JOIN versions v ON v.id = r.version_id
    """
)
_DELIVERIES = text(
    "SELECT d.id, d.job_id::text, d.status, d.state, w.secret FROM deliveries d JOIN webhooks w ON w.id = d.webhook_id"
)


@dataclass(frozen=True)
class Stop:
    """A process that was sent SIGTERM: its exit code (None: still there) and how long it took, in seconds."""

    name: str
    code: int | None
    seconds: float


def stored(session: Session, settings: Settings) -> Iterable[Any]:
    """Every input and picture that a row names lies in the store with its bytes unchanged."""
    store = BlobStore(settings.blob_dir)
    for row in session.execute(_BLOBS):
        try:
            store.verified_path(row.tenant_id, row.sha256)
        except ThoracleError:
            yield row.tenant_id, row.sha256


def echoed_patient(session: Session) -> Iterable[Any]:
    """The number inside each echo version's score is that of the job's own patient."""
    for row, number, _ in _echoes(session):
        if canary(number) != row.subject_id:
            yield row.job_id, row.subject_id, number


def echoed_version(session: Session) -> Iterable[Any]:
    """The version inside each echo version's score is the one that the result names, calibrated as its card says."""
    cards = {each.id: Card.model_validate(each.card) for each in session.scalars(select(Version))}
    for row, _, index in _echoes(session):
        card = cards[row.version_id]
        present = row.decision == "flagged" if row.decision != "refer" else row.probability >= card.threshold
        right = abs(row.probability - calibrated(card, row.score)) < 1e-9
        if index != index_of(row.name) or not right or present != (row.probability >= card.threshold):
            yield row.job_id, row.name, index, row.probability


def registered(session: Session, settings: Settings) -> Iterable[Any]:
    """The files of every version that answered are those that were published."""
    answered = select(Version).where(Version.id.in_(text("SELECT version_id FROM results")))
    for version in session.scalars(answered):
        try:
            verify(settings.versions_dir / version.sha256, version.sha256)
        except VersionInvalid as error:
            yield version.name, error.detail


def private(settings: Settings, texts: Mapping[str, str], files: Iterable[Path]) -> Iterable[Any]:
    """Nothing that stands for a patient's data is in logs, metrics, error bodies or Redis, plain or as base64."""
    for name, body in texts.items():
        if _NEEDLES.search(body.encode()):
            yield name
    for path in files:
        if path.is_file() and _in_file(path):
            yield path.name
    with redis.Redis.from_url(settings.redis_url.get_secret_value(), socket_timeout=5) as connection:
        for key in connection.scan_iter():
            if _NEEDLES.search(key + _value(connection, key)):
                yield key.decode(errors="replace")


def delivered(session: Session, messages: Iterable[Message]) -> Iterable[Any]:
    """Whatever counts as sent has arrived, under one id each time, with one body and a signature that holds."""
    rows = {f"msg_{row.id}": row for row in session.execute(_DELIVERIES)}
    bodies: dict[str, bytes] = {}
    for message in messages:
        name = message.headers.get("webhook-id", "")
        if name not in rows or bodies.setdefault(name, message.body) != message.body or not _true(message, rows[name]):
            yield name, message.body[:200]
    for name, row in rows.items():
        if row.state == "sent" and name not in bodies:
            yield name, "never arrived"


def stopped(stops: Iterable[Stop]) -> Iterable[Any]:
    """Whoever was told to stop has ended well and in time."""
    for stop in stops:
        if stop.code != 0 or stop.seconds > GRACE_S:
            yield stop


def broken(invariant: str, what: str | None, rows: Iterable[Any]) -> Iterator[Violation]:
    """A violation when there are rows."""
    if found := tuple(rows)[:SHOWN]:
        yield Violation(invariant, (what or "").strip().splitlines()[0], found)


def _echoes(session: Session) -> Iterator[tuple[Row[Any], int, int]]:
    """Results of echo versions for patients of ours with what their scores say; -1 where it says nothing."""
    for row in session.execute(_RESULTS):
        if not row.name.startswith("echo-") or not (row.subject_id or "").startswith(CANARY):
            continue
        try:
            yield row, *read_back(row.score)
        except NoEcho:
            yield row, -1, -1


def _encoded(word: bytes) -> list[bytes]:
    """The word as it looks inside base64, at each of the three places where it may begin."""
    forms = []
    for before in range(3):
        whole = base64.b64encode(b"\0" * before + word)
        forms.append(whole[(0, 2, 3)[before] : len(whole) - (0, 4, 3)[(before + len(word)) % 3]])
    return forms


_NEEDLES = re.compile(b"|".join(re.escape(form) for form in [CANARY.encode(), *_encoded(CANARY.encode())]))


def _in_file(path: Path) -> bool:
    tail = b""
    with path.open("rb") as file:
        while piece := file.read(_PIECE):
            if _NEEDLES.search(tail + piece):
                return True
            tail = piece[-100:]
    return False


def _value(connection: Any, key: bytes) -> bytes:
    readers = {
        b"string": connection.get,
        b"list": lambda name: connection.lrange(name, 0, -1),
        b"hash": connection.hgetall,
        b"set": connection.smembers,
        b"zset": lambda name: connection.zrange(name, 0, -1),
    }
    read = readers.get(connection.type(key))
    return b"" if read is None else _flat(read(key))


def _flat(value: Any) -> bytes:
    if isinstance(value, bytes):
        return value
    if isinstance(value, dict):
        value = [part for pair in value.items() for part in pair]
    return b" ".join(_flat(part) for part in value or ())


def _true(message: Message, row: Row[Any]) -> bool:
    told = json.loads(message.body).get("data", {})
    at = message.headers.get("webhook-timestamp", "0")
    wanted = signing.headers(f"msg_{row.id}", int(at), message.body, [bytes(row.secret)])["webhook-signature"]
    right_job = row.job_id is None or (told.get("job_id"), told.get("status")) == (row.job_id, row.status)
    return right_job and wanted in message.headers.get("webhook-signature", "").split()
