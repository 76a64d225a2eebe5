from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest
from cases import about
from pluggy import PluginValidationError

from rechunker.executors.python import PythonExecutor
from rechunker.plugins import get_executor, list_executors
from rechunker.types import Executor

PLUGIN = """
    from rechunker.hookspecs import hookimpl
    from rechunker.types import Executor

    class {name}Executor(Executor):
        def __init__(self, speed=1):
            self.speed = speed
        def prepare_plan(self, specs):
            return list(specs)
        def execute_plan(self, plan, **kwargs):
            return None

    @hookimpl
    def rechunker_executors():
        return {{"{name}": {name}Executor}}
"""

Install = Callable[..., None]


@pytest.fixture(autouse=True)
def nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hide whatever packages with executors are installed beside the core."""

    def visible(group: str) -> list[EntryPoint]:
        return [e for e in entry_points(group=group) if e.value.startswith(("fake_", "rechunker."))]

    monkeypatch.setattr("rechunker.plugins.entry_points", visible)


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Install]:
    """Put a distribution on the path: a module and the metadata that pip would write."""
    monkeypatch.syspath_prepend(tmp_path)
    before = set(sys.modules)

    def write(name: str, code: str = "", dist: str = "", module: str = "") -> None:
        dist = dist or f"rechunker-{name.lower()}"
        module = module or f"fake_{dist.replace('-', '_')}"
        (tmp_path / f"{module}.py").write_text(dedent(code or PLUGIN.format(name=name)))
        info = tmp_path / f"{dist.replace('-', '_')}-1.2.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {dist}\nVersion: 1.2\n")
        entry_points = f"[rechunker.executors]\n{name} = {module}\n"
        (info / "entry_points.txt").write_text(entry_points)

    yield write
    for module in set(sys.modules) - before:
        if module.startswith("fake_"):
            del sys.modules[module]


def broken(body: str) -> str:
    return f"from rechunker.hookspecs import hookimpl\n@hookimpl\n{body}\n"


def test_the_core_offers_its_executor_by_the_same_hook() -> None:
    assert isinstance(get_executor("python"), PythonExecutor)


def test_an_installed_executor_is_found_by_name(install: Install) -> None:
    install("turbo")
    assert type(get_executor("turbo")).__name__ == "turboExecutor"


def test_keyword_arguments_reach_the_class(install: Install) -> None:
    install("turbo")
    assert get_executor("turbo", speed=9).speed == 9  # type: ignore[attr-defined]


def test_each_time_there_is_a_new_executor(install: Install) -> None:
    install("turbo")
    assert get_executor("turbo") is not get_executor("turbo")


@pytest.mark.parametrize("name", ["turbo", "Turbo", "TURBO"])
@pytest.mark.parametrize("installed", ["turbo", "Turbo"])
def test_capitals_do_not_matter(install: Install, name: str, installed: str) -> None:
    install(installed)
    assert isinstance(get_executor(name), Executor)


def test_an_executor_is_returned_as_it_is() -> None:
    executor = PythonExecutor()
    assert get_executor(executor) is executor


def test_an_executor_takes_no_arguments_any_more() -> None:
    with pytest.raises(TypeError, match=r"got the instance Python.* and speed: pass them when"):
        get_executor(PythonExecutor(), speed=2)


def test_what_is_not_an_executor_is_refused() -> None:
    things: list[Any] = [PythonExecutor, 1, b"python"]
    message = r"must be a name \(.*python.*\) or an instance"
    for thing in things:
        with about(thing), pytest.raises(TypeError, match=message):
            get_executor(thing)


def test_names_are_listed_in_order(install: Install) -> None:
    install("Zeppelin")
    install("apple")
    assert list_executors() == ("apple", "python", "zeppelin")


def test_listing_imports_nothing(install: Install) -> None:
    install("turbo", "raise RuntimeError('imported')")
    assert "turbo" in list_executors()


def test_only_the_plugin_that_was_asked_for_is_imported(install: Install) -> None:
    install("turbo")
    install("slow", "raise RuntimeError('imported')")
    get_executor("turbo")
    assert "fake_rechunker_turbo" in sys.modules
    assert "fake_rechunker_slow" not in sys.modules


def test_without_dask_the_default_is_python() -> None:
    assert isinstance(get_executor(None), PythonExecutor)


def test_with_dask_the_default_is_dask(install: Install) -> None:
    install("dask")
    assert type(get_executor(None)).__name__ == "daskExecutor"


def test_an_unknown_name_shows_how_to_install_it(install: Install) -> None:
    install("dask")
    with pytest.raises(ValueError, match="prefect") as caught:
        get_executor("prefect")
    assert str(caught.value) == (
        "unrecognized executor 'prefect': pip install rechunker-prefect (installed: dask, python)"
    )


def test_the_package_to_install_has_its_name_in_lower_case() -> None:
    with pytest.raises(ValueError, match=r"'Beam': pip install rechunker-beam "):
        get_executor("Beam")


@pytest.mark.parametrize(
    ("name", "meant"), [("dusk", "dask"), ("pyhton", "python"), ("mile", "mine")]
)
def test_what_was_meant_is_suggested(install: Install, name: str, meant: str) -> None:
    install("mine")
    with pytest.raises(
        ValueError, match=f"^unrecognized executor {name!r}: did you mean {meant!r}"
    ) as caught:
        get_executor(name)
    assert "pip" not in str(caught.value)


def test_nobody_is_told_to_install_a_package_that_nobody_knows() -> None:
    with pytest.raises(ValueError, match="'warp': install the package that has it") as caught:
        get_executor("warp")
    assert "pip" not in str(caught.value)


@pytest.mark.parametrize("name", ["rechunker-beam", "Rechunker-Beam", "rechunker_beam"])
def test_the_name_of_a_package_is_not_that_of_its_executor(install: Install, name: str) -> None:
    advice = f"unrecognized executor {name!r}: use executor='beam'"
    with pytest.raises(ValueError, match=f"^{advice} after pip install rechunker-beam "):
        get_executor(name)
    install("beam")
    with pytest.raises(ValueError, match=rf"^{advice} \(installed: beam, python\)$"):
        get_executor(name)


def test_the_name_of_the_core_is_not_that_of_its_executor() -> None:
    with pytest.raises(ValueError, match="use executor='python' "):
        get_executor("rechunker-core")


def test_what_cannot_be_the_name_of_a_package_is_not_offered_to_pip() -> None:
    with pytest.raises(ValueError, match=r"^unrecognized executor 'a b' \(installed: python\)$"):
        get_executor("a b")


def test_without_any_metadata_the_core_itself_is_to_be_installed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("rechunker.plugins.entry_points", lambda group: [])
    with pytest.raises(ValueError, match=r"pip install rechunker-core \(installed: none\)"):
        get_executor(None)


@pytest.mark.parametrize("second", ["turbo", "Turbo"])
def test_two_packages_with_one_name_are_both_named(install: Install, second: str) -> None:
    install("turbo", dist="rechunker-turbo")
    install(second, dist="other-turbo")
    with pytest.raises(
        ValueError, match=r"by other-turbo 1\.2 and rechunker-turbo 1\.2: uninstall"
    ):
        get_executor("turbo")


def test_a_name_that_two_packages_offer_is_listed_once(install: Install) -> None:
    install("turbo", dist="rechunker-turbo")
    install("turbo", dist="other-turbo")
    assert list_executors() == ("python", "turbo")


def test_a_duplicate_does_not_disturb_the_others(install: Install) -> None:
    install("turbo", dist="rechunker-turbo")
    install("turbo", dist="other-turbo")
    assert isinstance(get_executor("python"), PythonExecutor)


def test_a_broken_plugin_shows_its_own_exception(install: Install) -> None:
    install("turbo", "raise ZeroDivisionError('engine is out of fuel')")
    with pytest.raises(ZeroDivisionError, match="out of fuel"):
        get_executor("turbo")


def test_a_plugin_with_a_missing_dependency_shows_which(install: Install) -> None:
    install("turbo", "import engine_that_is_absent")
    with pytest.raises(ModuleNotFoundError, match="engine_that_is_absent"):
        get_executor("turbo")


def test_a_hook_that_fails_shows_its_own_exception(install: Install) -> None:
    install("turbo", broken("def rechunker_executors(): return {}['nothing']"))
    with pytest.raises(KeyError, match="nothing"):
        get_executor("turbo")


def test_a_plugin_without_the_hook_is_told_so(install: Install) -> None:
    install("turbo", "pass")
    with pytest.raises(TypeError, match="rechunker-turbo 1.2: fake_rechunker_turbo does not impl"):
        get_executor("turbo")


def test_a_hook_of_another_name_is_refused(install: Install) -> None:
    install("turbo", broken("def rechunker_executor(): return {}"))
    with pytest.raises(PluginValidationError, match="unknown hook 'rechunker_executor'"):
        get_executor("turbo")


def test_a_hook_with_parameters_is_refused(install: Install) -> None:
    install("turbo", broken("def rechunker_executors(config): return {}"))
    with pytest.raises(PluginValidationError, match="config"):
        get_executor("turbo")


@pytest.mark.parametrize(
    ("returned", "message"),
    [
        ("['turbo']", r"must return a mapping, got \['turbo'\]"),
        ("None", "does not implement"),
        ("{}", r"must have the name 'turbo', got \[\]"),
        ("{'slow': int}", r"must have the name 'turbo', got \['slow'\]"),
        ("{'turbo': int}", "must be a subclass of rechunker.types.Executor, got <class 'int'>"),
        ("{'turbo': 3}", "must be a subclass of rechunker.types.Executor, got 3"),
        ("{'turbo': None}", "must be a subclass of rechunker.types.Executor, got None"),
    ],
)
def test_what_the_hook_returns_is_checked(install: Install, returned: str, message: str) -> None:
    install("turbo", broken(f"def rechunker_executors(): return {returned}"))
    with pytest.raises(TypeError, match=message) as caught:
        get_executor("turbo")
    assert "executor 'turbo' of rechunker-turbo 1.2" in str(caught.value)
