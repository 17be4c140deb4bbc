"""The catalogue: every sentence that a person reads, once in each language. English is the first and the fallback.

The language is a context variable: English unless a request asked for another one, so whatever is stored is English.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from enum import StrEnum
from functools import lru_cache
from string import Formatter

from shared.sentences.chinese import SENTENCES as ZH
from shared.sentences.english import SENTENCES as EN
from shared.sentences.english.results import RESEARCH

__all__ = ["EN", "RESEARCH", "ZH", "Language", "fields_of", "language", "retold", "say", "speaking"]


class Language(StrEnum):
    """The languages of the catalogue."""

    ENGLISH = "en"
    CHINESE = "zh"


_CATALOGUES: Mapping[Language, Mapping[str, str]] = {Language.ENGLISH: EN, Language.CHINESE: ZH}
_SPOKEN: ContextVar[Language] = ContextVar("language", default=Language.ENGLISH)


def language() -> Language:
    """What is spoken here and now."""
    return _SPOKEN.get()


@contextmanager
def speaking(wanted: Language) -> Iterator[None]:
    """Within it `say` speaks this language, also in tasks and threads that are begun there."""
    before = _SPOKEN.set(wanted)
    try:
        yield
    finally:
        _SPOKEN.reset(before)


def say(key: str, **values: object) -> str:
    """The sentence for a key, with its values; the key itself when the catalogue has none.

    A value that the sentence names and the caller left out keeps the sentence readable: the bare text is returned.
    """
    sentence = _CATALOGUES[_SPOKEN.get()].get(key) or EN.get(key, key)
    try:
        return sentence.format(**values)
    except (KeyError, ValueError, TypeError):
        return sentence


def retold(key: str, told: str, part: Callable[[str], str] = str) -> str:
    """A sentence that was stored in English, in the language of now; as it is when the catalogue never said it.

    `part` tells each of its values anew.
    """
    if _SPOKEN.get() is Language.ENGLISH or key not in EN:
        return told
    found = _pattern(EN[key]).fullmatch(told)
    if found is None:
        return told
    return say(key, **{name: _Told(part(value)) for name, value in found.groupdict().items()})


def fields_of(sentence: str) -> set[str]:
    """The names of the values that a sentence takes."""
    return {field for _, field, _, _ in Formatter().parse(sentence) if field}


class _Told(str):
    """A value as it was written: no format changes it again."""

    __slots__ = ()

    def __format__(self, _: str) -> str:
        return str(self)


@lru_cache(maxsize=256)
def _pattern(sentence: str) -> re.Pattern[str]:
    """Matches what the sentence can become, and finds its values."""
    met: set[str] = set()
    parts = []
    for literal, field, _, _ in Formatter().parse(sentence):
        parts.append(re.escape(literal))
        if field:
            parts.append(f"(?P={field})" if field in met else f"(?P<{field}>.+?)")
            met.add(field)
    return re.compile("".join(parts), re.DOTALL)
