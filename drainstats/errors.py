"""Errors and warnings: what came, what was expected, what to do."""

from __future__ import annotations

import importlib
from collections.abc import Iterable
from numbers import Integral, Real
from types import ModuleType
from typing import Any


class DrainstatsError(Exception):
    """Base of every error that the package raises on purpose."""


class DataError(DrainstatsError, ValueError):
    """The data cannot be used as they are. ``file``, ``row`` and ``column`` say where, when known.

    Parameters
    ----------
    message : str
        One sentence: what came, what was expected, what to do.
    file, row, column : optional
        Where the fault lies; ``row`` is the 1-based line of a file or the label of a frame's row.
    """

    def __init__(self, message: str, *, file: object = None, row: object = None, column: object = None) -> None:
        where = [
            f"{name} {value}" for name, value in (("file", file), ("row", row), ("column", column)) if value is not None
        ]
        super().__init__(f"{message} [{', '.join(where)}]" if where else message)
        self.file, self.row, self.column = file, row, column


class OptionError(DrainstatsError, ValueError):
    """An argument has a value that is not allowed; the message lists the allowed ones."""


class SizeError(DrainstatsError, ValueError):
    """The result asked for does not fit in memory; the message names the accessors that do."""


class MissingExtraError(DrainstatsError, ImportError):
    """A package of an optional extra is not installed."""


class FetchError(DrainstatsError, OSError):
    """A download failed or was refused. ``url`` says which, ``status`` holds the server's answer, when there was one.

    Parameters
    ----------
    message : str
        One sentence: what came, what was expected, what to do.
    url : str, optional
    status : int, optional
        The HTTP status, such as 404.
    """

    def __init__(self, message: str, *, url: str | None = None, status: int | None = None) -> None:
        super().__init__(f"{message} [{url}]" if url else message)
        self.url, self.status = url, status


class LookAheadError(DrainstatsError, AssertionError):
    """A past value moved when the future was cut or changed.

    Attributes
    ----------
    first : time stamp of the first output that moved.
    """

    def __init__(self, message: str, *, first: Any = None) -> None:
        super().__init__(message)
        self.first = first


class DrainstatsWarning(UserWarning):
    """Base of the package's warnings; each ends with the remedy."""


class ConvergenceWarning(DrainstatsWarning):
    """An optimiser stopped before its first-order conditions held."""


class CommonShareWarning(DrainstatsWarning):
    """The common share of variance rose at the event: a single-date test cannot hold its size."""


def check_option(name: str, value: object, allowed: Iterable[object]) -> None:
    """Raise `OptionError` that lists the allowed values unless ``value`` is one of them."""
    allowed = list(allowed)
    if value not in allowed:
        raise OptionError(f"{name}={value!r} is not one of {', '.join(repr(a) for a in allowed)}.")


def check_whole(name: str, value: object, least: int) -> None:
    """Raise `OptionError` unless ``value`` is a whole number of at least ``least``; True and False are none."""
    if not isinstance(value, Integral) or isinstance(value, bool) or int(value) < least:
        raise OptionError(f"{name}={value!r} must be a whole number, at least {least}.")


def check_number(name: str, value: object, low: float, high: float = float("inf")) -> None:
    """Raise `OptionError` unless ``value`` is a number strictly between ``low`` and ``high``."""
    if not isinstance(value, Real) or isinstance(value, bool) or not low < float(value) < high:
        below = "" if high == float("inf") else f" and below {high:g}"
        above = "" if low == -float("inf") else f" above {low:g}"
        raise OptionError(f"{name}={value!r} must be a finite number{above}{below}.")


def require_extra(module: str, extra: str) -> ModuleType:
    """Import ``module`` or raise `MissingExtraError` that names the extra to install."""
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise MissingExtraError(
            f"This needs the package {module.split('.')[0]!r}: install it with  pip install 'drainstats[{extra}]'"
        ) from error
