"""How numbers, times and names are written on a page."""

from datetime import UTC, datetime
from decimal import Decimal

from shared.schemas import Interval
from shared.sentences import Language, language

_KIB, _MIB = 2**10, 2**20


def number(value: float, digits: int = 2) -> str:
    """A probability or a metric."""
    return f"{value:.{digits}f}"


def signed(value: float) -> str:
    """A figure that may be below nought, with a true minus sign."""
    return number(value).replace("-", "−")


def probability(value: float) -> str:
    """Two digits, and never 0.00 or 1.00: no model is that sure."""
    if value < 0.01:
        return "< 0.01"
    if value > 0.99:
        return "> 0.99"
    return number(value)


def interval(figure: Interval | None, missing: str) -> str:
    """A figure with its 95 % interval, or the words for one that cannot be computed."""
    if figure is None:
        return missing
    return f"{number(figure.value)} ({number(figure.low)}–{number(figure.high)})"


def of_hundred(figure: Interval) -> dict[str, int]:
    """A share as a natural frequency with its interval: what readers understand best (Gigerenzer 2007)."""
    return {"value": round(100 * figure.value), "low": round(100 * figure.low), "high": round(100 * figure.high)}


def instant(moment: datetime) -> str:
    """A time with its zone, to the minute. The script shows it in the reader's own zone."""
    written = "%Y年%m月%d日 %H:%M" if language() is Language.CHINESE else "%Y-%m-%d %H:%M"
    return f"{moment.astimezone(UTC):{written}} UTC"


def duration(milliseconds: float) -> str:
    """A duration with a unit that fits it."""
    return f"{milliseconds:.0f} ms" if milliseconds < 1000 else seconds(milliseconds / 1000)


def seconds(count: float) -> str:
    """The same from a second upwards."""
    if count < 120:
        return f"{count:.1f} s"
    return f"{count / 60:.0f} min" if count < 7200 else f"{count / 3600:.1f} h"


def age(milliseconds: float) -> str:
    """A long duration with a unit that fits it."""
    seconds = milliseconds / 1000
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"


def size(count: int) -> str:
    """A size in bytes with a unit that fits it."""
    if count < _KIB:
        return f"{count} B"
    return f"{count / _KIB:.0f} KiB" if count < _MIB else f"{count / _MIB:.1f} MiB"


def short(sha256: str) -> str:
    """The first characters of an address: enough to tell versions apart."""
    return sha256[:12]


def plain(value: float) -> str:
    """A number without trailing zeros."""
    return format(Decimal(repr(value)).normalize(), "f")


def without(sentence: str, warning: str | None) -> str:
    """A result's sentence without the warning that leads it, where the page shows the warning by itself."""
    return sentence.removeprefix(warning or "").strip()


FILTERS = {
    "without": without,
    "number": number,
    "signed": signed,
    "probability": probability,
    "interval": interval,
    "of_hundred": of_hundred,
    "instant": instant,
    "duration": duration,
    "age": age,
    "seconds": seconds,
    "size": size,
    "short": short,
    "plain": plain,
}
