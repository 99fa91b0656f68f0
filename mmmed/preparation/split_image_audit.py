"""The same image on two sides of a split, under whatever names.

Not here: how images are read and compared (``split_images``).
"""

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import numpy as np

from mmmed.io import VOLUME_SUFFIXES, find_suffix
from mmmed.preparation.findings import InputError
from mmmed.preparation.split_images import Fingerprint, find_near, take_fingerprint
from mmmed.preparation.split_rows import MAX_SHOWN, AuditRows
from mmmed.preparation.split_table import Table
from mmmed.progress import Progress
from mmmed.structures.manifest_rules import check_relative_path

PATH_COLUMN = 'img_path'
Pair = tuple[int, int]


def find_images(rows: AuditRows, root: Path) -> dict[int, Path]:
    """Image of each row; rows without one become a finding.

    Args:
        rows: With a column ``img_path`` (of volumes, ``img_paths.<sequence>``, the
            first) relative to ``root``; without one, the image of a case is the file
            (or folder of DICOM files) with its name.
        root: Folder of the images.

    Raises:
        InputError: No such folder, or two files with the name of a case.
    """
    if not root.is_dir():
        raise InputError(f'{root}: no such folder; --images names that of the images')
    column = find_path_column(rows.table)
    pairs = _find_by_path(rows, root, column) if column else _find_by_name(rows, root)
    found = dict(pairs)
    absent = [name for i, name in enumerate(rows.names) if i not in found]
    if absent:
        rows.add(
            'damage',
            f'{len(absent)} image(s) are not in {root}, first that of case '
            f'{absent[0]}; they were not compared',
        )
    return found


def find_path_column(table: Table) -> str | None:
    """Column that names the image of each row, None without one."""
    names = (PATH_COLUMN, *(c for c in table.columns if c.startswith('img_paths.')))
    return next((name for name in names if name in table.columns), None)


def _find_by_path(
    rows: AuditRows, root: Path, column: str
) -> Iterator[tuple[int, Path]]:
    refused = []
    for index, value in enumerate(rows.table.column(column)):
        try:
            # The table may come from a stranger: nothing outside the folder is read.
            check_relative_path(value)
        except ValueError as error:
            refused.append(f'case {rows.names[index]}: {error}')
            continue
        if (root / value).exists():
            yield index, root / value
    if refused:
        rows.add('damage', f'{len(refused)} path(s) were refused, first {refused[0]}')


def _find_by_name(rows: AuditRows, root: Path) -> Iterator[tuple[int, Path]]:
    files: dict[str, list[Path]] = {}
    for path in sorted(root.rglob('*')):
        if path.name.lower().endswith('.dcm'):
            series = files.setdefault(path.parent.name, [])
            if path.parent not in series:
                series.append(path.parent)
        elif path.name.lower().endswith(VOLUME_SUFFIXES) and path.is_file():
            stem = path.name[: -len(find_suffix(path))]
            files.setdefault(stem, []).append(path)
    for index, name in enumerate(rows.names):
        matches = files.get(name, [])
        if len(matches) > 1:
            raise InputError(
                f'{root}: case {name!r} may be {matches[0]} or {matches[1]}; name '
                f'the folder of the images alone, or add a column {PATH_COLUMN!r}'
            )
        if matches:
            yield index, matches[0]


def check_images(
    rows: AuditRows,
    paths: Mapping[int, Path],
    *,
    similarity: float | None,
    workers: int,
    quiet: bool,
) -> None:
    """Read all images and report those that are equal, or alike, on two sides.

    Args:
        rows: The split.
        paths: Image of each row, by index.
        similarity: Least correlation of images that look alike; None looks for equal
            ones only.
        workers: Threads.
        quiet: Show no progress.
    """

    def read(path: Path) -> Fingerprint:
        return take_fingerprint(path, with_thumb=similarity is not None)

    prints: dict[int, Fingerprint] = {}
    with (
        Progress('Comparing', len(paths), 'image', quiet=quiet) as progress,
        ThreadPoolExecutor(max(workers, 1)) as pool,
        ExitStack() as stack,
    ):
        futures = [pool.submit(read, path) for path in paths.values()]
        # Ctrl-C must not wait for what has not begun.
        stack.callback(lambda: [future.cancel() for future in futures])
        for index, future in zip(paths, futures, strict=True):
            prints[index] = future.result()
            progress.step()
    if broken := [p.problem for p in prints.values() if p.problem]:
        rows.add(
            'damage',
            f'{len(broken)} image(s) cannot be decoded and were compared by their '
            f'bytes only, first {broken[0]}',
        )
    if blank := [i for i, p in prints.items() if p.is_constant]:
        rows.add('note', f'{len(blank)} image(s) of a single value were not compared')
        prints = {i: p for i, p in prints.items() if not p.is_constant}
    check_alike(rows, 'bytes', {i: p.sha256 for i, p in prints.items() if p.sha256})
    # Equal bytes are reported once, as bytes.
    files = {i: p.sha256 for i, p in prints.items()}
    pixels = {i: p.pixels for i, p in prints.items() if p.pixels}
    check_alike(rows, 'pixels', pixels, files)
    if similarity is not None:
        _check_near(rows, prints, similarity)


def check_alike(
    rows: AuditRows,
    what: str,
    hashes: Mapping[int, str],
    known: Mapping[int, str | None] | None = None,
) -> None:
    """Report images with equal hashes.

    Args:
        rows: The split.
        what: What is hashed, in a word.
        hashes: By index.
        known: Hashes whose equality was reported before, by index.
    """
    first: dict[str, int] = {}
    crossing: list[Pair] = []
    doubles: list[Pair] = []
    repeats = 0
    for index, value in hashes.items():
        other = first.setdefault(value, index)
        if other == index or (known and known[other] and known[other] == known[index]):
            continue
        if rows.place(other) != rows.place(index):
            crossing.append((other, index))
        elif rows.owners[other] != rows.owners[index]:
            doubles.append((other, index))
        else:
            repeats += 1
    same = f'have the same {what}'
    _report(rows, 'overlap', crossing, f'{same} on two sides; keep one of them')
    _report(rows, 'warning', doubles, f'{same} under two patients; look at them')
    if repeats:
        rows.add(
            'note', f'{repeats} image(s) repeat the {what} of another of the patient'
        )


def _check_near(
    rows: AuditRows, prints: Mapping[int, Fingerprint], similarity: float
) -> None:
    """Report similar, but not equal, images on different sides."""
    places = sorted({rows.place(index) for index in prints})
    by_size: dict[int, list[int]] = {}
    thumbs = {i: p.thumb for i, p in prints.items() if p.thumb is not None}
    for index, thumb in thumbs.items():
        by_size.setdefault(len(thumb), []).append(index)
    pairs: list[tuple[float, Pair]] = []
    for members in by_size.values():
        sides = np.array([places.index(rows.place(i)) for i in members])
        near = find_near(np.stack([thumbs[i] for i in members]), sides, similarity)
        for a, b, score in near:
            one, other = members[a], members[b]
            if prints[one].pixels != prints[other].pixels:
                pairs.append((score, (one, other)))
    pairs.sort(key=lambda pair: (-pair[0], pair[1]))
    _report(
        rows,
        'warning',
        [pair for _, pair in pairs],
        f'look alike (correlation {similarity} or more) on two sides; look at them',
    )


def _report(rows: AuditRows, kind: str, pairs: Sequence[Pair], problem: str) -> None:
    for a, b in pairs[:MAX_SHOWN]:
        rows.add(kind, f'images {rows.describe(a)} and {rows.describe(b)} {problem}')
    if len(pairs) > MAX_SHOWN:
        rows.add(kind, f'{len(pairs) - MAX_SHOWN} more pairs of images {problem}')
