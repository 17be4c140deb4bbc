"""Where a webhook may lead: a name is looked up once, every answer is judged, and one of them is connected to."""

import asyncio
import ipaddress
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property

import httpx

from shared.errors import Unprocessable
from shared.settings import Settings

IP = ipaddress.IPv4Address | ipaddress.IPv6Address
_NAT64 = ipaddress.ip_network("64:ff9b::/96")
# Networks of the inside that Python calls global: local NAT64, site-local, IPv4-compatible.
_INSIDE = [ipaddress.ip_network(name) for name in ("64:ff9b:1::/48", "fec0::/10", "::/96")]
_MOST_URL = 2048
_LOOKUPS = ThreadPoolExecutor(64, "names")  # a name server that hangs holds up nothing else


class AddressRefused(Unprocessable):
    """The name leads nowhere, or to a network that is not for webhooks."""

    code = "webhook_address"


@dataclass(frozen=True)
class Addresses:
    """What the operator allows."""

    settings: Settings

    def parse(self, url: str) -> httpx.URL:
        """The parts of an address. Raises Unprocessable for what no webhook may have."""
        try:
            parsed = httpx.URL(url)
        except (httpx.InvalidURL, ValueError):
            raise Unprocessable("webhook_url") from None
        schemes = ("https", "http") if self.settings.webhook_http else ("https",)
        plain = not (parsed.userinfo or parsed.fragment) and len(url) <= _MOST_URL and url.isascii()
        if parsed.scheme not in schemes or not parsed.host or not plain:
            raise Unprocessable("webhook_url")
        return parsed

    async def resolve(self, url: httpx.URL) -> str:
        """The one address to connect to. Raises AddressRefused unless every address of the name is allowed."""
        host, port = url.raw_host.decode(), url.port or {"https": 443, "http": 80}[url.scheme]
        try:
            found = await asyncio.get_running_loop().run_in_executor(_LOOKUPS, _look_up, host, port)
        except (OSError, UnicodeError):
            raise AddressRefused from None
        if not found or not all(self.allows(address) for address in found):
            raise AddressRefused
        return found[0]

    def allows(self, address: str) -> bool:
        """Whether webhooks may connect to this address, and to every older one that it carries inside."""
        return all(self._allows(inner) for inner in _judged(ipaddress.ip_address(address)))

    def _allows(self, address: IP) -> bool:
        if any(address in network for network in self.networks):
            return True
        return address.is_global and not address.is_multicast and not any(address in network for network in _INSIDE)

    @cached_property
    def networks(self) -> list[ipaddress.IPv4Network | ipaddress.IPv6Network]:
        """Private networks that may be reached. Raises ValueError when the setting names none."""
        names = (name.strip() for name in self.settings.webhook_networks.split(","))
        return [ipaddress.ip_network(name) for name in names if name]


def _look_up(host: str, port: int) -> list[str]:
    return [str(entry[4][0]) for entry in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]


def _judged(address: IP) -> Iterator[IP]:
    """The IPv4 addresses that an IPv6 address stands for, or the address itself."""
    inner: list[IP] = []
    if isinstance(address, ipaddress.IPv6Address):
        inner += [found for found in (address.ipv4_mapped, address.sixtofour, *(address.teredo or ())) if found]
        if address in _NAT64:
            inner.append(ipaddress.IPv4Address(int(address) & 0xFFFFFFFF))
    yield from inner or [address]
