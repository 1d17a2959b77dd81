"""What is logged, and how: one line an event, with the session it is about, and about nobody.

Tokens, keys, metadata and pictures are handed to no log call. What libraries say comes from
elsewhere, and is freed of addresses here.
"""

import logging
import re
import sys
from contextlib import suppress
from typing import Literal, TextIO, cast

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

Format = Literal["auto", "text", "json"]

_ADDRESS = re.compile(
    r"\b\d{1,3}(?:\.\d{1,3}){3}\b"
    r"|(?<![\w:])(?:[0-9a-fA-F]{1,4}:){3,7}[0-9a-fA-F]{1,4}(?![\w:])"
    r"|(?<![\w:])(?:[0-9a-fA-F]{1,4}:)*:(?::?[0-9a-fA-F]{1,4})+(?![\w:])"
)
_HIDDEN = "[address]"


class Losing:
    """A stream that loses what cannot be written: no session ends for a log on a full disk."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> None:
        """Write if that can be."""
        with suppress(OSError):
            self._stream.write(text)

    def flush(self) -> None:
        """Write what waits, if that can be."""
        with suppress(OSError):
            self._stream.flush()


def configure_logging(form: Format = "auto") -> None:
    """Write to standard error, of libraries only where something is wrong.

    `auto`: text on a terminal, else a JSON object a line.
    """
    as_text = form == "text" or (form == "auto" and sys.stderr.isatty())
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
    ]
    renderer: Processor = (
        structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), pad_event_to=0)
        if as_text
        else structlog.processors.JSONRenderer(ensure_ascii=False)
    )
    structlog.configure(
        processors=[*shared, renderer],
        logger_factory=structlog.PrintLoggerFactory(cast("TextIO", Losing(sys.stderr))),
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*shared, structlog.stdlib.add_logger_name, hide_addresses],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
        )
    )
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)


def hide_addresses(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Take IP addresses out of an event; a processor of structlog's."""
    return {
        key: _ADDRESS.sub(_HIDDEN, value)
        if isinstance(value, str) and key != "timestamp"
        else value
        for key, value in event.items()
    }
