"""Stand-ins for modules that Python removed exist only while pywren is imported."""

from __future__ import annotations

import importlib
import sys
import warnings
from types import ModuleType

import pytest

from rechunker_pywren.legacy_modules import legacy_modules

NAMES = ("imp", "distutils", "distutils.util")


@pytest.fixture
def absent(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make any Python look like one without these modules."""
    for name in NAMES:
        monkeypatch.delitem(sys.modules, name, raising=False)
    monkeypatch.setattr("rechunker_pywren.legacy_modules.find_spec", lambda name: None)


@pytest.mark.usefixtures("absent")
def test_modules_exist_within_the_context() -> None:
    with legacy_modules():
        assert [importlib.import_module(name).__name__ for name in NAMES] == list(NAMES)
    assert not set(NAMES) & set(sys.modules)


@pytest.mark.usefixtures("absent")
def test_modules_are_removed_when_the_import_fails() -> None:
    with pytest.raises(ZeroDivisionError), legacy_modules():
        raise ZeroDivisionError
    assert not set(NAMES) & set(sys.modules)


def test_existing_modules_are_used(monkeypatch: pytest.MonkeyPatch) -> None:
    found = {name: ModuleType(name) for name in NAMES}
    for name, module in found.items():
        monkeypatch.setitem(sys.modules, name, module)
    monkeypatch.setattr("rechunker_pywren.legacy_modules.find_spec", found.get)
    with legacy_modules():
        assert {name: sys.modules[name] for name in NAMES} == found
    assert {name: sys.modules[name] for name in NAMES} == found


@pytest.mark.usefixtures("absent")
@pytest.mark.parametrize(("word", "number"), [("True", 1), ("y", 1), ("off", 0), ("False", 0)])
def test_words_that_mean_yes_or_no(word: str, number: int) -> None:
    with legacy_modules():
        assert importlib.import_module("distutils.util").strtobool(word) == number


@pytest.mark.usefixtures("absent")
def test_other_words_are_an_error() -> None:
    with legacy_modules(), pytest.raises(ValueError, match="must be one of .*yes, got 'perhaps'"):
        importlib.import_module("distutils.util").strtobool("perhaps")


@pytest.mark.usefixtures("absent")
def test_kinds_of_modules_are_told_apart() -> None:
    with legacy_modules(), warnings.catch_warnings(action="error"):
        imp = importlib.import_module("imp")
    kinds = ("PY_SOURCE", "PY_COMPILED", "C_EXTENSION", "PKG_DIRECTORY", "C_BUILTIN", "PY_FROZEN")
    assert len({getattr(imp, kind) for kind in kinds}) == 6
