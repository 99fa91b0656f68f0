"""One preparation on several machines: parts, and putting them together.

Each machine converts every n-th task into a folder beside the output; a merge takes
the finished files over as if an interrupted run had left them, so that one flow makes
the same bytes either way.
"""

import contextlib
import os
import shutil
from collections.abc import Iterator, Mapping, MutableMapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mmmed.preparation.findings import InputError
from mmmed.preparation.parts import Task
from mmmed.preparation.workspace import Workspace


@dataclass(frozen=True)
class Shard:
    """Which part of the work this run does.

    Args:
        num_parts: How many there are, 1 for an undivided run.
        part_id: Which one, from 0; None for an undivided run and for a merge.
        merge: Whether the parts are put together.
    """

    num_parts: int = 1
    part_id: int | None = None
    merge: bool = False

    @classmethod
    def check(cls, num_parts: int, part_id: int | None, *, merge: bool) -> 'Shard':
        """Shard of a call.

        Raises:
            InputError: The three do not fit together.
        """
        if num_parts < 1:
            raise InputError(f'--num-parts is {num_parts}, expected 1 or more')
        if merge and part_id is not None:
            raise InputError('--merge puts all parts together; leave --part-id away')
        if part_id is not None and not 0 <= part_id < num_parts:
            raise InputError(f'--part-id is {part_id}, expected 0 to {num_parts - 1}')
        if num_parts > 1 and part_id is None and not merge:
            raise InputError(
                f'--num-parts {num_parts}: say which part with --part-id, or put the '
                'finished ones together with --merge'
            )
        return cls(num_parts, part_id, merge)

    def choose(self, tasks: Sequence[Task]) -> list[Task]:
        """Tasks of this part; every n-th, so that parts are about equally long."""
        return list(tasks[self.part_id :: self.num_parts])

    def name_folder(self, out: Path, part_id: int | None = None) -> Path:
        """Folder of a part, beside the output."""
        number = self.part_id if part_id is None else part_id
        return out.with_name(f'{out.name}.part-{number}-of-{self.num_parts}')


@contextlib.contextmanager
def publish_shard(space: Workspace) -> Iterator[Mapping[str, Mapping[str, Any]]]:
    """Work in the folder of a part; it is there under its own name once it is whole.

    Yields:
        What an earlier run of the same part finished.
    """
    if space.out.exists() and not space.folder.exists():
        if not (space.out / 'journal.jsonl').is_file():
            raise InputError(f'{space.out}: is no part of a preparation; move it away')
        space.out.rename(space.folder)
    journal = space.open()
    try:
        yield journal
    finally:
        space.close(remove=False)
    if space.out.exists():
        shutil.rmtree(space.out)
    space.folder.rename(space.out)


def adopt_shards(
    space: Workspace,
    journal: MutableMapping[str, dict[str, Any]],
    shard: Shard,
    tasks: Sequence[str],
) -> None:
    """Take over the finished files of all parts.

    Args:
        space: Open workspace of the merge.
        journal: Its entries by task name; grows.
        shard: How many parts there are.
        tasks: Names of all tasks, in order.

    Raises:
        InputError: A part is missing or not finished.
    """
    out = space.out
    for part_id in range(shard.num_parts):
        folder = shard.name_folder(out, part_id)
        if not folder.is_dir():
            raise InputError(
                f'{folder}: no such part; run it with --num-parts {shard.num_parts} '
                f'--part-id {part_id}, or copy it here'
            )
        for name, entry in dict(Workspace.read_journal(folder)).items():
            if name in tasks and name not in journal:
                journal[name] = entry
                space.append(entry)
        for path in (folder / 'files').iterdir():
            target = space.files / path.name
            if target.exists():
                continue
            try:
                os.link(path, target)
            except OSError:
                shutil.copyfile(path, target)


def discard_shards(out: Path, shard: Shard) -> None:
    """Remove the parts of a merge that has succeeded."""
    for part_id in range(shard.num_parts):
        folder = shard.name_folder(out, part_id)
        if (folder / 'journal.jsonl').is_file():
            shutil.rmtree(folder, ignore_errors=True)
