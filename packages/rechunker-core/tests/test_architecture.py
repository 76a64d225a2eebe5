"""The walls of the house: what may import what, and how large a room may grow."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

import rechunker

SOURCE = Path(rechunker.__file__).parent
PACKAGE = Path(__file__).parents[1]
LONGEST = 330
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)

ABOVE_SOURCES = {"api", "plugins", "hookspecs", "executors"}
ABOVE_COPYING = ABOVE_SOURCES | {"sources"}
ABOVE_TYPES = ABOVE_COPYING | {"copying", "temp", "reading", "writing", "storage", "stores"}


def name_of(path: Path) -> str:
    parts = path.relative_to(SOURCE).with_suffix("").parts
    return ".".join(parts).removesuffix(".__init__") if parts != ("__init__",) else ""


MODULES = {name_of(path): path for path in sorted(SOURCE.rglob("*.py"))}
each_module = pytest.mark.parametrize("module", MODULES, ids=lambda name: name or "rechunker")


@cache
def parsed(module: str) -> ast.Module:
    return ast.parse(MODULES[module].read_text("utf-8"))


def statements(node: ast.AST, without: tuple[type[ast.AST], ...] = FUNCTIONS) -> Iterator[ast.AST]:
    """All that runs on import, or ever if nothing is left out; not what type checkers need."""
    for child in ast.iter_child_nodes(node):
        never = isinstance(child, ast.If) and ast.unparse(child.test) == "TYPE_CHECKING"
        if not never and not isinstance(child, without):
            yield child
            yield from statements(child, without)


def names(nodes: Iterator[ast.AST]) -> set[str]:
    """Full names of all that these nodes import."""
    found = set()
    for node in nodes:
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def imported(module: str) -> set[str]:
    return names(statements(parsed(module)))


@cache
def neighbours(module: str) -> frozenset[str]:
    """Modules of the core that a module imports."""
    ours = {name.removeprefix("rechunker.") for name in imported(module) if ours_is(name)}
    found = {name if name in MODULES else name.rpartition(".")[0] for name in ours}
    return frozenset(found & set(MODULES) - {""})


def ours_is(name: str) -> bool:
    return name.startswith("rechunker.")


def reach(module: str, seen: frozenset[str] = frozenset()) -> set[str]:
    """Modules of the core that are imported with a module, directly or not."""
    found: set[str] = set()
    for near in neighbours(module) - seen:
        found |= {near} | reach(near, seen | found | {near})
    return found


def declared(*tables: str) -> set[str]:
    project = tomllib.loads((PACKAGE / "pyproject.toml").read_text("utf-8"))["project"]
    lists = [project["dependencies"], *project["optional-dependencies"].values()]
    chosen = lists if "optional" in tables else lists[:1]
    return {re.split(r"[\[<>=~!; ]", need)[0] for needs in chosen for need in needs}


def outside(found: set[str]) -> set[str]:
    """Packages among these names that are neither ours nor Python's."""
    return {name.split(".")[0] for name in found} - set(sys.stdlib_module_names) - {"rechunker"}


@pytest.mark.parametrize(
    ("module", "above"),
    [
        ("grids", ABOVE_TYPES | {"types", "plan"}),
        ("plan", ABOVE_TYPES | {"types"}),
        ("memory", set(MODULES) - {"memory"}),
        ("types", ABOVE_TYPES),
        ("copying", ABOVE_COPYING),
        ("temp", ABOVE_COPYING),
        ("sources", ABOVE_SOURCES),
        ("hookspecs", ABOVE_COPYING - {"hookspecs"}),
        ("plugins", ABOVE_COPYING - {"plugins", "hookspecs"}),
        ("executors", {"api", "plugins", "sources", "stores", "temp", "plan"}),
    ],
)
def test_imports_run_one_way(module: str, above: set[str]) -> None:
    rooms = [name for name in MODULES if name.split(".")[0] == module]
    assert rooms
    reached = set().union(*map(reach, rooms)) - set(rooms)
    assert not {name for name in reached if name.split(".")[0] in above}


@each_module
def test_no_module_imports_itself_in_the_end(module: str) -> None:
    assert module not in reach(module)


@each_module
def test_on_import_nothing_is_needed_but_what_is_declared(module: str) -> None:
    brought = {"numcodecs"}  # by zarr, which declares it
    plugins = {"rechunker_" + name for name in PLUGINS}
    extra = {"pytest"} if module.startswith("testing") else set()
    assert outside(imported(module)) <= declared() | brought | plugins | extra


PLUGINS = ("beam", "dask", "prefect", "pywren")


def test_only_its_own_reexport_imports_the_package_of_an_executor() -> None:
    found = {m: {p for p in PLUGINS if f"rechunker_{p}" in outside(imported(m))} for m in MODULES}
    assert {m: p for m, p in found.items() if p} == {f"executors.{p}": {p} for p in PLUGINS}


@pytest.mark.parametrize("module", ["grids", "plan", "types", "memory"])
def test_arithmetic_knows_no_arrays(module: str) -> None:
    needed = set().union(*(outside(imported(name)) for name in reach(module) | {module}))
    assert needed <= {"numpy"}


def test_one_module_alone_touches_private_parts_of_zarr() -> None:
    private = re.compile(r"zarr\.(core\b|(.*\.)?_)")
    used = {module: names(statements(parsed(module), without=())) for module in MODULES}
    assert {m for m, found in used.items() if any(map(private.match, found))} == {"storage"}


@each_module
def test_a_module_fits_a_room(module: str) -> None:
    assert len(MODULES[module].read_text("utf-8").splitlines()) <= LONGEST


@each_module
def test_a_module_opens_with_a_sentence(module: str) -> None:
    assert re.match(r"[A-Z`].*[.:]$", (ast.get_docstring(parsed(module)) or "").split("\n")[0])


@pytest.mark.parametrize("module", [name for name in MODULES if name.split(".")[-1][:1] != "_"])
def test_a_public_module_says_what_is_public(module: str) -> None:
    assigned = {
        target.id
        for node in statements(parsed(module))
        if isinstance(node, ast.Assign | ast.AnnAssign)
        for target in (node.targets if isinstance(node, ast.Assign) else [node.target])
        if isinstance(target, ast.Name)
    }
    assert "__all__" in assigned


def test_importing_the_core_imports_neither_dask_nor_xarray() -> None:
    program = "import sys, rechunker; print({'dask', 'xarray'} & set(sys.modules))"
    command = [sys.executable, "-c", program]
    assert subprocess.run(command, capture_output=True, text=True).stdout == "set()\n"
