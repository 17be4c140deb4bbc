"""The page that shows a secret, once."""

from typing import Literal

from fastapi import Response

from services.api.auth import Caller
from services.api.web.reader import Reader
from services.api.web.render import page


def secret_page(caller: Caller, what: Literal["key", "link", "webhook"], name: str, secret: str, back: str) -> Response:
    """Nothing keeps it: who leaves this page without it has to make another. `back` is where one goes on."""
    return page("admin/secret.html", reader=Reader.of(caller), what=what, name=name, secret=secret, back=back)
