"""Modules that Python no longer has are there for as long as pywren is imported."""

from __future__ import annotations

import importlib
import sys
import warnings
from types import ModuleType

import pytest

from rechunker_pywren.legacy import legacy_modules

NAMES = ("imp", "distutils", "distutils.util")


@pytest.fixture
def absent(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have a Python without these modules, whatever it is."""
    for name in NAMES:
        monkeypatch.delitem(sys.modules, name, raising=False)
    monkeypatch.setattr("rechunker_pywren.legacy.find_spec", lambda name: None)


@pytest.mark.usefixtures("absent")
def test_modules_are_there_for_a_while() -> None:
    with legacy_modules():
        assert [importlib.import_module(name).__name__ for name in NAMES] == list(NAMES)
    assert not set(NAMES) & set(sys.modules)


@pytest.mark.usefixtures("absent")
def test_modules_go_when_the_import_fails() -> None:
    with pytest.raises(ZeroDivisionError), legacy_modules():
        raise ZeroDivisionError
    assert not set(NAMES) & set(sys.modules)


def test_modules_that_are_there_are_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    found = {name: ModuleType(name) for name in NAMES}
    for name, module in found.items():
        monkeypatch.setitem(sys.modules, name, module)
    monkeypatch.setattr("rechunker_pywren.legacy.find_spec", found.get)
    with legacy_modules():
        assert {name: sys.modules[name] for name in NAMES} == found
    assert {name: sys.modules[name] for name in NAMES} == found


@pytest.mark.usefixtures("absent")
@pytest.mark.parametrize(("word", "number"), [("True", 1), ("y", 1), ("off", 0), ("False", 0)])
def test_words_that_mean_yes_or_no(word: str, number: int) -> None:
    with legacy_modules():
        assert importlib.import_module("distutils.util").strtobool(word) == number


@pytest.mark.usefixtures("absent")
def test_other_words() -> None:
    with legacy_modules(), pytest.raises(ValueError, match="neither"):
        importlib.import_module("distutils.util").strtobool("perhaps")


@pytest.mark.usefixtures("absent")
def test_kinds_of_modules_are_told_apart() -> None:
    with legacy_modules(), warnings.catch_warnings(action="error"):
        imp = importlib.import_module("imp")
    kinds = ("PY_SOURCE", "PY_COMPILED", "C_EXTENSION", "PKG_DIRECTORY", "C_BUILTIN", "PY_FROZEN")
    assert len({getattr(imp, kind) for kind in kinds}) == 6
