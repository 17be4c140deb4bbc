"""One batch under its key, sent a part at a time."""

import httpx

from cli.bulk import Item, parts
from cli.client import Answer, Client
from cli.output import say
from cli.packing import Unreadable, body_of
from cli.progress import progress
from shared.errors import ThoracleError


class Sending:
    """The batch that `key` begins or goes on with. What the service has is not made again."""

    def __init__(self, client: Client, key: str, client_ref: str | None) -> None:
        self._client, self._key, self._client_ref = client, key, client_ref
        self._refused: dict[str, Answer] = {}

    def all(self, items: list[Item]) -> Answer:
        """The batch after its last part, with the sum of what was made, known and refused. Raises what stops it."""
        batch: Answer = {}
        made = known = 0
        try:
            with progress("Sending", len(items)) as step:
                for part in parts(items):
                    batch = self._part(part)
                    made, known = made + batch["made"], known + batch["known"]
                    for item in part:
                        step(item)
        except (ThoracleError, httpx.HTTPError, KeyboardInterrupt):
            say(f"What was taken stays. The same command with --key {self._key} goes on.")
            raise
        return {**batch, "key": self._key, "made": made, "known": known, "errors": list(self._refused.values())}

    def _part(self, part: list[Item]) -> Answer:
        """Send it; a file that cannot be read is told, and left out when the rest is sent again."""
        while True:
            kind, body = body_of(part)
            headers, query = {"Idempotency-Key": self._key}, {"client_ref": self._client_ref}
            try:
                batch = self._client.upload("/v1/batches", kind, body, headers, query)
            except Unreadable as problem:
                self._refuse(problem.item.key, "file_unreadable", "The file could not be read.")
                part = [Item(item.key, item.values) if item is problem.item else item for item in part]
                continue
            for error in batch["errors"]:
                self._refuse(error["key"], error["code"], error["detail"])
            return batch

    def _refuse(self, key: str, code: str, detail: str) -> None:
        self._refused.setdefault(key, {"key": key, "code": code, "detail": detail})
