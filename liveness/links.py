"""Addresses that others name: where a person is sent back to, and where weights are fetched."""

from ipaddress import ip_address

from pydantic import HttpUrl, TypeAdapter, ValidationError
from yarl import URL

MOST_LENGTH = 2000
"""Characters; some browsers and proxies take no more."""

_HTTP_URL = TypeAdapter(HttpUrl)


def checked_link(text: str) -> str:
    """Give an address as browsers read it (WHATWG URL); raises `ValueError`.

    It is https, or on this machine; and it carries no user or password, which no browser should be
    made to show.
    """
    url = _parsed(text)
    if url is None or len(str(url)) > MOST_LENGTH:
        raise ValueError(f"an http or https address of at most {MOST_LENGTH} characters is needed")
    if url.username is not None or url.password is not None:
        raise ValueError("an address with a user or password is not taken")
    if url.scheme != "https" and not _is_loopback(url):
        raise ValueError("https is needed")
    return str(url)


def web_address(text: str) -> str:
    """Take an address that can be fetched from, as it is; raises `ValueError` for any other."""
    url = URL(text)
    if url.scheme not in {"http", "https"} or not url.host:
        raise ValueError("it begins with http:// or https:// and a host")
    return text


def is_loopback(link: str) -> bool:
    """Whether an address is on the machine of whoever opens it."""
    url = _parsed(link)
    return url is not None and _is_loopback(url)


def _parsed(text: str) -> HttpUrl | None:
    try:
        return _HTTP_URL.validate_python(text)
    except ValidationError:
        return None


def _is_loopback(url: HttpUrl) -> bool:
    host = (url.host or "").strip("[]")
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")
