"""Hierarchies of Xarray trees: a group for each node, with one array per variable."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar

from rechunker.sources.base import ArrayRequest, Hierarchy
from rechunker.sources.options_by_array import options_by_array
from rechunker.sources.target_chunks import chunks_by_array, join
from rechunker.sources.xarray.checks import check_dataset
from rechunker.sources.xarray.dataset import DatasetRequest, request_dataset, zarr_format_of
from rechunker.sources.xarray.encoding_keys import parse_dataset_options
from rechunker.sources.xarray.target_chunks import members_of

if TYPE_CHECKING:
    import xarray

__all__ = ["datatree_hierarchy"]

Value = TypeVar("Value")


def datatree_hierarchy(
    tree: xarray.DataTree,
    chunks: Any,
    options: Mapping[str, Any] | None,
    zarr_format: Any,
    limit: int,
) -> Hierarchy:
    """Return the hierarchy of a tree: a group for each node.

    Parameters
    ----------
    tree
        Any tree whose datasets Xarray can write to Zarr. Inherited coordinates are written once,
        in the node that defines them.
    chunks
        Target chunks, as `chunks_by_array` takes them.
    options
        Encodings, as `options_by_array` takes them; also ``overwrite`` and ``zarr_format`` for the
        whole target.
    zarr_format
        Zarr format of the group that will hold the target; None if there is no such group.
    limit
        Bytes of a stored object that fit in memory.

    Raises
    ------
    TypeError, ValueError
        If the chunks or the options are not allowed for this tree, or Xarray cannot write it.
    """
    parsed = parse_dataset_options(options)
    nodes = {node.path.strip("/"): node.to_dataset(inherit=False) for node in tree.subtree}
    base = tree.path.strip("/")
    nodes = {path.removeprefix(base).strip("/"): dataset for path, dataset in nodes.items()}
    for dataset in nodes.values():
        check_dataset(dataset)
    target_format = zarr_format_of(nodes.values(), parsed, zarr_format)
    members = members_of(nodes, "tree")
    wanted = chunks_by_array(chunks, members)
    given = options_by_array(parsed.by_name, members)
    requests = {
        path: request_dataset(
            dataset, _in_node(path, wanted), _in_node(path, given), target_format, limit
        )
        for path, dataset in nodes.items()
    }
    return Hierarchy(
        arrays=tuple(_arrays(requests)),
        groups={path: request.group for path, request in requests.items()},
        zarr_format=target_format,
        overwrite=frozenset(
            ([""] if parsed.overwrite else [])
            + [join(path, name) for path, own in requests.items() for name in own.overwrite]
        ),
        consolidated=True,
        origins=tuple(origin for request in requests.values() for origin in request.origins),
        plain_temp=True,
    )


def _arrays(requests: Mapping[str, DatasetRequest]) -> Iterator[ArrayRequest]:
    """Yield the arrays of all nodes, each with its path within the tree."""
    for path, request in requests.items():
        for array in request.arrays:
            yield replace(array, name=join(path, array.name))


def _in_node(path: str, by_path: Mapping[str, Value]) -> dict[str, Value]:
    """Return what belongs to the variables right in a node, by their names."""
    parts = ((key.rpartition("/"), value) for key, value in by_path.items())
    return {name: value for (parent, _, name), value in parts if parent == path}
