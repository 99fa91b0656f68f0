"""The flow every preparer shares: find, check, convert, split, write as a whole.

Not here: what one data set looks like; see ``cranium``. Conversion runs in threads:
image codecs and hashing release the interpreter lock (measured 2.0 times faster on
two cores), and a killed run leaves no orphaned processes behind.
"""

import errno
import json
import logging
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

from mmmed.files import hash_json, write_json_atomic
from mmmed.preparation.existing import MANIFEST, SUMMARY, find_same
from mmmed.preparation.findings import (
    Finding,
    InputError,
    SourceError,
    check_folders,
    stop_if_strict,
)
from mmmed.preparation.partition import Partition
from mmmed.preparation.parts import Outcome, Plan, Task
from mmmed.preparation.shards import (
    Shard,
    adopt_shards,
    discard_shards,
    publish_shard,
)
from mmmed.preparation.storage import SliceStorage, Storage, is_whole
from mmmed.preparation.summary import (
    count_parts,
    count_strata,
    format_findings,
    format_parts,
)
from mmmed.preparation.work import Work
from mmmed.preparation.workspace import Workspace, discard_leftovers, recover
from mmmed.structures import Manifest
from mmmed.structures.manifest import SCHEMA_VERSION

logger = logging.getLogger('mmmed.preparation')


class BasePreparer(ABC):
    """Turns a raw download into a prepared folder with a manifest.

    A subclass says what the raw folder holds (:meth:`discover`), how one task becomes
    slices or volumes (:meth:`convert`), which of the two (``storage``) and what its
    cases are called and worth (:meth:`accept`, :meth:`describe`, :meth:`review`,
    :meth:`summarize`). "Record" is what its storage keeps of one of them.

    Writes the files of its storage, ``manifest.json`` and ``summary.json``; all at
    once, or nothing.

    Args:
        val_ratio: Share of patients on the validation side of the hold-out split.
        val_patients: Validate exactly these instead; empty for a drawn split.
        num_folds: Cross-validation folds, >= 2.
        seed: Of split and folds, >= 0.
        folds_on: ``'all'`` patients are in a fold, or only those on the ``'train'``
            side of the hold-out split.
    """

    name: ClassVar[str]
    classes: tuple[str, ...]
    help: ClassVar[str] = ''
    storage: ClassVar[Storage] = SliceStorage()
    version: ClassVar[int] = 1
    """Raised when the same raw data and options give another output than before."""

    def __init__(
        self,
        *,
        val_ratio: float = 0.2,
        val_patients: Sequence[str] = (),
        num_folds: int = 5,
        seed: int = 0,
        folds_on: str = 'all',
    ) -> None:
        self.partition = Partition(
            val_ratio=val_ratio,
            val_patients=[self.name_patient(p) for p in val_patients],
            num_folds=num_folds,
            seed=seed,
            folds_on=folds_on,
        )

    @classmethod
    def add_arguments(cls, add: Callable[..., Any]) -> None:
        """Options of the subject on the command line, named as in the constructor.

        Args:
            add: ``ArgumentParser.add_argument`` of the subject.
        """
        return

    @abstractmethod
    def discover(self, raw: Path) -> Plan:
        """Find the tasks of a raw folder; opens tables, but no image.

        Raises:
            InputError: The folder is not such a download.
        """

    @abstractmethod
    def convert(self, task: Task) -> Sequence[Any]:
        """Read and convert the sources of one task; runs in several threads.

        Returns:
            Items for the storage: ``Slice`` or ``VolumeItem``.

        Raises:
            SourceError: The sources cannot be used.
        """

    @abstractmethod
    def accept(self, record: Any, plan: Plan) -> Mapping[str, Any] | Finding:
        """Extra manifest columns of a converted item, or why it is left out."""

    @abstractmethod
    def describe(self, plan: Plan) -> Mapping[str, Any]:
        """Facts for the manifest's ``metainfo``: at least ``channels``."""

    def describe_records(self, records: Sequence[Any]) -> Mapping[str, Any]:
        """Facts for ``metainfo`` that only the converted images tell."""
        return {}

    def describe_cases(self, cases: Sequence[Any]) -> Mapping[str, Any]:
        """Further facts for ``metainfo`` that only the accepted cases tell."""
        return {}

    def conversion_options(self) -> Mapping[str, Any]:
        """Options that change pixels; converted files are reused if they agree."""
        return {}

    def name_patient(self, name: str) -> str:
        """Patient id for a name as a user may write it."""
        return name

    def takes_part(self, task: Task) -> bool:
        """Whether the patient of a task is split; else the case is a ``'test'``."""
        return True

    def stratify(self, records: Sequence[Any]) -> dict[str, Any]:
        """Strata of each patient that is split: with and without foreground.

        See :data:`mmmed.preparation.splits.Strata` for what they may be.
        """
        strata = {record.patient_id: 'negative' for record in records}
        strata |= {r.patient_id: 'positive' for r in records if r.foreground_pixels}
        return strata

    def review(self, plan: Plan, cases: Sequence[Any]) -> Sequence[Finding]:
        """Oddities of the accepted cases."""
        return []

    def place_cases(
        self, cases: Sequence[Any], strata: Mapping[str, Any]
    ) -> Sequence[Any]:
        """The same cases, with what else the partition of patients says of them.

        Args:
            cases: With split and fold.
            strata: Of each patient that is split, see :meth:`stratify`.
        """
        return cases

    def summarize(
        self, plan: Plan, records: Sequence[Any], cases: Sequence[Any]
    ) -> Mapping[str, Any]:
        """Further counts for ``summary.json``."""
        return {}

    def format_facts(self, summary: Mapping[str, Any]) -> list[str]:
        """What :meth:`summarize` added, as text lines."""
        return []

    def count(self, cases: Sequence[Any]) -> Mapping[str, Any]:
        """``splits`` and ``folds`` of ``summary.json``."""
        return count_parts(cases, self.partition.num_folds)

    def format_counts(self, summary: Mapping[str, Any]) -> list[str]:
        """Table of :meth:`count` as text lines."""
        return format_parts(summary)

    def export(
        self, out: Path, *, workers: int, overwrite: bool, quiet: bool
    ) -> list[str]:
        """Write the prepared folder once more in another form, if that was wished.

        Returns:
            What was written where, as text lines.
        """
        return []

    def format_summary(self, summary: Mapping[str, Any]) -> str:
        """The whole summary as text for a terminal."""
        lines = format_findings(summary['findings'])
        if 'splits' in summary:  # a part of the work has no split yet
            counts = self.format_counts(summary)
            lines = [*counts, *self.format_facts(summary), *lines]
        return '\n'.join(lines)

    def prepare(
        self,
        raw: str | Path,
        out: str | Path,
        *,
        workers: int = 1,
        strict: bool = False,
        overwrite: bool = False,
        dry_run: bool = False,
        quiet: bool = False,
        num_parts: int = 1,
        part_id: int | None = None,
        merge: bool = False,
    ) -> Outcome:
        """Prepare a raw folder; the output folder appears whole or not at all.

        Args:
            raw: Raw download; only ever read.
            out: Output folder. One with the same content is left as it is.
            workers: Threads that convert; the result does not depend on it.
            strict: Make every finding an error.
            overwrite: Replace an output of other options or other raw data.
            dry_run: Read and check everything, write nothing.
            quiet: Show no progress.
            num_parts: Machines that share the work; each converts its part into a
                folder beside ``out``.
            part_id: Which part this is, from 0; None with one part or to merge.
            merge: Put the parts together; nothing is converted any more.

        Raises:
            InputError: The call or the raw data is wrong, or the output cannot be
                written. The output folder is as it was before.
        """
        if workers < 1:
            raise InputError(f'--workers is {workers}, expected 1 or more')
        shard = Shard.check(num_parts, part_id, merge=merge)
        raw, out = check_folders(raw, out)
        plan = self._discover(raw)
        stop_if_strict(plan.findings, strict)
        patients = {t.patient_id for t in plan.tasks if self.takes_part(t)}
        self._check_patients(patients, raw, plan.findings)
        work = Work(plan, workers, strict, quiet)
        if part_id is not None:
            return self._convert_part(work, out, shard)
        hashes = work.hash_sources()
        metainfo = self._make_metainfo(plan, hashes)
        if not dry_run:
            recover(out)
        if find_same(out, metainfo, overwrite):
            if not dry_run:
                discard_leftovers(out)
            summary = json.loads((out / SUMMARY).read_text(encoding='utf-8'))
            exported = self.export(
                out, workers=workers, overwrite=overwrite, quiet=quiet
            )
            return Outcome('unchanged', out, summary, exported=exported)
        if dry_run:
            records = self._convert_all(work, hashes, None, {})
            return Outcome('checked', out, self._split(work, records, metainfo)[1])
        outcome = self._write(work, hashes, metainfo, out, shard)
        exported = self.export(out, workers=workers, overwrite=overwrite, quiet=quiet)
        return replace(outcome, exported=exported)

    def _discover(self, raw: Path) -> Plan:
        try:
            return self.discover(raw)
        except OSError as error:
            raise InputError(
                f'{raw}: cannot be read ({error}); check its permissions'
            ) from error

    def _write(
        self,
        work: Work,
        hashes: Mapping[Path, str],
        metainfo: Mapping[str, Any],
        out: Path,
        shard: Shard,
    ) -> Outcome:
        space = Workspace(out)
        keep = False
        try:
            journal = space.open()
            try:
                if shard.merge:
                    adopt_shards(space, journal, shard, [t.name for t in work.tasks])
                    keep = True  # of a merge that fails, the parts must not be lost
                records = self._convert_all(work, hashes, space, journal)
                manifest, summary = self._split(work, records, metainfo)
                space.assemble(self.storage.plan_links(manifest))
                manifest.write(space.dataset / MANIFEST)
                write_json_atomic(space.dataset / SUMMARY, summary)
                space.publish()
                if shard.merge:
                    discard_shards(out, shard)
            except KeyboardInterrupt:
                keep = True
                logger.info('finished files are kept in %s', space.folder)
                raise
            finally:
                space.close(remove=not keep)
        except OSError as error:
            raise InputError(_explain(error, out)) from error
        return Outcome('written', out, summary, work.reused)

    def _convert_part(self, work: Work, out: Path, shard: Shard) -> Outcome:
        """Convert the tasks of one part into a folder of its own, for a merge."""
        work.tasks = shard.choose(work.tasks)
        hashes = work.hash_sources()
        space = Workspace(shard.name_folder(out))
        try:
            with publish_shard(space) as journal:
                self._convert_all(work, hashes, space, journal)
        except OSError as error:
            raise InputError(_explain(error, out)) from error
        summary = {'findings': [finding.to_dict() for finding in work.findings]}
        return Outcome('part', space.out, summary, work.reused)

    def _convert_all(
        self,
        work: Work,
        hashes: Mapping[Path, str],
        space: Workspace | None,
        journal: Mapping[str, Mapping[str, Any]],
    ) -> list[Any]:
        options = [self.name, self.version, dict(self.conversion_options())]

        def run(task: Task) -> tuple[dict[str, Any], bool] | Finding:
            sources = {role: hashes[path] for role, path in task.sources.items()}
            key = hash_json([options, task.name, task.patient_id, sources])
            entry = journal.get(task.name)
            if (
                space
                and entry
                and entry.get('key') == key
                and is_whole(entry, space, self.storage)
            ):
                return dict(entry), True
            try:
                items = self.convert(task)
            except SourceError as error:
                return error.to_finding(work.plan.root)
            records = [self.storage.store(item, space) for item in items]
            return {'task': task.name, 'key': key, 'records': records}, False

        records: list[Any] = []
        with closing(work.map('Converting', run, work.tasks)) as results:
            for result in results:
                if isinstance(result, Finding):
                    work.report(result)
                    continue
                entry, reused = result
                work.reused += reused
                if space and not reused:
                    space.append(entry)
                records += [self.storage.load(item) for item in entry['records']]
        if work.reused:
            logger.info(
                'took over %d of %d from an interrupted run',
                work.reused,
                len(work.tasks),
            )
        return records

    def _split(
        self, work: Work, records: Sequence[Any], metainfo: Mapping[str, Any]
    ) -> tuple[Manifest, dict[str, Any]]:
        extras: dict[str, Mapping[str, Any]] = {}
        for record in records:
            accepted = self.accept(record, work.plan)
            if isinstance(accepted, Finding):
                work.report(accepted)
            else:
                extras[record.case_id] = accepted
        records = [record for record in records if record.case_id in extras]
        strata = self.stratify(records)
        self._check_patients(set(strata), work.plan.root, work.findings)
        sides = self.partition.assign(strata)
        cases = tuple(
            self.storage.make_case(
                record,
                *sides.get(record.patient_id, ('test', None)),
                extras[record.case_id],
            )
            for record in records
        )
        cases = tuple(self.place_cases(cases, strata))
        facts = {**self.describe_records(records), **self.describe_cases(cases)}
        manifest = Manifest({**metainfo, **facts}, cases)
        manifest.validate()
        for finding in self.review(work.plan, cases):
            work.report(finding)
        summary = {
            'schema_version': 1,
            'dataset': self.name,
            **self.count(cases),
            'strata': count_strata(strata),
            **self.summarize(work.plan, records, cases),
            'findings': [finding.to_dict() for finding in work.findings],
        }
        return manifest, summary

    def _check_patients(
        self, patients: set[str], raw: Path, findings: Sequence[Finding]
    ) -> None:
        if not patients:
            first = f'first problem: {findings[0]}' if findings else 'fetch it again'
            raise InputError(f'{raw}: holds no usable image; {first}')
        self.partition.check(patients, raw)

    def _make_metainfo(self, plan: Plan, hashes: Mapping[Path, str]) -> dict[str, Any]:
        metainfo = {
            'schema_version': SCHEMA_VERSION,
            'dataset': self.name,
            'task': 'segmentation',
            **({'classes': list(self.classes)} if self.classes else {}),
            **self.describe(plan),
            **self.partition.to_dict(),
            'preparer_version': self.version,
        }
        sources = {p.relative_to(plan.root).as_posix(): h for p, h in hashes.items()}
        skipped = sorted(f.path for f in plan.findings if f.skipped)
        fingerprint = hash_json([metainfo, sources, skipped])
        return {**metainfo, 'fingerprint': fingerprint}


def _explain(error: OSError, out: Path) -> str:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return (
            f'{out}: no space left on its disk; nothing was kept, free some or choose '
            'another --out'
        )
    return (
        f'{out}: cannot be written ({error}); check the folder or choose another --out'
    )
