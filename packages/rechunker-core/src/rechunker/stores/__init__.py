"""Stores: which place a store-like names, what is there, and whole objects in and out."""

from __future__ import annotations

from rechunker.stores import access
from rechunker.stores.access import unwrap
from rechunker.stores.nodes import Node, find_node, read_json
from rechunker.stores.overlap import contains
from rechunker.stores.resolve import is_process_local, resolve_store

__all__ = [
    "Node",
    "access",
    "contains",
    "find_node",
    "is_process_local",
    "read_json",
    "resolve_store",
    "unwrap",
]
