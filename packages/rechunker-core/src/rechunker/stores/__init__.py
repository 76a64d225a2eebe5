"""Stores: which place a store-like names, what is there, and whole objects in and out."""

from __future__ import annotations

from rechunker.stores import access
from rechunker.stores.nodes import node_kind, read_json
from rechunker.stores.overlap import contains, unwrap
from rechunker.stores.resolve import is_process_local, resolve_store

__all__ = [
    "access",
    "contains",
    "is_process_local",
    "node_kind",
    "read_json",
    "resolve_store",
    "unwrap",
]
