"""A card's sentences in the language of now. A card is written once, in English, when its version is published."""

import re
from functools import lru_cache

from shared.sentences import EN, Language, language, retold, speaking

_KEYS = [key for key in EN if key.startswith("card.")]
_CHINESE = re.compile(r"[\u4e00-\u9fff]")


def carded(text: str) -> str:
    """What a card says; as it is where no trainer of ours wrote it so."""
    return text if language() is Language.ENGLISH else _told(text, language())


def is_english(text: str) -> bool:
    """Whether a card's text, as `carded` gave it, is still English on a page that is not."""
    return language() is not Language.ENGLISH and not _CHINESE.search(text)


@lru_cache(maxsize=4096)
def _told(text: str, wanted: Language) -> str:
    with speaking(wanted):
        return next((told for key in _KEYS if (told := retold(key, text, _part)) != text), text)


def _part(value: str) -> str:
    """A value of a sentence: names of controls, each with its figure, are told as well."""
    return "、".join(_named(one) for one in value.split(", "))


def _named(one: str) -> str:
    name, _, figure = one.rpartition(" ")
    return f"{carded(name)} {figure}" if name else one
