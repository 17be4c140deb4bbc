"""`.env.example` documents every setting, with the default that the code has."""

import re
from pathlib import Path

import pytest
from pydantic import AliasChoices, SecretStr
from pydantic.fields import FieldInfo

from shared.settings import Settings

EXAMPLE = Path(__file__).parents[3] / ".env.example"
ENTRIES = dict(re.findall(r"^#([A-Z_]+)=(.*)$", EXAMPLE.read_text(), re.MULTILINE))


def test_nothing_else_is_documented() -> None:
    assert sorted(ENTRIES) == sorted(_variable(name, field) for name, field in Settings.model_fields.items())


@pytest.mark.parametrize("name", Settings.model_fields)
def test_every_field_has_its_default_and_description(name: str) -> None:
    field = Settings.model_fields[name]
    variable = _variable(name, field)
    assert ENTRIES[variable] == _default(field)
    assert f"# {field.description}\n#{variable}=" in EXAMPLE.read_text()


def test_an_empty_value_means_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("THORACLE_DATA_DIR", "")
    assert Settings(_env_file=None).data_dir is None


def test_a_changed_copy_keeps_what_was_given_and_derives_anew() -> None:
    settings = Settings(_env_file=None)
    assert settings.base_url.endswith(":8000")
    copy = settings.changed(port=9000)
    assert copy.base_url.endswith(":9000")
    assert copy.given("port")
    assert not copy.given("host")
    assert settings.port == 8000


def _variable(name: str, field: FieldInfo) -> str:
    alias = field.validation_alias
    return str(alias.choices[0]) if isinstance(alias, AliasChoices) else f"THORACLE_{name.upper()}"


def _default(field: FieldInfo) -> str:
    default = field.default if field.default_factory is None else None
    if isinstance(default, SecretStr):
        default = default.get_secret_value()
    if isinstance(default, bool):
        default = str(default).lower()
    return "" if default is None else str(default)
