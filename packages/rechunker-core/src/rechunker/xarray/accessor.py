"""The accessor `.rechunker`, which writes what it belongs to with other chunks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

try:
    import xarray
except ModuleNotFoundError as error:
    if error.name == "xarray":
        error.msg = f"{error.msg}: pip install 'rechunker-core[xarray]'"
    raise

if TYPE_CHECKING:
    import zarr

    from rechunker.rechunked import Rechunked
    from rechunker.types import Executor

__all__ = ["RechunkerAccessor"]


class RechunkerAccessor:
    """Write a dataset, an array or a tree to Zarr with other chunks, within a memory limit.

    Parameters
    ----------
    source
        A dataset, an array or a tree.

    Examples
    --------
    >>> import rechunker.xarray
    >>> import xarray as xr
    >>> maps = xr.Dataset({"air": (("time", "x"), [[1, 2, 3], [4, 5, 6]])})
    >>> maps.rechunker.to_zarr("series.zarr", {"time": -1, "x": 1}, "100MB", executor="python")
    <Group file:///...series.zarr>
    >>> xr.open_zarr("series.zarr").air.encoding["chunks"]
    (2, 1)
    """

    def __init__(self, source: xarray.Dataset | xarray.DataArray | xarray.DataTree) -> None:
        self._source = source

    def plan(
        self,
        store: Any,
        chunks: Any,
        max_mem: int | str,
        *,
        group: str | None = None,
        target_options: Mapping[str, Any] | None = None,
        temp_store: Any = None,
        executor: str | Executor[Any] | None = None,
        storage_options: Mapping[str, Any] | None = None,
    ) -> Rechunked[zarr.Group]:
        """Plan what `to_zarr` does, and return the plan; nothing is written.

        Parameters
        ----------
        store
            Where to write the target: the `target_store` of `rechunker.rechunk`.
        chunks
            Chunks of the target: the `target_chunks` of `rechunker.rechunk`.
        max_mem
            Memory limit per task, such as ``"1GB"``.
        group
            Path of a group in the store, which is made if it is not there.
        target_options, temp_store, executor, storage_options
            As for `rechunker.rechunk`.

        Raises
        ------
        Exception
            What `rechunker.rechunk` raises.
        """
        from rechunker.api import rechunk  # what reads and plans is loaded where it is needed
        from rechunker.stores import options_of_urls, resolve_store, secrets_hidden

        if group is not None:
            with secrets_hidden():
                options = options_of_urls(storage_options, store=store, temp_store=temp_store)
                place = resolve_store(store, storage_options=options["store"])
                store = place / group.strip("/")
                if temp_store is not None:
                    temp_store = resolve_store(temp_store, storage_options=options["temp_store"])
            storage_options = None
        planned: Rechunked[zarr.Group] = rechunk(
            self._source,
            chunks,
            max_mem,
            store,
            target_options,
            temp_store,
            executor=executor,
            storage_options=storage_options,
        )
        return planned

    def to_zarr(
        self,
        store: Any,
        chunks: Any,
        max_mem: int | str,
        *,
        group: str | None = None,
        target_options: Mapping[str, Any] | None = None,
        temp_store: Any = None,
        executor: str | Executor[Any] | None = None,
        storage_options: Mapping[str, Any] | None = None,
        **kwargs: Any,
    ) -> zarr.Group:
        """Write to Zarr with other chunks, and return the group that was written.

        Parameters
        ----------
        store, chunks, max_mem, group, target_options, temp_store, executor, storage_options
            As for `plan`.
        **kwargs
            Arguments of `rechunker.Rechunked.execute`, such as `resume`, `verify` or `retries`.

        Raises
        ------
        Exception
            What `rechunker.rechunk` and `rechunker.Rechunked.execute` raise.
        """
        planned = self.plan(
            store,
            chunks,
            max_mem,
            group=group,
            target_options=target_options,
            temp_store=temp_store,
            executor=executor,
            storage_options=storage_options,
        )
        return planned.execute(**kwargs)


# Xarray's own functions have no types (2026.9).
_register: Any = (
    xarray.register_dataset_accessor,
    xarray.register_dataarray_accessor,
    xarray.register_datatree_accessor,
)
for _accessor in _register:
    _accessor("rechunker")(RechunkerAccessor)
