"""Every option once: flag `--name`, variable `LIVENESS_NAME`, default, meaning."""

import argparse
import os
from collections.abc import Mapping, Sequence
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Any, Literal, Self, get_args, get_origin

from pydantic import AfterValidator, Field, ValidationError, field_validator
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from liveness.errors import SettingsInvalid
from liveness.models import GTX_URL
from liveness.rtc.ice import parse_ice_server

ENV_PREFIX = "LIVENESS_"

SESSIONS_PER_CORE = 8
"""A session at 30 frames a second takes about a tenth of a core; a fifth of it stays free."""

MINIFASNET = "minifasnet"
NO_MODEL = "none"
"""What `--spoof-model` can say beside the path of a card."""

SPOOF_RATE = 3.0
"""Five scores, which a decision takes, come within 1.7 seconds, before anybody has done all that is
asked; a score takes 3.5 ms of a core, so this is 1 % of a core for each session."""

Origin = Annotated[str, Field(pattern=r"^(\*|null|https?://[^/\s,]+)$")]


_METAVARS = {"time_limit": "SECONDS", "max_sessions": "N", "steps": "N", "workers": "N"}
_METAVARS |= {"spoof_model": "CARD", "spoof_rate": "N", "spoof_threshold": "SHARE"}


def _checked_ice_server(url: str) -> str:
    parse_ice_server(url)
    return url


def _checked_address(text: str) -> str:
    return str(ip_address(text))


Address = Annotated[str, AfterValidator(_checked_address)]
IceServer = Annotated[str, AfterValidator(_checked_ice_server)]


class Settings(BaseSettings):
    """What the server can be told; a flag wins over its variable, the variable over the default."""

    model_config = SettingsConfigDict(
        env_prefix=ENV_PREFIX, env_ignore_empty=True, extra="forbid", frozen=True
    )

    host: str = Field(default="", description="address to listen on (default: all interfaces)")
    port: int = Field(default=5555, ge=0, le=65535, description="port to listen on")
    http: bool = Field(
        default=False,
        description="plain HTTP: for loopback, and behind a proxy that speaks HTTPS to the world",
    )
    time_limit: float = Field(
        default=120,
        gt=0,
        le=3600,
        description="how long one session may take, seconds of its video",
    )
    steps: int = Field(
        default=4,
        ge=4,
        le=8,
        description="challenges a session is made of. A looped recording in one fixed order passes "
        "by chance, before it is seen to repeat itself, in about 1 of 17 sessions with 4 steps and "
        "in none of 200 with 6; unnoticed it would in 1 of 2 and in 1 of 5",
    )
    challenge_order: Literal["random", "fixed"] = Field(
        default="random", description="order of the challenges after front"
    )
    max_sessions: int = Field(
        default_factory=lambda: SESSIONS_PER_CORE * (os.cpu_count() or 1),
        ge=1,
        description="sessions with media at the same time; further ones are told to come again "
        f"(default: {SESSIONS_PER_CORE} for each processor core)",
    )
    ice_address: Annotated[tuple[Address, ...], NoDecode] = Field(
        default=(),
        description="take media on this address only; repeatable (default: every address of "
        "this machine but loopback)",
    )
    ice_server: Annotated[tuple[IceServer, ...], NoDecode] = Field(
        default=(),
        description="STUN or TURN server, for itself and for clients; repeatable; "
        "stun:HOST[:PORT] or turn:USER:PASSWORD@HOST[:PORT][?transport=udp|tcp] (default: none)",
    )
    api_key: Annotated[tuple[str, ...], NoDecode] = Field(
        default=(),
        repr=False,
        description="key that relying parties present as a bearer token; repeatable "
        "(default: none, anybody may start a session)",
    )
    cors_origin: Annotated[tuple[Origin, ...], NoDecode] = Field(
        default=("*",),
        description="origin whose pages may call this server; repeatable (default: any)",
    )
    cert_dir: Path = Field(
        default=Path("cert"), description="folder of the certificate and its key"
    )
    model_dir: Path = Field(
        default=Path("model"), description="folder that is searched for weights first"
    )
    model_url: str = Field(
        default=GTX_URL,
        pattern=r"^https?://[^/\s]+/\S*$",
        description="where GET /download-model fetches the GTX landmark weights, packed with bzip2",
    )
    spoof_model: str = Field(
        default=MINIFASNET,
        description="model card (TOML) of the classifier that tells live faces from pictures of "
        "faces, or none for no scores (default: the MiniFASNet pair in --model-dir)",
    )
    spoof_rate: float = Field(
        default=SPOOF_RATE, gt=0, le=30, description="scores a second of each session"
    )
    spoof_threshold: float | None = Field(
        default=None,
        ge=0,
        le=1,
        description="an average of five scores at or below it is a presentation attack; 1 is live "
        "(default: the card's, 0.5 for the MiniFASNet pair)",
    )
    workers: int = Field(default=1, ge=1, description="processes that share the sessions")
    store: str = Field(default="memory", description="where sessions and verdicts are kept")
    data_dir: Path = Field(default=Path("data"), description="folder of what is kept")

    @field_validator("ice_address", "ice_server", "api_key", "cors_origin", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        """Several values in one variable are separated by commas."""
        if isinstance(value, str):
            return tuple(part.strip() for part in value.split(",") if part.strip())
        return value

    @classmethod
    def from_args(cls, argv: Sequence[str], prog: str | None = None) -> Self:
        """Read flags, then variables, then defaults.

        Raises `SystemExit` for `--help` and unknown flags, `SettingsInvalid` for bad values.
        """
        given = vars(parser(prog).parse_args(argv))
        try:
            return cls(**given)
        except ValidationError as error:
            raise SettingsInvalid(_explain(error, given)) from None


def parser(prog: str | None = None) -> argparse.ArgumentParser:
    """Make the flags of every setting; a flag that is not given leaves no trace in the result."""
    flags = argparse.ArgumentParser(
        prog=prog,
        description="Serve the liveness check: the page, WHIP, and the API of relying parties.",
        epilog=f"Each option can be set by a variable as well: --time-limit is {ENV_PREFIX}"
        "TIME_LIMIT; several values are separated by commas there.",
        argument_default=argparse.SUPPRESS,
        allow_abbrev=False,
    )
    for name, field in Settings.model_fields.items():
        flags.add_argument(_flag(name), help=_help(field), **_kind(name, field))
    return flags


def _kind(name: str, field: FieldInfo) -> dict[str, Any]:
    """Tell argparse how often and in what form a flag may come."""
    if field.annotation is bool:
        return {"action": argparse.BooleanOptionalAction}
    if get_origin(field.annotation) is Literal:
        return {"choices": get_args(field.annotation)}
    metavar = _METAVARS.get(name, name.rpartition("_")[2].upper())
    if get_origin(field.annotation) is tuple:
        return {"action": "append", "metavar": metavar}
    return {"metavar": metavar}


def _flag(name: str) -> str:
    return "--" + name.replace("_", "-")


def _help(field: FieldInfo) -> str:
    text = (field.description or "").replace("%", "%%")
    plain = isinstance(field.default, (int, float, str, Path)) and field.default is not False
    return text if "(default" in text or not plain else f"{text} (default: {field.default})"


def _explain(error: ValidationError, given: Mapping[str, object]) -> str:
    """Name each bad value as the user wrote it, without repeating secrets."""
    lines = []
    for detail in error.errors(include_url=False, include_context=False):
        name = str(detail["loc"][0]) if detail["loc"] else ""
        where = _flag(name) if name in given else ENV_PREFIX + name.upper()
        lines.append(f"{where}: {detail['msg'].removeprefix('Value error, ')}")
    return "\n".join(lines)
