from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

NAMES = ["beam", "dask", "prefect", "pywren"]
each_name = pytest.mark.parametrize("name", NAMES)


OURS = tuple(f"rechunker_{name}" for name in NAMES)


@pytest.fixture(autouse=True)
def nothing_imported() -> Iterator[None]:
    """Let no test see what another one has imported."""
    before = {name: sys.modules.pop(name) for name in list(sys.modules) if is_ours(name)}
    yield
    for name in filter(is_ours, list(sys.modules)):
        del sys.modules[name]
    sys.modules.update(before)


def is_ours(module: str) -> bool:
    return module.startswith(("rechunker.executors.", *OURS)) and "python" not in module


class Hidden:
    """An import path on which none of the packages is installed."""

    def find_spec(self, name: str, path: object = None, target: object = None) -> None:
        if name in OURS:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)


def write_package(folder: Path, name: str, executor: str) -> None:
    package = folder / f"rechunker_{name}"
    package.mkdir()
    (package / "__init__.py").write_text(f"from {package.name}.executor import *\n")
    (package / "executor.py").write_text(executor)


@each_name
def test_the_documented_path_gives_the_class_of_the_package(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_package(tmp_path, name, f"class {name.capitalize()}Executor: pass")
    monkeypatch.syspath_prepend(tmp_path)
    module = importlib.import_module(f"rechunker.executors.{name}")
    assert module.__all__ == [f"{name.capitalize()}Executor"]
    assert getattr(module, module.__all__[0]).__module__ == f"rechunker_{name}.executor"


@each_name
def test_without_the_package_the_error_shows_how_to_install_it(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "meta_path", [Hidden(), *sys.meta_path])
    advice = f"No module named 'rechunker_{name}': pip install rechunker-{name}"
    with pytest.raises(ModuleNotFoundError, match=f"^{advice}$"):
        importlib.import_module(f"rechunker.executors.{name}")


@each_name
def test_a_package_that_lacks_something_else_shows_its_own_error(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_package(tmp_path, name, "import engine_that_is_absent")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ModuleNotFoundError, match="'engine_that_is_absent'$"):
        importlib.import_module(f"rechunker.executors.{name}")


@each_name
def test_a_package_without_its_executor_module_is_not_taken_for_absent(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_package(tmp_path, name, "")
    (tmp_path / f"rechunker_{name}" / "executor.py").unlink()
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ModuleNotFoundError, match=rf"'rechunker_{name}\.executor'$"):
        importlib.import_module(f"rechunker.executors.{name}")
