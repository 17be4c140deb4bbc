"""How a bug is put in the place of what is shipped: only where there is something to replace."""

from typing import Any

from sqlalchemy import TextClause, text


def put(owner: Any, name: str, wrong: Any) -> None:
    """Put something in the place of one that is there."""
    getattr(owner, name)
    setattr(owner, name, wrong)


def change(name: str, old: str, new: str) -> None:
    """Put other words into a statement of shared.db.statements.claims."""
    from shared.db.statements import claims

    put(claims, name, changed(getattr(claims, name), old, new))


def changed(statement: TextClause, old: str, new: str) -> TextClause:
    """A statement with other words in it, and the types of its parameters."""
    words = " ".join(statement.text.split())
    assert old in words, old
    typed = [each for each in statement._bindparams.values() if each.key in words]
    return text(words.replace(old, new)).bindparams(*typed)
