"""Names that are loaded when they are first touched, so that importing a room is light."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Iterable, Mapping
from typing import Any


def attach(
    package: str, names: Mapping[str, str], rooms: Iterable[str] = ()
) -> tuple[Callable[[str], Any], Callable[[], list[str]], list[str]]:
    """The ``__getattr__``, ``__dir__`` and ``__all__`` of a package.

    Parameters
    ----------
    package : str
        Its name.
    names : mapping
        Public name → module of the package, relative to it, that defines it.
    rooms : iterable of str
        Public submodules.

    Examples
    --------
    >>> load, _, names = attach("drainstats", {"DataError": "errors"})
    >>> load("DataError").__name__, names
    ('DataError', ['DataError'])
    """
    rooms = tuple(rooms)
    public = sorted([*rooms, *names])

    def load(name: str) -> Any:
        if name in rooms:
            value: Any = importlib.import_module(f"{package}.{name}")
        elif name in names:
            value = getattr(importlib.import_module(f"{package}.{names[name]}"), name)
        else:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        setattr(sys.modules[package], name, value)
        return value

    return load, lambda: public, public
