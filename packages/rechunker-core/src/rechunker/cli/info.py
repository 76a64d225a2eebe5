"""The command `info`: what is stored at a place, and which chunks would suit its reads."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from rechunker.cli.console import Console
from rechunker.cli.options import Engine, Json, StorageOptions, Verbose

if TYPE_CHECKING:
    from rechunker.cli.contents import Suggestions

__all__ = ["info"]


def info(
    ctx: typer.Context,
    store: Annotated[
        str,
        typer.Argument(
            metavar="STORE",
            help="Zarr array or group, or a file that xarray opens: a path or a URL.",
            show_default=False,
        ),
    ],
    access: Annotated[
        list[str] | None,
        typer.Option(
            help="Shape of a usual read, in the form of --chunks: 'time=-1,lat=1,lon=1'. May be "
            "repeated. By default a map along the first axis, and a series.",
            show_default=False,
        ),
    ] = None,
    nbytes: Annotated[
        str, typer.Option(help="Largest number of bytes of a chunk that is suggested.")
    ] = "100MB",
    stored: Annotated[
        bool | None,
        typer.Option(
            help="Add up the sizes of stored objects; by default on local disks, as elsewhere it "
            "takes a request for each object.",
            show_default=False,
        ),
    ] = None,
    engine: Engine = None,
    storage_options: StorageOptions = None,
    as_json: Json = False,
    verbose: Verbose = False,
) -> None:
    """Show arrays with their chunks, shards, sizes and codecs, and suggest chunks.

    Suggestions are for arrays that are larger than one chunk, and are in the form of --chunks.
    """
    from rechunker.cli.contents import contents_of, suggestions_for
    from rechunker.cli.request import open_values, storage_options_of
    from rechunker.stores import options_of_urls

    console: Console = ctx.obj
    with console.checking():
        found = storage_options_of(storage_options, console)
        values = open_values(store, options_of_urls(found, store=store)["store"], engine)
        arrays = contents_of(values, stored)
        suggested = [suggestions_for(each, access or (), nbytes) for each in arrays]
    pairs = list(zip(arrays, suggested, strict=True))
    data = [{**asdict(each), "suggestions": ones.to_dicts()} for each, ones in pairs]
    blocks = ("\n".join([str(each), *_lines(ones)]) for each, ones in pairs)
    console.result({"arrays": data}, "\n".join(blocks) or "no arrays")


def _lines(suggestions: Suggestions) -> Iterator[str]:
    from rechunker.sizes import format_bytes

    if suggestions.found:
        yield f"  for reads of {' and '.join(map(str, suggestions.reads))}:"
    for text, each in zip(suggestions.texts, suggestions.found, strict=True):
        touched = " and ".join(f"{count:,.3g}" for count in each.touched)
        size = format_bytes(each.nbytes)
        yield f"    --chunks {shlex.quote(text)}: {each.number:,} of {size}, {touched} per read"
