"""One item of a batch whose input is at hand, and what it is in the database."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import Row

from services.api.accept import possible_modality
from services.api.bulk.manifest import Line, Refusal
from shared.db.tables import PRIORITY_RANK, new_id
from shared.errors import Unprocessable, UnsupportedInput
from shared.schemas import JobFields, Modality
from shared.sentences import Language, speaking
from shared.sniff import sniff
from shared.storage import BlobWriter

_KEPT = ("client_ref", "subject_id", "site", "device", "acquired_at", "age_years", "sex", "view")
_TOLD = (*_KEPT, "not_before", "not_after")


@dataclass
class Item:
    """A line whose input is at hand: its bytes in a writer that is not yet durable, or stored before."""

    number: int
    key: str
    fields: JobFields
    sha256: str
    size_bytes: int
    media_type: str
    writer: BlobWriter | None = None
    version: UUID | None = None

    @property
    def modality(self) -> Modality:
        """What the file is taken for. Raises Unprocessable, UnsupportedInput."""
        return possible_modality(self.media_type, self.fields.modality)

    def differs(self, job: Row[Any]) -> bool:
        """Whether it says something else than the job that its key made. A header may have filled what it left open."""
        said = {
            **{name: getattr(self.fields, name) for name in _KEPT},
            "sha256": self.sha256,
            "modality": self.modality,
            "priority": PRIORITY_RANK[self.fields.priority],
            "requested_id": self.version,
            "study": self.fields.study_id,
        }
        return any(value is not None and value != getattr(job, name) for name, value in said.items())


Found = list[Item | Refusal]


def whole(line: Line, fields: JobFields, writer: BlobWriter) -> Item:
    """A line whose bytes are all in the writer; closes it. Raises Unprocessable, UnsupportedInput."""
    writer.close()
    if writer.size_bytes == 0:
        raise Unprocessable("input_empty")
    media_type = sniff(writer.head)
    if media_type is None:
        raise UnsupportedInput
    return Item(line.number, line.key, fields, writer.sha256, writer.size_bytes, media_type, writer)


def row(item: Item) -> dict[str, Any]:
    """An item as `batches.fill` takes it: JSON values under the names of columns."""
    said = item.fields.model_dump(mode="json", include=set(_TOLD), exclude_none=True)
    return {
        **said,
        "id": str(new_id()),
        "input_id": str(new_id()),
        "study_id": str(new_id()) if item.fields.study_id else None,
        "study": item.fields.study_id,
        "item": item.key,
        "modality": item.modality,
        "priority": PRIORITY_RANK[item.fields.priority],
        "requested_id": str(item.version),
        "sha256": item.sha256,
        "size_bytes": item.size_bytes,
        "media_type": item.media_type,
    }


def told(tenant: UUID, batch: UUID, refusal: Refusal) -> dict[str, Any]:
    """A refusal as `batches.refuse` takes it."""
    problem = refusal.problem
    ids = {"batch_id": batch, "tenant_id": tenant, "item": refusal.key, "line": refusal.number}
    with speaking(Language.ENGLISH):  # what is stored; who reads it gets it retold
        return {**ids, "code": problem.code, "detail": problem.detail}
