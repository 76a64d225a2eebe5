"""Stand-ins for `imp` and `distutils`, which Python 3.12 removed and pywren imports."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from types import ModuleType

__all__ = ["legacy_modules"]

TRUE, FALSE = {"y", "yes", "t", "true", "on", "1"}, {"n", "no", "f", "false", "off", "0"}
# Constants of the module imp, with their former values.
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
    """Provide the parts of ``imp`` and ``distutils`` that pywren needs, if they are missing.

    Import pywren in this context, and with it the modules that it imports later. A module that
    exists, in the standard library or in a package, is used as it is.
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
    """Return 1 for a word that means yes, 0 for one that means no."""
    word = value.lower()
    if word not in TRUE | FALSE:
        words = ", ".join(sorted(TRUE | FALSE))
        raise ValueError(f"the truth value must be one of {words}, got {value!r}")
    return int(word in TRUE)
