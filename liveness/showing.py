"""What `--show-settings` prints: every option, where its value comes from, and no secret."""

import re
from typing import TYPE_CHECKING

from liveness.apikeys import ApiKey

if TYPE_CHECKING:
    from liveness.settings import Settings

HIDDEN = "***"

_PASSWORD = re.compile(r"^([^@]*?:(?://)?[^:@/]*):.*@")
"""In `redis://USER:PASSWORD@HOST` and in `turn:USER:PASSWORD@HOST`."""

_QUERY = re.compile(r"^(\w+://[^?#]*)[?#].*")
"""Of a web address; that of a TURN server says how to connect."""

_SHOWN_IN_PART = frozenset({"api_key", "store"})
"""Marked as secret, and shown without what is secret in them."""


def shown(settings: "Settings") -> list[str]:
    """One line an option, those that were set marked."""
    return [
        f"--{name.replace('_', '-'):<20} {_value(settings, name)}"
        + ("" if name in settings.model_fields_set else "  (default)")
        for name in type(settings).model_fields
        if name != "show_settings"
    ]


def _value(settings: "Settings", name: str) -> str:
    value, secret = getattr(settings, name), not type(settings).model_fields[name].repr
    if value is None or value in ("", ()):
        return "-"
    if secret and name not in _SHOWN_IN_PART:
        return HIDDEN
    several = value if isinstance(value, tuple) else (value,)
    return " ".join(
        f"{each.name}:{HIDDEN}" if isinstance(each, ApiKey) else hide_secrets(str(each))
        for each in several
    )


def hide_secrets(text: str) -> str:
    """Write an address without its password, and what may be one."""
    return _QUERY.sub(rf"\1?{HIDDEN}", _PASSWORD.sub(rf"\1:{HIDDEN}@", text))
