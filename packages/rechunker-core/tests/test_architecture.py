"""The architecture: which room may import which, private names, and sizes of modules."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterable, Iterator
from pathlib import Path

from import_graph import Module, arrows, between_rooms, find_circle, find_modules, room_of

PACKAGE = Path(__file__).parents[1]
LONGEST_MODULE = 330
LONGEST_FUNCTION = 45

MODULES = find_modules()
GRAPH = arrows(MODULES)
CORE = {name: module for name, module in MODULES.items() if name.split(".")[0] == "rechunker"}
ENGINES = ("beam", "dask", "prefect", "pywren")

# A room imports from the rooms in its row, and from no others.
MAY_IMPORT = {
    "sizes": "",
    "scratch": "",
    "thread_context": "",
    "traffic": "",
    "types": "traffic",
    "hookspecs": "types",
    "plugins": "types hookspecs",
    "pictures": "sizes",
    "planning": "pictures sizes",
    "stores": "scratch thread_context",
    "metadata": "planning sizes stores",
    "copying": "planning stores scratch thread_context types metadata.document",
    "sources": "copying metadata planning stores",
    "jobs": "sources copying metadata pictures planning stores sizes types",
    "running": "scratch thread_context types",
    "report": "planning sizes traffic",
    "saving": "copying jobs planning running sources stores types",
    "rechunked": "pictures planning report running saving stores types",
    "api": "jobs sources stores plugins sizes rechunked types",
    "xarray": "api rechunked stores types",
    "algorithm": "",
    "verifying": "copying planning plugins sizes sources stores types",
    "rechunker": "api planning rechunked report copying jobs saving stores verifying",
    "cli": "rechunker plugins sizes sources stores",
    "__main__": "cli",
    "executors": "running types hookspecs " + " ".join(f"rechunker_{name}" for name in ENGINES),
    "testing": "rechunker plugins types",
    "rechunker_beam": "running types hookspecs",
    "rechunker_dask": "running types hookspecs copying planning sources sizes",
    "rechunker_prefect": "running types hookspecs",
    "rechunker_pywren": "running types hookspecs rechunker",
    "rechunker_threads": "running types hookspecs",
}
# Private names of other projects, each used in one module alone.
PRIVATE = {
    "zarr.core.sync.sync": "rechunker.stores.requests",
    "_store": "rechunker.stores.wrappers",
    "google_crc32c._crc32c": "rechunker.copying.checksums",
    "_decode_single": "rechunker.copying.codecs.guards",
    "_meta": "rechunker.sources.dask.private",
    "_data": "rechunker.sources.xarray.private",
    "_in_memory": "rechunker.sources.xarray.private",
    "xarray.coding.common._ElementwiseFunctionArray": "rechunker.sources.xarray.private",
    "xarray.coding.variables._ElementwiseFunctionArray": "rechunker.sources.xarray.private",
    "xarray.core.indexing.CopyOnWriteArray": "rechunker.sources.xarray.private",
    "xarray.core.indexing.ImplicitToExplicitIndexingAdapter": "rechunker.sources.xarray.private",
    "xarray.core.indexing.LazilyIndexedArray": "rechunker.sources.xarray.private",
    "xarray.core.indexing.MemoryCachedArray": "rechunker.sources.xarray.private",
    "_adaptive": "rechunker_dask.engine",
    "_max_workers": "rechunker_prefect.engine",
    "_exception": "rechunker_pywren.local_calls",
    "_invoke": "rechunker_pywren.local_calls",
}
# Undocumented names without an underscore.
UNDOCUMENTED = {
    "collection_annotations": "rechunker.sources.dask.private",
    "dump_to_store": "rechunker.sources.xarray.private",
}
# Python's own, and the attribute in which NCZarr keeps names of dimensions.
NOT_PRIVATE = {"_replace", "_getframe", "_exit", "_nczarr_array"}


def lines(found: Iterable[str]) -> list[str]:
    """Offenders, so that a failure shows each of them on a line of its own."""
    return sorted(set(found))


def test_rooms_import_what_they_may() -> None:
    allowed = {
        room: {part.split(".")[0] for part in row.split()} for room, row in MAY_IMPORT.items()
    }
    assert not lines(
        f"{room} imports {target}"
        for room, targets in between_rooms(GRAPH).items()
        for target in targets - allowed.get(room, set())
    )


def test_every_arrow_of_the_table_is_used() -> None:
    rooms = between_rooms(GRAPH)
    assert not lines(
        f"{room} does not import {part}"
        for room, row in MAY_IMPORT.items()
        for part in row.split()
        if part.split(".")[0] not in rooms[room]
    )


def test_rooms_are_entered_by_their_doors() -> None:
    """Outside a folder, names come from the folder itself, or from a part that the table names."""
    wrong = []
    for name, module in MODULES.items():
        parts = {f"rechunker.{part}" for part in MAY_IMPORT[module.room].split()}
        for entered in module.entered() & MODULES.keys() - parts:
            door = door_of(entered, name)
            wrong += [f"{name} imports from {entered}, not from {door}"] if door != entered else []
    assert not lines(wrong)


def door_of(target: str, module: str) -> str:
    """Outermost folder around a module that does not hold another module; or the module itself."""
    parts = target.split(".")
    around = [".".join(parts[:n]) for n in range(1, len(parts))]
    outside = [folder for folder in around if not f"{module}.".startswith(f"{folder}.")]
    return next((folder for folder in outside if folder != "rechunker"), target)


def test_documents_alone_are_known_where_chunks_are_copied() -> None:
    found = {t for name in GRAPH if room_of(name) == "copying" for t in GRAPH[name]}
    assert {t for t in found if room_of(t) == "metadata"} == {"rechunker.metadata.document"}


def test_no_module_imports_itself_in_the_end() -> None:
    assert not find_circle(GRAPH)


def test_no_room_imports_itself_in_the_end() -> None:
    rooms = between_rooms(GRAPH)
    assert not find_circle({room: targets - {"rechunker"} for room, targets in rooms.items()})


def test_few_modules_lie_directly_below_the_package() -> None:
    assert len([m for m in CORE.values() if m.path.parent.name == "rechunker"]) <= 12


def test_private_names_are_used_in_one_module_each() -> None:
    known = PRIVATE | UNDOCUMENTED
    used = [(name, where.name) for where in MODULES.values() for name in foreign_names(where)]
    assert not lines(
        f"{where} uses {name}, {'which belongs in ' + known[name] if name in known else 'private'}"
        for name, where in used
        if known.get(name) != where
    )
    assert not lines(f"{name} is used nowhere" for name in known.keys() - {n for n, _ in used})


def foreign_names(module: Module) -> Iterator[str]:
    """Private names of other projects: imported, attributes, or in strings."""
    core = re.compile(
        r"(zarr|google_crc32c|xarray|dask|distributed|prefect|apache_beam|pywren_ibm_cloud)\."
    )
    private = re.compile(r"\.(core\.|_[a-z])", re.IGNORECASE)
    own = set(names_defined(module.tree))
    for name in module.imports():
        if core.match(name) and private.search(name):
            yield name
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Attribute):
            name, is_own = node.attr, ast.unparse(node.value) in ("self", "cls", "super()")
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            name, is_own = node.value, False
            if core.match(name) and private.search(name) and " " not in name:
                yield name
        else:
            continue
        hidden = re.fullmatch(r"_[a-z]\w*", name) and name not in NOT_PRIVATE
        if name in UNDOCUMENTED or (hidden and not is_own and name not in own):
            yield name


def names_defined(tree: ast.Module) -> Iterator[str]:
    """Names of functions, classes, attributes and keys that a module defines itself."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            yield node.name
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            if ast.unparse(node.value) == "self":
                yield node.attr
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            yield node.target.id


def test_on_import_nothing_is_needed_but_what_is_declared() -> None:
    brought = {"numcodecs", "google_crc32c"}  # by zarr, which declares them
    plugins = {f"rechunker_{name}" for name in ENGINES}
    needed = []
    for name, module in CORE.items():
        extra = {"testing": {"pytest"}, "xarray": {"xarray"}, "cli": {"typer"}}.get(
            module.room, set()
        )
        unknown = outside(imported(module)) - declared() - brought - plugins - extra
        needed += [f"{name} imports {package}" for package in unknown]
    assert not lines(needed)


def test_arithmetic_knows_no_arrays() -> None:
    rooms = [m for m in CORE.values() if m.room in ("planning", "sizes")]
    assert set().union(*(outside(set(module.imports())) for module in rooms)) == {"numpy"}


def test_only_its_own_reexport_imports_the_package_of_an_executor() -> None:
    found = {
        name: {
            package for package in ENGINES if f"rechunker_{package}" in outside(imported(module))
        }
        for name, module in CORE.items()
    }
    expected = {f"rechunker.executors.{package}": {package} for package in ENGINES}
    assert {name: packages for name, packages in found.items() if packages} == expected


def imported(module: Module) -> set[str]:
    """Full names of what a module imports when it is imported itself."""
    found: set[str] = set()
    waiting: list[ast.AST] = [module.tree]
    while waiting:
        for node in ast.iter_child_nodes(waiting.pop()):
            checked = isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
            if checked or isinstance(node, ast.FunctionDef | ast.Lambda):
                continue
            if isinstance(node, ast.Import):
                found |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                found.add(f"{node.module}")
            waiting.append(node)
    return found


def outside(names: set[str]) -> set[str]:
    """Packages among these names that are neither core nor Python's own."""
    return {name.split(".")[0] for name in names} - set(sys.stdlib_module_names) - {"rechunker"}


def declared() -> set[str]:
    project = tomllib.loads((PACKAGE / "pyproject.toml").read_text("utf-8"))["project"]
    return {re.split(r"[\[<>=~!; ]", need)[0] for need in project["dependencies"]}


def test_modules_and_functions_are_short() -> None:
    long = []
    for name, module in MODULES.items():
        size = len(module.path.read_text("utf-8").splitlines())
        long += [f"{name}: {size} lines"] if size > LONGEST_MODULE else []
        for node in ast.walk(module.tree):
            if isinstance(node, ast.FunctionDef) and code_lines(node) > LONGEST_FUNCTION:
                long.append(f"{name}.{node.name}: {code_lines(node)} lines")
    assert not lines(long)


def code_lines(function: ast.FunctionDef) -> int:
    """Lines of a function without its docstring."""
    first = function.body[1] if ast.get_docstring(function) and function.body[1:] else function
    return (function.end_lineno or 0) - first.lineno + 1


def test_modules_open_with_a_sentence() -> None:
    opening = re.compile(r"[A-Z`].*[.:]$")
    firsts = {n: (ast.get_docstring(m.tree) or "").split("\n")[0] for n, m in MODULES.items()}
    assert not lines(name for name, first in firsts.items() if not opening.match(first))


def test_public_modules_list_what_is_public() -> None:
    public = {n: m for n, m in CORE.items() if not n.split(".")[-1].startswith("_")}
    assert not lines(n for n, m in public.items() if "__all__" not in set(names_assigned(m.tree)))


def names_assigned(tree: ast.Module) -> Iterator[str]:
    for node in tree.body:
        targets = node.targets if isinstance(node, ast.Assign) else []
        targets += [node.target] if isinstance(node, ast.AnnAssign) else []
        yield from (target.id for target in targets if isinstance(target, ast.Name))


def test_importing_core_imports_no_engine_and_no_network_client() -> None:
    program = "import sys, rechunker;print({'dask', 'xarray', 'urllib.request'} & set(sys.modules))"
    command = [sys.executable, "-c", program]
    assert subprocess.run(command, capture_output=True, text=True).stdout == "set()\n"
