"""The catalogue in its languages: the same keys and values, no forbidden word, and what was stored is told anew."""

import re
from string import Formatter

import pytest

from shared.sentences import EN, ZH, Language, fields_of, language, retold, say, speaking
from shared.sentences import chinese as zh_files
from shared.sentences import english as en_files

FORBIDDEN = re.compile(r"阳性|阴性|健康|风险|确诊|正常")


def test_both_languages_have_the_same_keys() -> None:
    assert sorted(EN.keys() - ZH.keys()) == []
    assert sorted(ZH.keys() - EN.keys()) == []


def test_both_languages_have_the_same_files() -> None:
    def files(package: object) -> dict[str, set[str]]:
        return {name: set(found.SENTENCES) for name, found in vars(package).items() if hasattr(found, "SENTENCES")}

    assert files(en_files) == files(zh_files)


@pytest.mark.parametrize("key", sorted(EN.keys() & ZH.keys()))
def test_a_sentence_takes_the_same_values(key: str) -> None:
    assert sorted(fields_of(ZH[key])) == sorted(fields_of(EN[key]))
    assert _formats(ZH[key]) == _formats(EN[key])


def _formats(sentence: str) -> set[tuple[str, str | None]]:
    return {(field, spec) for _, field, spec, _ in Formatter().parse(sentence) if field}


def test_chinese_never_says_what_no_result_may_say() -> None:
    assert [key for key, text in ZH.items() if FORBIDDEN.search(text)] == []
    assert ZH["research"] == "仅供研究使用，不得用于诊断。"


def test_every_chinese_sentence_is_chinese() -> None:
    same = {key for key in EN if ZH.get(key) == EN[key]}
    assert same <= {"page.language.en", "page.language.zh", "finding.covid_pattern"}


def test_a_language_lasts_as_long_as_it_is_spoken() -> None:
    with speaking(Language.CHINESE):
        assert say("page.threshold", threshold="0.50") == "阈值 0.50"
        with speaking(Language.ENGLISH):
            assert say("page.cancel") == "Cancel"
        assert language() is Language.CHINESE
    assert language() is Language.ENGLISH


@pytest.mark.parametrize(
    ("key", "values"),
    [
        ("audio_too_short", {"seconds": 0.123, "minimum": 0.5}),
        ("image_too_small", {"width": 12, "height": 9, "minimum": 64}),
        ("quality.clipped", {"percent": 3.14159}),
        ("age_untested", {"age": 3.5, "low": 18.0, "high": 90.0}),
        ("input_unreadable", {}),
    ],
)
def test_what_was_stored_is_retold_with_its_values(key: str, values: dict[str, float]) -> None:
    stored = say(key, **values)
    assert retold(key, stored) == stored
    with speaking(Language.CHINESE):
        assert retold(key, stored) == say(key, **values)


def test_what_the_catalogue_never_said_stays_as_it_is() -> None:
    with speaking(Language.CHINESE):
        assert retold("input_unreadable", "Words of an older release.") == "Words of an older release."
        assert retold("no_such_code", "Words.") == "Words."
