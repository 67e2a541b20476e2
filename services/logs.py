"""Structured logs: one JSON line per event, with the request's or job's id, and nothing personal."""

import logging
import sys

import structlog

# Values under these names never reach a log, whoever puts them there.
SECRET = frozenset({"token", "client_secret", "email", "name", "password", "signature", "secret"})


def set_up_logs() -> None:
    logging.basicConfig(format="%(message)s", stream=sys.stderr, level=logging.WARNING)
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            _redact,
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(ensure_ascii=False),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.WriteLoggerFactory(file=sys.stderr),
        cache_logger_on_first_use=True,
    )


def _redact(_: object, __: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    return {key: "[redacted]" if key in SECRET else value for key, value in event.items()}
