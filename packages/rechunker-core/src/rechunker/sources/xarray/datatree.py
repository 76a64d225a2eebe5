"""Hierarchies of Xarray trees: a group for each node, with one array per variable."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from rechunker.metadata import check_names
from rechunker.sources.base import ArrayRequest, Hierarchy
from rechunker.sources.xarray.dataset import DatasetRequest, request_dataset, zarr_format_of
from rechunker.sources.xarray.encoding_keys import parse_dataset_options
from rechunker.sources.xarray.target_chunks import check_not_mixed, is_by_dimension

if TYPE_CHECKING:
    import xarray

__all__ = ["datatree_hierarchy"]


def datatree_hierarchy(
    tree: xarray.DataTree, chunks: Any, options: Mapping[str, Any] | None, zarr_format: Any
) -> Hierarchy:
    """Return the hierarchy of a tree: a group for each node.

    Parameters
    ----------
    tree
        Any tree whose datasets Xarray can write to Zarr. Inherited coordinates are written once,
        in the node that defines them.
    chunks
        Target chunks: a dict of sizes by dimension, for all nodes; or a dict by path, where the
        entry of a node is what a dataset takes, and that of a variable is its chunks. Nodes
        without an entry keep their chunks.
    options
        By path of a node, the encodings that a dataset takes; also ``overwrite`` and
        ``zarr_format`` for the whole target.
    zarr_format
        Zarr format of the group that will hold the target; None if there is no such group.

    Raises
    ------
    TypeError, ValueError
        If the chunks or the options are not allowed for this tree, or Xarray cannot write it.
    """
    parsed = parse_dataset_options(options)
    nodes = {node.path.strip("/"): node.to_dataset(inherit=False) for node in tree.subtree}
    base = tree.path.strip("/")
    nodes = {path.removeprefix(base).strip("/"): dataset for path, dataset in nodes.items()}
    target_format = zarr_format_of(nodes.values(), parsed, zarr_format)
    node_chunks = _chunks_by_node(nodes, chunks)
    node_options = {_without_slashes(path): value for path, value in parsed.by_name.items()}
    check_names(node_options, set(nodes), "target_options")
    requests = {
        path: request_dataset(
            dataset,
            node_chunks.get(path),
            node_options.get(path, {}),
            target_format,
            f"[{'/' + path!r}]",
        )
        for path, dataset in nodes.items()
    }
    return Hierarchy(
        arrays=tuple(_arrays(requests)),
        groups={path: request.group for path, request in requests.items()},
        zarr_format=target_format,
        overwrite=frozenset([""] if parsed.overwrite else []),
        consolidated=True,
        origins=tuple(origin for request in requests.values() for origin in request.origins),
        plain_temp=True,
    )


def _arrays(requests: Mapping[str, DatasetRequest]) -> Iterator[ArrayRequest]:
    """Yield the arrays of all nodes, each with its path within the tree."""
    for path, request in requests.items():
        for array in request.arrays:
            yield replace(array, name=_join(path, array.name))


def _join(path: str, name: str) -> str:
    return f"{path}/{name}" if path else name


def _without_slashes(path: Any) -> str:
    return str(path).strip("/")


def _chunks_by_node(nodes: Mapping[str, xarray.Dataset], chunks: Any) -> dict[str, Any]:
    """Return the target chunks of each node that has an entry, by its path."""
    if chunks is None:
        return {}
    if not isinstance(chunks, Mapping):
        raise TypeError(
            f"target_chunks={chunks!r}: the source is a tree; give a dict by name of its "
            "dimensions, or by path of its nodes and variables"
        )
    dims = {dim for dataset in nodes.values() for dim in dataset.dims}
    if all(is_by_dimension(key, size, dims) for key, size in chunks.items()):
        return {
            path: {dim: size for dim, size in chunks.items() if dim in dataset.dims}
            for path, dataset in nodes.items()
        }
    paths = {*nodes, *_variable_paths(nodes)}
    for key, value in chunks.items():
        if key in dims and key not in paths and not is_by_dimension(key, value, dims):
            raise ValueError(
                f"target_chunks[{key!r}]={value!r}: {key!r} is a dimension; give one size for "
                "each dimension, or give all chunks by path of nodes and variables"
            )
    check_not_mixed(chunks, dims, paths, "target_chunks")
    return _from_paths(nodes, chunks)


def _variable_paths(nodes: Mapping[str, xarray.Dataset]) -> dict[str, tuple[str, Any]]:
    """Return the node and the name of each variable, by its path within the tree."""
    return {
        _join(path, str(name)): (path, name)
        for path, dataset in nodes.items()
        for name in dataset.variables
    }


def _from_paths(nodes: Mapping[str, xarray.Dataset], chunks: Mapping[Any, Any]) -> dict[str, Any]:
    """Return the chunks by node from chunks by path of a node or of a variable."""
    variables = _variable_paths(nodes)
    by_path = {_without_slashes(key): value for key, value in chunks.items()}
    check_names(by_path, {*nodes, *variables}, "target_chunks")
    by_node: dict[str, Any] = {key: value for key, value in by_path.items() if key in nodes}
    for key in by_path:
        if key in nodes:
            continue
        path, name = variables[key]
        if path in by_path:
            raise ValueError(
                f"target_chunks has entries for both the node {'/' + path!r} and its variable "
                f"{key!r}; give the chunks of the variable with those of the node"
            )
        by_node.setdefault(path, {})[name] = by_path[key]
    return by_node
