"""How fast one key may ask: requests a second and bytes a minute. Counted in this process; each gateway has its own."""

import math
import time
from collections import OrderedDict
from dataclasses import dataclass

from shared.errors import TooMany
from shared.settings import Settings

_BURST_S = 2.0
_MINUTE_S = 60.0
_KEYS = 10_000


@dataclass
class Bucket:
    """Refills at `rate` a second up to `most`. Bytes are known only afterwards, so it may be overdrawn."""

    rate: float
    most: float
    level: float
    at: float

    def spend(self, amount: float, now: float) -> None:
        """Take what was used."""
        self.level = min(self.most, self.level + (now - self.at) * self.rate) - amount
        self.at = now

    def seconds_until(self, amount: float, now: float) -> float:
        """After how long so much is there; 0 when it is there now."""
        level = min(self.most, self.level + (now - self.at) * self.rate)
        return max(0.0, (amount - level) / self.rate)


class Rates:
    """The buckets of every key that was seen lately, known by the digest of its secret."""

    def __init__(self, settings: Settings) -> None:
        self._requests = float(settings.rate_per_s)
        self._bytes = settings.rate_mb_per_minute * 2**20 / _MINUTE_S
        self._keys: OrderedDict[bytes, tuple[Bucket, Bucket]] = OrderedDict()

    def enter(self, key: bytes) -> None:
        """Count a request before anything is done for it. Raises TooMany."""
        now = time.monotonic()
        requests, received = self._of(key, now)
        wait = max(
            requests.seconds_until(1, now) if self._requests else 0.0,
            received.seconds_until(0, now) if self._bytes else 0.0,
        )
        if wait > 0:
            raise TooMany("rate_limited", math.ceil(wait))
        requests.spend(1, now)

    def received(self, key: bytes, size_bytes: int) -> None:
        """Count the bytes that a request brought."""
        now = time.monotonic()
        self._of(key, now)[1].spend(size_bytes, now)

    def _of(self, key: bytes, now: float) -> tuple[Bucket, Bucket]:
        found = self._keys.pop(key, None) or (
            Bucket(self._requests, self._requests * _BURST_S, self._requests * _BURST_S, now),
            Bucket(self._bytes, self._bytes * _MINUTE_S, self._bytes * _MINUTE_S, now),
        )
        self._keys[key] = found
        if len(self._keys) > _KEYS:
            self._keys.popitem(last=False)
        return found
