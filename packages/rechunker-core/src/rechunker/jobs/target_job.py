"""Target jobs: all arrays of a target, what it replaces, and what is written last."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from hashlib import sha256
from itertools import chain
from typing import Any

import zarr
from zarr.storage import StorePath

from rechunker.copying import RecordedStage, changed_settings
from rechunker.jobs.apart import Apart
from rechunker.jobs.array_plan import Parallelism
from rechunker.jobs.equality import checks_of
from rechunker.jobs.facts import facts_of
from rechunker.jobs.job import ArrayJob, Journals
from rechunker.jobs.published import Documents, Published
from rechunker.jobs.publishing import Finish, Start
from rechunker.jobs.resuming import Resumption
from rechunker.jobs.roots import Root, is_below, is_node
from rechunker.jobs.session_target import end_session, in_session
from rechunker.jobs.unchanged import Sources
from rechunker.metadata import array_from_document, quiet
from rechunker.sources import Hierarchy
from rechunker.stores import (
    Claim,
    Journal,
    SessionStore,
    StageJournal,
    digest_of,
    holds_claims,
    identity_of,
    name_of,
    outermost,
    retried,
    side_by_side,
)
from rechunker.types import Changes, CopySpec, Stage

__all__ = ["TargetJob"]


@dataclass(frozen=True)
class TargetJob:
    """A planned target.

    Parameters
    ----------
    place
        Where the target goes.
    hierarchy
        Arrays and groups of the target.
    jobs
        One job per array.
    replaced
        Metadata of the arrays and groups that the target replaces, by their paths in the target.
    roots
        Paths of the arrays and groups that are cleared and claimed as a whole.
    run
        Random id of the plan.
    max_mem
        Memory limit per task in bytes.
    parallelism
        What the plan was made for.
    nodes
        Places of the arrays and groups that are read, with the digests of their metadata.
    temp
        Where temporary objects may go; None if there is no temp store.
    settings
        Settings of `zarr.config` where the plan was made, by dotted name; None for those of now.
    again
        Whether the plan was executed before, so that it replaces what it has published.
    """

    place: StorePath
    hierarchy: Hierarchy
    jobs: tuple[ArrayJob, ...]
    replaced: Mapping[str, bytes]
    roots: tuple[str, ...]
    run: str
    max_mem: int
    parallelism: Parallelism
    nodes: tuple[tuple[StorePath, str | None], ...]
    temp: StorePath | None = None
    settings: Mapping[str, Any] | None = None
    again: bool = False

    def specs(self, *, verify: bool = False) -> Iterator[CopySpec]:
        """Yield one copy spec per array, and last the one that starts and finishes the whole.

        Parameters
        ----------
        verify
            Whether to publish only what is proven to be equal to the source.
        """
        start, finish = self.ends(verify=verify)
        number = sha256(identity_of(self.place).encode()).hexdigest()[:6]
        named = {"title": self.title, "target_id": number}
        nothing = Stage("nothing", 0, Start((), Sources()))
        longest = 0
        for spec in self.copying(verify=verify):
            longest = max(longest, len(spec.stages))
            yield replace(spec, stages=(nothing, *spec.stages), **named)
        yield CopySpec("", (start, *[nothing] * longest, finish), **named)

    @property
    def title(self) -> str:
        """What the plan is called: the names of the source, where it has one, and the target."""
        names = [*map(name_of, self.hierarchy.origins[:1]), name_of(self.place)]
        return " to ".join(names)

    @property
    def seconds(self) -> float:
        """Modelled time of all arrays together, which share the workers, in seconds."""
        sizes = [job.request.source.nbytes for job in self.jobs]
        shares = [self.parallelism.share(nbytes, sum(sizes)).workers for nbytes in sizes]
        costs = [job.plan.cost for job in self.jobs]
        work = sum(cost * share for cost, share in zip(costs, shares, strict=True))
        return max([work / self.parallelism.workers, *costs])

    def copying(self, *, verify: bool) -> Iterator[CopySpec]:
        """Yield one copy spec per array, without what comes before and after."""
        settings = changed_settings() if self.settings is None else self.settings
        for job in self.jobs:
            yield job.spec(self._journals(job), settings, verify=verify)

    def recorded(self, *, verify: bool) -> tuple[tuple[RecordedStage, ...], ...]:
        """Return what is needed to know which tasks are done, for the stages of each array."""
        return tuple(job.recorded(self._journals(job), verify=verify) for job in self.jobs)

    def ends(self, *, verify: bool) -> tuple[Stage, Stage]:
        """Return the first and the last stage of the whole: claim and clear, and publish."""
        roots, documents, consolidated = self._to_publish()
        sources = self._sources()
        finish = self._finish(roots, sources, documents, consolidated)
        if verify:
            finish = replace(finish, checks=tuple(checks_of(self.place, self.jobs, self._journals)))
        temp = None if isinstance(self.place.store, SessionStore) else self._temp_claim()
        begin = Start(roots, sources, self._apart(), self._resumption(verify), temp)
        return Stage("start", 1, begin), Stage("finish", 1, finish)

    def _to_publish(
        self,
    ) -> tuple[tuple[Root, ...], tuple[Documents, ...], tuple[StorePath, ...]]:
        """Return what the last task publishes: roots, documents, and groups to consolidate.

        That is nothing in a session, where all of it has to be there before the chunks.
        """
        if isinstance(self.place.store, SessionStore):
            return (), (), ()
        published = self._published()
        documents = tuple(published.documents())
        roots = tuple(self._roots(dict(chain.from_iterable(documents))))
        return roots, documents, tuple(published.consolidated())

    def _root_of(self, name: str) -> str:
        return name if name in self.roots else ""

    def claim(self, root: str) -> Claim | None:
        """Return the claim of this run on a root; None if the store cannot hold one."""
        place = self.place / root
        return Claim(place.store, place.path, self.run) if holds_claims(place.store) else None

    @property
    def journal(self) -> Journal | None:
        """The journal of the run; None if the target can hold none."""
        claim = self.claim(self.roots[0]) if self.roots else None
        return None if claim is None else Journal(claim.place)

    def _journals(self, job: ArrayJob) -> Journals:
        """Return what returns the journal of each stage of an array."""
        claim, journal = self.claim(self._root_of(job.name)), self.journal

        def of_stage(number: int) -> StageJournal | None:
            if claim is None or journal is None:
                return None
            return journal.stage(claim, job.fingerprint, number)

        return of_stage

    def facts(self, *, verify: bool) -> Mapping[str, Any]:
        """Return what makes this plan the plan it is."""
        facts = facts_of(self.place, self.hierarchy, self.jobs, self.max_mem, self.parallelism)
        return {**facts, "verify": verify}

    def _resumption(self, verify: bool) -> Resumption | None:
        if self.journal is None:
            return None
        facts = self.facts(verify=verify)
        return Resumption(self.journal, facts, self.recorded(verify=verify))

    @contextmanager
    def held(self, *, resume: bool = False) -> Iterator[None]:
        """Claim the target for this process within a context.

        Parameters
        ----------
        resume
            Whether to go on with what an earlier run has left.
        """
        with ExitStack() as stack:
            if isinstance(self.place.store, SessionStore):
                published, temp = self._published(), self._temp_claim()
                stack.enter_context(in_session(self.place.store, published, self._roots, temp))

            def hold(root: str) -> None:
                if (claim := self.claim(root)) is not None:
                    overwrite = self._may_replace(root)
                    stack.enter_context(claim.held(overwrite=overwrite, resume=resume))

            ordered = sorted(self.roots)  # of two runs, one gets the first of those they share
            for roots in (ordered[:1], ordered[1:]):
                side_by_side(self.place.store, hold, roots)
            yield

    def gather(self, changes: Iterable[Changes]) -> None:
        """Give the session of the target what tasks have written, before this process lets it go.

        Parameters
        ----------
        changes
            What tasks in other processes have written.
        """
        if isinstance(self.place.store, SessionStore):
            stages = dict(job.writing for job in self.jobs)
            end_session(self.place.store, changes, stages, [job.name for job in self.jobs])

    def _may_replace(self, root: str) -> bool:
        return bool({"", root} & self.hierarchy.overwrite)

    def _roots(self, documents: Mapping[str, bytes]) -> Iterator[Root]:
        for root in self.roots:
            place = self.place / root
            names = ("zarr.json", ".zarray", ".zgroup")
            (key,) = (key for name in names if (key := (place / name).path) in documents)
            below = documents if root == "" else (key,)  # nothing is below an array
            yield Root(
                place=place,
                arrays=tuple(
                    self.place / job.name for job in self.jobs if self._root_of(job.name) == root
                ),
                planned=self.replaced.get(root),
                digest=digest_of(documents[key]),
                own=frozenset(key for key in below if is_node(key) and is_below(key, place)),
                overwrite=self._may_replace(root),
                claim=self.claim(root),
                journal=self.journal,
                again=self.again,
            )

    def _apart(self) -> Apart:
        """Return the check that sources, target and temp place are different places."""
        read = [job.request.source.reader.stored for job in self.jobs]
        there = {digest_of(metadata) for metadata in self.replaced.values()}
        alike = [StorePath(a.store, a.path) for a in read if a is not None and a.digest in there]
        origins = outermost(self.hierarchy.origins)
        return Apart(self.run, self.place, origins, tuple(alike), self._temp_folder())

    def _published(self) -> Published:
        documents = {job.name: job.request.document for job in self.jobs}
        return Published(self.place, self.hierarchy, documents, "" in self.roots)

    def _finish(
        self,
        roots: tuple[Root, ...],
        sources: Sources,
        documents: tuple[Documents, ...],
        consolidated: tuple[StorePath, ...],
    ) -> Finish:
        temp = self._temp_folder()
        return Finish(
            self.place.store,
            roots,
            sources,
            documents,
            consolidated,
            temp and temp[1],
            self.temp,
            self.journal,
        )

    def _temp_folder(self) -> tuple[StorePath, StorePath] | None:
        """Return the temp place, and the folder in it that this plan alone uses."""
        temps = (job.temp for job in self.jobs if job.temp is not None)
        return next(((temp.path, temp.path / temp.folder) for temp in temps), None)

    def _temp_claim(self) -> Claim | None:
        """Return the claim on the folder of temporary objects; None if there are none."""
        temp = self._temp_folder()
        return None if temp is None else Claim(temp[1].store, temp[1].path, self.run)

    def _sources(self) -> Sources:
        readers = (job.request.source.reader for job in self.jobs)
        arrays = tuple(reader.stored for reader in readers if reader.stored is not None)
        checked = {(id(a.store), a.path, a.digest) for a in arrays}
        nodes = (n for n in self.nodes if (id(n[0].store), n[0].path, n[1]) not in checked)
        return Sources(tuple(nodes), arrays)

    def target(self) -> zarr.Array[Any] | zarr.Group:
        """Return a handle of the target, which need not exist yet."""
        if self.hierarchy.groups is None:
            return array_from_document(self.jobs[0].request.document, self.place)
        document: dict[str, Any] = {"zarr_format": self.hierarchy.zarr_format}
        if self.hierarchy.zarr_format == 3:
            document["node_type"] = "group"
        document["attributes"] = dict(self.hierarchy.groups[""]["attributes"])
        return zarr.Group(zarr.AsyncGroup.from_dict(self.place, document))

    def open(self) -> zarr.Array[Any] | zarr.Group:
        """Open the target, which must exist."""
        with quiet():
            return retried(self.place.store, self._open)

    def _open(self) -> zarr.Array[Any] | zarr.Group:
        place, store = self.place, self.place.store
        if isinstance(store, SessionStore):
            place = StorePath(store.inner, place.path)
        mode: Any = "r" if place.read_only else "r+"  # a session that was committed
        if self.hierarchy.groups is None:
            return zarr.open_array(place, mode=mode)
        return zarr.open_group(place, mode=mode, use_consolidated=False)
