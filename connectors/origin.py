"""Where a token may travel: one scheme, host and port, and nowhere else."""

from __future__ import annotations

from ipaddress import ip_address
from typing import TYPE_CHECKING

import httpx

from mapping.text import say

if TYPE_CHECKING:
    from mapping.text import Message

_PORTS = {"http": 80, "https": 443}


class OriginRefused(ValueError):  # noqa: N818  # it says what happened, as the errors of mapping do
    """An address that must not be called; `why` says so without the address, which may carry a secret."""

    def __init__(self, why: Message) -> None:
        self.why = why
        super().__init__(str(why))


class Origin:
    """One scheme, host and port that requests are pinned to, with the path that every relative path is put behind.

    Raises `OriginRefused` where the address has a user name, a query or a fragment, is no http address, or is plain
    http to anything but this machine itself.
    """

    __slots__ = ("_base", "_pinned")

    def __init__(self, address: str) -> None:
        url = _parse(address)
        if url.query or url.fragment:
            raise OriginRefused(say("an address of a system has no query"))
        self._pinned = _key(url)
        self._base = str(url.copy_with(query=None, fragment=None)).rstrip("/")

    def __str__(self) -> str:
        return self._base

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Origin) and self._pinned == other._pinned

    def __hash__(self) -> int:
        return hash(self._pinned)

    @property
    def host(self) -> str:
        """The host name, in lower case."""
        return self._pinned[1]

    @property
    def is_loopback(self) -> bool:
        """Whether it is this machine."""
        return is_loopback(self._pinned[1])

    def resolve(self, path_or_url: str) -> httpx.URL:
        """The address to call for a path of ours, or for a link that the vendor gave.

        Raises `OriginRefused` where that is another scheme, host or port: the vendor's links are data, not orders.
        """
        if path_or_url.startswith("/") and not path_or_url.startswith("//"):
            path_or_url = self._base + path_or_url
        url = _parse(path_or_url)
        if _key(url) != self._pinned:
            raise OriginRefused(say("the address is at another host than the one that was configured"))
        return url


def is_loopback(host: str) -> bool:
    """Whether a host name means this machine: `localhost`, 127.0.0.0/8 and ::1."""
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def _parse(address: str) -> httpx.URL:
    try:
        url = httpx.URL(address)
    except httpx.InvalidURL:
        raise OriginRefused(say("the address is unreadable")) from None
    if url.scheme not in _PORTS or not url.host:
        raise OriginRefused(say("the address is no http or https address"))
    if url.userinfo:
        raise OriginRefused(say("the address carries a user name or password"))
    if url.scheme == "http" and not is_loopback(url.host):
        raise OriginRefused(say("plain http is accepted for this machine only; use https"))
    return url


def _key(url: httpx.URL) -> tuple[str, str, int]:
    return url.scheme, url.host, url.port or _PORTS[url.scheme]
