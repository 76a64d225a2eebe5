"""The import graph of all packages: rooms, arrows between them, and circles between modules.

`python checks/import_graph.py` prints the graph and fails if there is a circle. A room is a folder
or a module directly below `rechunker`, or a whole other package.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
CORE = "rechunker"


@dataclass(frozen=True)
class Module:
    """One module of a package.

    Parameters
    ----------
    name
        Full dotted name; that of a folder stands for its `__init__`.
    path
        Its file.
    """

    name: str
    path: Path

    @cached_property
    def tree(self) -> ast.Module:
        """Syntax tree of the source."""
        return ast.parse(self.path.read_text("utf-8"))

    @property
    def room(self) -> str:
        """Room that the module belongs to."""
        return room_of(self.name)

    def imports(self) -> Iterator[str]:
        """Yield the full names of everything imported anywhere in it, for type checkers too."""
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Import):
                yield from (alias.name for alias in node.names)
            elif isinstance(node, ast.ImportFrom):
                assert node.level == 0, f"{self.name}: imports must be absolute"
                yield from (f"{node.module}.{alias.name}" for alias in node.names)

    def entered(self) -> set[str]:
        """Return the full names of the modules from which it imports names."""
        nodes = ast.walk(self.tree)
        return {f"{node.module}" for node in nodes if isinstance(node, ast.ImportFrom)}


def room_of(module: str) -> str:
    """Return the room of a module: the part after `rechunker`, or its package."""
    package, *inside = module.split(".")
    return inside[0] if package == CORE and inside else package


def find_modules(root: Path = ROOT) -> dict[str, Module]:
    """Return the modules of all packages, by full name."""
    found = {}
    for source in sorted([*root.glob("packages/*/src"), *root.glob("examples/*/src")]):
        for path in sorted(source.rglob("*.py")):
            parts = path.relative_to(source).with_suffix("").parts
            name = ".".join(parts).removesuffix(".__init__")
            found[name] = Module(name, path)
    return found


def arrows(modules: Mapping[str, Module]) -> dict[str, set[str]]:
    """Return the modules, out of these, that each module imports."""
    return {
        name: {target for full in module.imports() if (target := _module_in(full, modules))}
        - {name}
        for name, module in modules.items()
    }


def _module_in(full: str, modules: Mapping[str, Module]) -> str | None:
    """Return the module that an imported name is, or belongs to."""
    return next((name for name in (full, full.rpartition(".")[0]) if name in modules), None)


def find_circle(graph: Mapping[str, set[str]]) -> list[str]:
    """Return nodes of a graph that lead back to the first of them; an empty list if none do."""
    done: set[str] = set()

    def walk(node: str, trail: list[str]) -> list[str]:
        if node in trail:
            return [*trail[trail.index(node) :], node]
        if node in done:
            return []
        for near in sorted(graph.get(node, ())):
            if circle := walk(near, [*trail, node]):
                return circle
        done.add(node)
        return []

    return next((circle for node in sorted(graph) if (circle := walk(node, []))), [])


def between_rooms(graph: Mapping[str, set[str]]) -> dict[str, set[str]]:
    """Return the rooms that each room imports."""
    rooms: dict[str, set[str]] = {}
    for module, targets in graph.items():
        room = room_of(module)
        rooms.setdefault(room, set()).update({room_of(target) for target in targets} - {room})
    return rooms


def main() -> int:
    """Print rooms and arrows; return 1 if modules or rooms import each other in a circle."""
    modules = find_modules()
    graph = arrows(modules)
    rooms = between_rooms(graph)
    sizes = {room: sum(m.room == room for m in modules.values()) for room in rooms}
    for room in sorted(rooms, key=lambda room: (len(_reach(rooms, room)), room)):
        print(f"{room:20} {sizes[room]:3}  -> {', '.join(sorted(rooms[room])) or '-'}")
    top = [m for m in modules.values() if m.path.parent.name == CORE and m.path.stem != "__init__"]
    print(f"{len(modules)} modules in {len(rooms)} rooms, {len(top)} directly below {CORE}")
    # The front door imports the rooms, and every module imports it first; that is no circle.
    inner = {room: targets - {CORE} for room, targets in rooms.items() if room != CORE}
    circles = [circle for circle in (find_circle(graph), find_circle(inner)) if circle]
    for circle in circles:
        print("circle:", " -> ".join(circle))
    return 1 if circles else 0


def _reach(graph: Mapping[str, set[str]], node: str) -> set[str]:
    found: set[str] = set()
    waiting = [node]
    while waiting:
        for near in graph.get(waiting.pop(), set()) - found:
            found.add(near)
            waiting.append(near)
    return found


if __name__ == "__main__":
    sys.exit(main())
