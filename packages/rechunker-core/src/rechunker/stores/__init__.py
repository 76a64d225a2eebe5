"""Stores: which place a store-like names, what is there, and whole objects in and out."""

from __future__ import annotations

from rechunker.stores import access
from rechunker.stores.absolute import (
    absolute_array,
    absolute_files,
    absolute_origins,
    absolute_place,
)
from rechunker.stores.claims import CLAIM, Claim, ClaimWatch, StartingError, TargetInUseError
from rechunker.stores.disk import check_name_on_disk, check_writable, disk_path, make_folder
from rechunker.stores.filesystems import has_folders
from rechunker.stores.holders import SAVED, Holder, Known, boot_id
from rechunker.stores.journal import COPIED, JOURNAL, NO_EPOCH, Journal, StageJournal, StageRecords
from rechunker.stores.leftovers import (
    DIGEST_FOLDER,
    Leftover,
    clean,
    leftovers,
    temp_folder_name,
)
from rechunker.stores.marks import Mark
from rechunker.stores.members import Member, find_members, read_member
from rechunker.stores.nodes import (
    METADATA,
    NODES_V2,
    Node,
    check_unchanged,
    digest_of,
    find_node,
    node_digest,
    read_json,
)
from rechunker.stores.overlap import contains, identity_of, name_of, names_of, outermost
from rechunker.stores.parts import fetch_part, reads_parts
from rechunker.stores.records import Log, Records
from rechunker.stores.repositories import is_session, is_session_store
from rechunker.stores.requests import is_quick, retried, side_by_side, take_retries
from rechunker.stores.resolve import is_process_local, options_of_urls, resolve_store
from rechunker.stores.saved import OpenedPlaces, SavedPlaces
from rechunker.stores.secrets import hide_secrets, secrets_hidden, without_secrets
from rechunker.stores.sessions import (
    ForkStore,
    SessionStore,
    holds_claims,
    only_format,
    session_place,
)
from rechunker.stores.wrappers import unwrap

__all__ = [
    "CLAIM",
    "COPIED",
    "DIGEST_FOLDER",
    "JOURNAL",
    "METADATA",
    "NODES_V2",
    "NO_EPOCH",
    "SAVED",
    "Claim",
    "ClaimWatch",
    "ForkStore",
    "Holder",
    "Journal",
    "Known",
    "Leftover",
    "Log",
    "Mark",
    "Member",
    "Node",
    "OpenedPlaces",
    "Records",
    "SavedPlaces",
    "SessionStore",
    "StageJournal",
    "StageRecords",
    "StartingError",
    "TargetInUseError",
    "absolute_array",
    "absolute_files",
    "absolute_origins",
    "absolute_place",
    "access",
    "boot_id",
    "check_name_on_disk",
    "check_unchanged",
    "check_writable",
    "clean",
    "contains",
    "digest_of",
    "disk_path",
    "fetch_part",
    "find_members",
    "find_node",
    "has_folders",
    "hide_secrets",
    "holds_claims",
    "identity_of",
    "is_process_local",
    "is_quick",
    "is_session",
    "is_session_store",
    "leftovers",
    "make_folder",
    "name_of",
    "names_of",
    "node_digest",
    "only_format",
    "options_of_urls",
    "outermost",
    "read_json",
    "read_member",
    "reads_parts",
    "resolve_store",
    "retried",
    "secrets_hidden",
    "session_place",
    "side_by_side",
    "take_retries",
    "temp_folder_name",
    "unwrap",
    "without_secrets",
]
