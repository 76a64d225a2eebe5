"""Xarray's DataTree as a source: a dataset in each of its groups."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from rechunker.metadata import check_names
from rechunker.sources.base import ArrayRequest, Hierarchy
from rechunker.sources.xarray.dataset import DatasetPart, dataset_part, format_of
from rechunker.sources.xarray.words import split_options

if TYPE_CHECKING:
    import xarray

__all__ = ["datatree_hierarchy"]


def datatree_hierarchy(
    tree: xarray.DataTree, chunks: Any, options: Mapping[str, Any] | None, zarr_format: Any
) -> Hierarchy:
    """Return what a tree becomes: a group for each of its nodes.

    Parameters
    ----------
    tree
        Any tree whose datasets xarray can write. What a node inherits is written once.
    chunks
        Target chunks by name of a dimension, for all nodes; or, by path of a node, what a dataset
        takes; or chunks by path of a variable. Nodes that are not named are copied as they are.
    options
        By path of a node, what a dataset takes; besides, for the whole target, `overwrite` and
        `zarr_format`.
    zarr_format
        Of the group that is to hold it; None if there is none yet.
    """
    words = split_options(options)
    nodes = {node.path.strip("/"): node.to_dataset(inherit=False) for node in tree.subtree}
    base = tree.path.strip("/")
    nodes = {path.removeprefix(base).strip("/"): dataset for path, dataset in nodes.items()}
    wanted = zarr_format or words.zarr_format or format_of(list(nodes.values()))
    chunks_of = _by_node(nodes, chunks)
    named = {_clean(path): given for path, given in words.named.items()}
    check_names(named, set(nodes), "target_options")
    parts = {
        path: dataset_part(
            dataset, chunks_of.get(path), named.get(path, {}), wanted, f"[{'/' + path!r}]"
        )
        for path, dataset in nodes.items()
    }
    return Hierarchy(
        arrays=tuple(_arrays(parts)),
        groups={path: part.attributes for path, part in parts.items()},
        zarr_format=wanted,
        overwrite=frozenset([""] if words.overwrite else []),
        consolidated=True,
        origins=tuple(origin for part in parts.values() for origin in part.origins),
        plain_temp=True,
    )


def _arrays(parts: Mapping[str, DatasetPart]) -> Iterator[ArrayRequest]:
    for path, part in parts.items():
        for request in part.arrays:
            yield replace(request, name=_join(path, request.name))


def _join(path: str, name: str) -> str:
    return f"{path}/{name}" if path else name


def _clean(path: Any) -> str:
    return str(path).strip("/")


def _by_node(nodes: Mapping[str, xarray.Dataset], chunks: Any) -> dict[str, Any]:
    """Return by path of the node the chunks that are given for it."""
    if chunks is None:
        return {}
    if not isinstance(chunks, Mapping):
        raise TypeError(
            f"target_chunks={chunks!r}: the source is a tree, so give a dict by name of its "
            "dimensions, or by path of its nodes"
        )
    dims = {dim for dataset in nodes.values() for dim in dataset.dims}
    if all(
        key in dims and not isinstance(size, Mapping | tuple | list) for key, size in chunks.items()
    ):
        return {
            path: {dim: size for dim, size in chunks.items() if dim in dataset.dims}
            for path, dataset in nodes.items()
        }
    return _by_path(nodes, chunks)


def _by_path(nodes: Mapping[str, xarray.Dataset], chunks: Mapping[Any, Any]) -> dict[str, Any]:
    variables = {
        _join(path, str(name)): (path, name)
        for path, dataset in nodes.items()
        for name in dataset.variables
    }
    cleaned = {_clean(key): value for key, value in chunks.items()}
    check_names(cleaned, {*nodes, *variables}, "target_chunks")
    found: dict[str, Any] = {key: value for key, value in cleaned.items() if key in nodes}
    for key in cleaned:
        if key in nodes:
            continue
        path, name = variables[key]
        if path in cleaned:
            raise ValueError(
                f"target_chunks names the node {'/' + path!r} and its variable {key!r}; give the "
                "chunks of the variable with those of the node"
            )
        found.setdefault(path, {})[name] = cleaned[key]
    return found
