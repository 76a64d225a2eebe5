"""Modules of the standard library that Python 3.12 no longer has, and pywren imports."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from types import ModuleType

__all__ = ["legacy_modules"]

TRUE, FALSE = {"y", "yes", "t", "true", "on", "1"}, {"n", "no", "f", "false", "off", "0"}
# Kinds of modules, by the numbers that they had.
KINDS = {
    "PY_SOURCE": 1,
    "PY_COMPILED": 2,
    "C_EXTENSION": 3,
    "PKG_DIRECTORY": 5,
    "C_BUILTIN": 6,
    "PY_FROZEN": 7,
}


@contextmanager
def legacy_modules() -> Iterator[None]:
    """Provide what there is none of in ``imp`` and ``distutils``, as far as pywren needs it.

    Pywren is to be imported within the context, the parts that it imports late included. A module
    that is there, from the standard library or a package, is left alone.
    """
    made = [*_imp(), *_distutils()]
    sys.modules.update({module.__name__: module for module in made})
    try:
        yield
    finally:
        for module in made:
            del sys.modules[module.__name__]


def _imp() -> list[ModuleType]:
    if find_spec("imp"):
        return []
    imp = ModuleType("imp")
    vars(imp).update(KINDS)
    return [imp]


def _distutils() -> list[ModuleType]:
    if find_spec("distutils"):
        return []
    distutils, util = ModuleType("distutils"), ModuleType("distutils.util")
    vars(distutils).update(util=util)
    vars(util).update(strtobool=_strtobool)
    return [distutils, util]


def _strtobool(value: str) -> int:
    """Return 1 or 0 for words that mean yes or no."""
    word = value.lower()
    if word not in TRUE | FALSE:
        raise ValueError(f"{value!r} means neither yes nor no")
    return int(word in TRUE)
