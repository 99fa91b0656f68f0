"""The folder beside the output in which a preparation is built, until it is whole.

Not here: what is converted, or how. A killed run leaves the folder; the next one with
the same output finds its finished files by their hashes and goes on.
"""

import contextlib
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO

from mmmed.files import hash_file
from mmmed.preparation.findings import InputError

try:
    import fcntl
except ImportError:  # Windows: two runs at once are then the user's to avoid
    fcntl = None  # type: ignore[assignment]

# The allocation unit of common file systems.
_BLOCK = 4096
_ZEROS = bytes(_BLOCK)


class Workspace:
    """Files and journal of one unfinished preparation.

    Args:
        out: Absolute output folder that the finished work will become.
    """

    def __init__(self, out: Path) -> None:
        self.out = out
        self.folder = out.parent / f'.{out.name}.partial'
        self.files = self.folder / 'files'
        self.dataset = self.folder / 'dataset'
        self._aside = out.parent / f'.{out.name}.old'
        self._journal_path = self.folder / 'journal.jsonl'
        self._journal: BinaryIO | None = None
        self._lock: BinaryIO | None = None

    def open(self) -> dict[str, dict[str, Any]]:
        """Lock the folder and read what an earlier run finished.

        Returns:
            Journal entries by task name.

        Raises:
            InputError: Another run is preparing the same output.
            OSError: The folder cannot be made.
        """
        self.files.mkdir(parents=True, exist_ok=True)
        # Both stay open until close(): a lock lasts as long as its file.
        self._lock = (self.folder / 'lock').open('ab')
        if fcntl is not None:
            try:
                fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                self._lock.close()
                self._lock = None
                raise InputError(
                    f'{self.out}: another run is preparing it; wait until it ends'
                ) from error
        entries = dict(self.read_journal(self.folder))
        self._journal = self._journal_path.open('ab')
        self._journal.write(b'\n')  # a line that a kill cut off ends here
        return entries

    @staticmethod
    def read_journal(folder: Path) -> Iterator[tuple[str, dict[str, Any]]]:
        """Task name and entry of every whole line of a folder's journal."""
        path = folder / 'journal.jsonl'
        if not path.exists():
            return
        for line in path.read_bytes().splitlines():
            with contextlib.suppress(ValueError, KeyError, TypeError):
                entry = json.loads(line)
                yield entry['task'], entry

    def append(self, entry: Mapping[str, Any]) -> None:
        """Note one finished task; its files must be written already."""
        assert self._journal is not None
        self._journal.write(json.dumps(entry).encode() + b'\n')
        self._journal.flush()

    def write(self, name: str, data: bytes) -> None:
        """Write one converted file; the journal's hash guards against half files."""
        write_sparse(self.files / name, data)

    def holds(self, name: str, sha256: str) -> bool:
        """Whether an earlier run wrote exactly this file."""
        path = self.files / name
        return path.is_file() and hash_file(path) == sha256

    def assemble(self, links: Mapping[str, str]) -> None:
        """Lay out the data set: converted file name to place in the output.

        Links where the file system can, so that a kill leaves the converted files
        for the next run and no second copy is made.
        """
        shutil.rmtree(self.dataset, ignore_errors=True)
        for name, place in links.items():
            target = self.dataset / place
            target.parent.mkdir(parents=True, exist_ok=True)
            try:
                os.link(self.files / name, target)
            except OSError:
                shutil.copyfile(self.files / name, target)

    def publish(self) -> None:
        """Put the assembled data set in the place of the output, as a whole."""
        if self.out.exists():
            self.out.rename(self._aside)
        try:
            self.dataset.rename(self.out)
        except OSError:
            recover(self.out)
            raise
        shutil.rmtree(self._aside, ignore_errors=True)
        self.close(remove=True)

    def close(self, *, remove: bool) -> None:
        """Unlock; ``remove`` also deletes everything that was not published."""
        for stream in (self._journal, self._lock):
            if stream is not None:
                with contextlib.suppress(OSError):  # a full disk fails here again
                    stream.close()
        self._journal = self._lock = None
        if remove:
            shutil.rmtree(self.folder, ignore_errors=True)


def write_sparse(path: Path, data: bytes) -> None:
    """Write a file with holes where whole blocks are zero.

    The air around a head and most of a lesion mask then take no space on file systems
    that know holes; the content is the same on all.
    """
    view = memoryview(data)
    with path.open('wb') as stream:
        for start in range(0, len(data), _BLOCK):
            block = view[start : start + _BLOCK]
            if block == _ZEROS[: len(block)]:
                stream.seek(start + len(block))
            else:
                stream.write(block)
        stream.truncate(len(data))


def discard_leftovers(out: Path) -> None:
    """Remove what a run left that was killed after it had published."""
    space = Workspace(out)
    if space.folder.exists():
        with contextlib.suppress(InputError):  # another run is at work there
            space.open()
            space.close(remove=True)


def recover(out: Path) -> None:
    """Undo a replacement that was killed between its two renames."""
    aside = out.parent / f'.{out.name}.old'
    if aside.exists() and not out.exists():
        aside.rename(out)
    elif aside.exists():
        shutil.rmtree(aside)
