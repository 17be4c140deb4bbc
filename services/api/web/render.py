"""Makes a page from a template. Every page leaves with the same headers and is escaped by default."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fastapi.responses import HTMLResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from services.api.gates import retold_detail
from services.api.web.assets import asset_url
from services.api.web.bars import bars, histogram
from services.api.web.figures import FILTERS
from services.api.web.scale import scale, span
from shared import detail
from shared.schemas import TERMINAL, JobView, Modality
from shared.sentences import Language, language, say
from shared.sentences.cards import carded, is_english

# As BCP 47 writes them; the catalogue is British English and simplified Chinese.
TAGS = {Language.ENGLISH: "en-GB", Language.CHINESE: "zh-Hans"}
MOST_SINGLE = 10  # files chosen at once that become a study each; more become a batch
CSP = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; media-src 'self'; connect-src 'self'; "
    "form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)
HEADERS = {
    "Content-Security-Policy": CSP,
    "Cache-Control": "no-store",
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Vary": "Accept, Accept-Language, Cookie",
}
# For the page with the form alone: the microphone, and playing a recording back before it is sent.
RECORDING_HEADERS = {
    **HEADERS,
    "Content-Security-Policy": CSP.replace("media-src 'self'", "media-src 'self' blob:"),
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(self)",
}


def is_recalled(job: JobView) -> bool:
    """Whether the version that answered was recalled since."""
    return job.result is not None and any(reason.code == "result_recalled" for reason in job.result.reasons)


def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(FILTERS, retold_gate=retold_detail, carded=carded)
    environment.tests.update(recalled=is_recalled, english=is_english)
    environment.globals.update(
        say=say,
        asset=asset_url,
        scale=scale,
        span=span,
        bars=bars,
        histogram=histogram,
        detail_lines=detail.lines,
        language=language,
        TAGS=TAGS,
        MOST_SINGLE=MOST_SINGLE,
        MODALITIES=list(Modality),
        TERMINAL=TERMINAL,
    )
    return environment


_ENVIRONMENT = _environment()


def page(template: str, status: int = 200, headers: Mapping[str, str] = HEADERS, **context: Any) -> HTMLResponse:
    """A whole page. `reader` in the context is who is signed in, or None."""
    body = _ENVIRONMENT.get_template(template).render({"reader": None, **context})
    return HTMLResponse(body, status_code=status, headers=headers)
