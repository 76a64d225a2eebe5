"""Stores: which place a store-like names, what is there, and whole objects in and out."""

from __future__ import annotations

from rechunker.stores import access
from rechunker.stores.absolute import absolute_array, absolute_origins, absolute_place
from rechunker.stores.access import unwrap
from rechunker.stores.claims import CLAIM, Claim, ClaimWatch, TargetInUseError
from rechunker.stores.members import Member, find_members, read_member
from rechunker.stores.nodes import (
    Node,
    check_unchanged,
    digest_of,
    find_node,
    node_digest,
    read_json,
)
from rechunker.stores.overlap import contains, identity_of
from rechunker.stores.resolve import is_process_local, resolve_store

__all__ = [
    "CLAIM",
    "Claim",
    "ClaimWatch",
    "Member",
    "Node",
    "TargetInUseError",
    "absolute_array",
    "absolute_origins",
    "absolute_place",
    "access",
    "check_unchanged",
    "contains",
    "digest_of",
    "find_members",
    "find_node",
    "identity_of",
    "is_process_local",
    "node_digest",
    "read_json",
    "read_member",
    "resolve_store",
    "unwrap",
]
