"""The style sheet, the script and the icon: read once, served from memory, named by their content."""

import hashlib
from dataclasses import dataclass
from functools import cache
from pathlib import Path

_FOLDER = Path(__file__).parent / "static"
_MEDIA_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}


@dataclass(frozen=True)
class Asset:
    """One static file."""

    body: bytes
    media_type: str
    url: str


@cache
def assets() -> dict[str, Asset]:
    """Every static file by name. Only these are served, so that no path of a request reaches the disk."""
    return {path.name: _load(path) for path in sorted(_FOLDER.iterdir()) if path.suffix in _MEDIA_TYPES}


def asset_url(name: str) -> str:
    """Address of a static file; it changes with the content, so that browsers may keep it for ever."""
    return assets()[name].url


def _load(path: Path) -> Asset:
    body = path.read_bytes()
    version = hashlib.sha256(body).hexdigest()[:12]
    return Asset(body, _MEDIA_TYPES[path.suffix], f"/static/{path.name}?v={version}")
