"""Which language a request is answered in: what the person chose on a page, else what the browser prefers."""

from collections.abc import Iterator

from fastapi import Request

from shared.sentences import Language

COOKIE = "thoracle_language"
YEAR_S = 365 * 24 * 3600


def of(request: Request) -> Language:
    """The cookie's language, else the best of Accept-Language, else English: programs send neither."""
    chosen = request.cookies.get(COOKIE)
    if chosen in list(Language):
        return Language(chosen)
    wishes = _wishes(request.headers.get("accept-language", ""))
    return max(wishes, key=lambda wish: wish[0], default=(1.0, Language.ENGLISH))[1]


def _wishes(header: str) -> Iterator[tuple[float, Language]]:
    """The languages of the header that are spoken here, with their weights."""
    for wish in header.split(",")[:32]:
        name, _, parameter = wish.strip().partition(";")
        spoken = name.strip().lower().partition("-")[0]
        weight = _weight(parameter)
        if spoken in list(Language) and weight > 0:
            yield weight, Language(spoken)


def _weight(parameter: str) -> float:
    name, _, value = parameter.strip().partition("=")
    try:
        return float(value) if name.strip() == "q" else 1.0
    except ValueError:
        return 0.0
