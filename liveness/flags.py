"""Settings on the command line: a flag for each field, told in groups."""

import argparse
from collections.abc import Iterable, Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

from pydantic import ValidationError
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings

_METAVARS = {"time_limit": "SECONDS", "max_sessions": "N", "steps": "N", "workers": "N"}
_METAVARS |= {"verdict_lifetime": "SECONDS", "retention": "SECONDS"}
_METAVARS |= {"rate_per_key": "N", "rate_per_address": "N", "trusted_proxy": "NETWORK"}
_METAVARS |= {"subject_failures": "N", "subject_window": "SECONDS", "subject_lock": "SECONDS"}
_METAVARS |= {"api_key": "[NAME:]KEY"}
_METAVARS |= {"webhook": "[NAME=]URL", "webhook_secret": "[NAME=]SECRET"}
_METAVARS |= {"udp_ports": "FIRST-LAST"}
_METAVARS |= {"spoof_model": "CARD", "spoof_rate": "N", "spoof_threshold": "SHARE"}
_METAVARS |= {"most_load": "SHARE"}

GROUPS = {
    "host": "Where it listens",
    "time_limit": "Sessions",
    "ice_address": "Networks (the README tells more)",
    "api_key": "Relying parties, and limits",
    "cors_origin": "Pages of other sites",
    "model_dir": "Models",
    "store": "What is kept, and where",
    "workers": "Processes and operations",
    "issuer": "Signed verdicts",
}
"""Titles in `--help`: each stands over a field, and those that follow it."""


def given(settings: type[BaseSettings], argv: Sequence[str], prog: str | None) -> dict[str, Any]:
    """Read the command line; raises `SystemExit` for `--help` and unknown flags."""
    return vars(parser(settings, prog).parse_args(argv))


def parser(settings: type[BaseSettings], prog: str | None = None) -> argparse.ArgumentParser:
    """Make the flags of every setting; a flag that is not given leaves no trace in the result."""
    flags = argparse.ArgumentParser(
        prog=prog,
        usage="%(prog)s [OPTION...]",
        description="Serve the liveness check: the page, WHIP, and the API of relying parties.",
        epilog=f"Each option can be set by a variable as well: --time-limit is {_prefix(settings)}"
        "TIME_LIMIT; several values are separated by commas there.",
        argument_default=argparse.SUPPRESS,
        allow_abbrev=False,
    )
    group: argparse._ArgumentGroup | argparse.ArgumentParser = flags
    for name, field in settings.model_fields.items():
        if name in GROUPS:
            group = flags.add_argument_group(GROUPS[name])
        group.add_argument(_flag(name), help=_help(field), **_kind(name, field))
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


def explain(
    settings: type[BaseSettings], error: ValidationError, given: Mapping[str, object]
) -> str:
    """Name each bad value as the user wrote it, without repeating secrets."""
    lines = []
    for detail in error.errors(include_url=False, include_context=False):
        what = detail["msg"].removeprefix("Value error, ")
        if not detail["loc"]:  # of several settings together; the message names them
            lines.append(what)
            continue
        name = str(detail["loc"][0])
        where = _flag(name) if name in given else _prefix(settings) + name.upper()
        lines.append(f"{where}: {what}")
    return "\n".join(lines)


def strays(settings: type[BaseSettings], environment: Iterable[str]) -> list[str]:
    """Name the variables that look like options and are none, and the option nearest to each."""
    known, prefix = [name.upper() for name in settings.model_fields], _prefix(settings)
    found = []
    for variable in sorted(environment):
        name = variable.upper().removeprefix(prefix)
        if variable.upper().startswith(prefix) and name not in known:
            nearest = "".join(f"; {prefix}{each} is" for each in get_close_matches(name, known, 1))
            found.append(f"{variable} is no option{nearest}")
    return found


def _prefix(settings: type[BaseSettings]) -> str:
    return settings.model_config.get("env_prefix", "")
