"""The catalogue: every sentence that a person reads, once. English first; another language adds a dictionary."""

from shared.sentences.english import SENTENCES as EN
from shared.sentences.english.results import RESEARCH

__all__ = ["EN", "RESEARCH", "say"]


def say(key: str, **values: object) -> str:
    """The sentence for a key, with its values; the key itself when the catalogue has none.

    A value that the sentence names and the caller left out keeps the sentence readable: the bare text is returned.
    """
    sentence = EN.get(key, key)
    try:
        return sentence.format(**values)
    except (KeyError, ValueError, TypeError):
        return sentence
