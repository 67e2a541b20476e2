"""Structured logs: one JSON line per event, with the request's or job's id, and nothing personal."""

import logging
import sys
import traceback

import asyncpg
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
            structlog.processors.ExceptionRenderer(lambda failure: _story(failure[1])),
            _redact,
            structlog.processors.JSONRenderer(ensure_ascii=False),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.WriteLoggerFactory(file=sys.stderr),
        cache_logger_on_first_use=True,
    )


def _redact(_: object, __: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    """Log a failure itself, `error=error`, and not its repr: only then is known here what it quotes."""
    return {key: "[redacted]" if key in SECRET else _in_words(value) for key, value in event.items()}


def _in_words(value: object) -> object:
    return f"{_name(value)}: {_said(value)}" if isinstance(value, BaseException) else value


def _story(error: BaseException, *told: BaseException) -> str:
    """A traceback, with those of the failures before it and inside of it, and nothing that people typed."""
    frames = traceback.format_tb(error.__traceback__)
    stories = ["".join(["Traceback (most recent call last):\n", *frames, f"{_name(error)}: {_said(error)}"])]
    before = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    if before and before not in (error, *told) and not _quotes(error):
        stories.insert(0, _story(before, error, *told))
    if isinstance(error, BaseExceptionGroup):
        stories += [_story(each, error, *told) for each in error.exceptions]
    return "\n\n".join(stories)


def _name(error: BaseException) -> str:
    return f"{type(error).__module__}.{type(error).__qualname__}".removeprefix("builtins.")


def _said(error: BaseException) -> str:
    """Of PostgreSQL only the message: its DETAIL holds the whole row that breaks a rule."""
    if _quotes(error):
        return "[redacted]"
    return " ".join(map(str, error.args)) if isinstance(error, asyncpg.PostgresError) else str(error)


def _quotes(error: BaseException) -> bool:
    """A value that the driver cannot send, or the server cannot read, is quoted in the message, and in its cause."""
    unsent = isinstance(error, asyncpg.InterfaceError) and isinstance(error, ValueError)
    return unsent or isinstance(error, asyncpg.DataError)
