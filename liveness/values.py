"""What options hold: texts that are checked when they are given, and what they stand for."""

from collections.abc import Callable
from functools import partial
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field
from yarl import URL

from liveness.apikeys import ApiKey
from liveness.hooks import Secret, Url
from liveness.links import web_address
from liveness.rtc.network import parse_ports, parse_public
from liveness.rtc.servers import parse_ice_server
from liveness.store.opening import checked

Origin = Annotated[str, Field(pattern=r"^(\*|null|https?://[^/\s,]+)$")]


def _read_by(parse: Callable[[str], object]) -> AfterValidator:
    """Take what can be parsed, as it is: settings are shown as they were given."""

    def check(text: str) -> str:
        parse(text)
        return text

    return AfterValidator(check)


def _made_by(parse: Callable[[str], object]) -> BeforeValidator:
    """Make what a text stands for; what was made before stays as it is."""
    return BeforeValidator(lambda value: parse(value) if isinstance(value, str) else value)


def _frame_origin(text: str) -> str:
    """Write an origin as browsers compare it."""
    return str(URL(text).origin())


def _checked_address(text: str) -> str:
    return str(ip_address(text))


Address = Annotated[str, AfterValidator(_checked_address)]
WebAddress = Annotated[str, _read_by(web_address)]
Store = Annotated[str, AfterValidator(checked)]
Key = Annotated[ApiKey, _made_by(ApiKey.parse)]
Webhook = Annotated[Url, _made_by(Url.parse)]
WebhookSecret = Annotated[Secret, _made_by(Secret.parse)]
Network = Annotated[IPv4Network | IPv6Network, _made_by(partial(ip_network, strict=False))]
# In a header they stand beside others: nothing in one may end it.
FrameOrigin = Annotated[
    str,
    Field(pattern=r"^https?://([A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\])(:[0-9]{1,5})?$"),
    AfterValidator(_frame_origin),
]
IceServer = Annotated[str, _read_by(parse_ice_server)]
PublicAddress = Annotated[Address, _read_by(parse_public)]
Ports = Annotated[str, _read_by(parse_ports)]
