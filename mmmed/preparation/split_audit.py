"""Whether an existing split leaks: patients, names and images on both sides.

Not here: drawing a split (``splits``), how images are compared (``split_images``).
"""

import re
from collections import Counter
from pathlib import Path

from mmmed.preparation.findings import InputError
from mmmed.preparation.split_builder import CASE_COLUMN
from mmmed.preparation.split_image_audit import (
    check_alike,
    check_images,
    find_images,
)
from mmmed.preparation.split_rows import MAX_SHOWN, Audit, AuditRows
from mmmed.preparation.split_table import Table, read_table
from mmmed.structures.json_file import load_json
from mmmed.structures.split_manifest import KIND, SplitManifest

SIDES = ('split', 'fold', 'val_of', 'subset', 'partition', 'set')
"""Columns that are taken for a partition; ``val_of`` lists folds of validation."""
_NO_FOLD = 'none'


def audit_split(
    path: str | Path,
    *,
    images: str | Path | None = None,
    similarity: float | None = None,
    group: str = 'patient_id',
    case: str | None = None,
    workers: int = 1,
    strict: bool = False,
    quiet: bool = False,
) -> Audit:
    """Look for patients, names and images on more than one side.

    Args:
        path: Split manifest, manifest of a prepared folder, or a CSV or TSV table
            with a column ``split``, ``fold``, ``subset``, ``partition`` or ``set``.
        images: Folder of the images. Their paths are in a column ``img_path``; without
            one, an image is found by its name, which is the case's.
        similarity: Also report pairs of images whose small copies correlate at least
            so much, in (0, 1]; None does not look for them.
        group: Column of the patient.
        case: Column of the case name; None takes ``case_id``.
        workers: Threads that read images.
        strict: Let warnings count as overlaps in the exit code.
        quiet: Show no progress.

    Raises:
        InputError: The file is none of these or the call is wrong; the message names
            file, reason and remedy.
    """
    if similarity is not None and not 0 < similarity <= 1:
        raise InputError(f'--near is {similarity}, expected above 0 and up to 1')
    table = read_table(path)
    sides = [name for name in SIDES if name in table.columns]
    if not sides:
        raise InputError(
            f'{table.path}: no column says who is where, expected one of '
            f'{", ".join(SIDES)}; rename yours'
        )
    rows = AuditRows(
        table,
        table.column_of_names(case or CASE_COLUMN, 'name'),
        table.column_of_names(group, 'group'),
        {name: _read_sides(table, name) for name in sides},
    )
    _check_hash(rows)
    _check_roles(rows)
    _check_names(rows)
    _check_patients(rows)
    _check_similar_patients(rows)
    paths: dict[int, Path] = {}
    if images is not None:
        paths = find_images(rows, Path(images))
        check_images(rows, paths, similarity=similarity, workers=workers, quiet=quiet)
    else:
        # Of every image that a manifest hashes; equal masks, as empty ones, say little.
        for column in table.columns:
            if column.startswith('sha256.') and column != 'sha256.seg':
                stored = table.column(column)
                check_alike(rows, 'bytes', {i: h for i, h in enumerate(stored) if h})
    order = ('overlap', 'damage', 'warning', 'note')
    return Audit(
        str(path),
        tuple(sides),
        len(rows.names),
        len(set(rows.owners)),
        len(paths),
        tuple(sorted(rows.findings, key=lambda finding: order.index(finding.kind))),
        strict,
    )


def _read_sides(table: Table, name: str) -> list[str]:
    """Values of a partition; a fold may be empty where the split says why."""
    if name == 'val_of':  # without an entry: in none
        return [value or '[]' for value in table.column(name)]
    if name == 'fold' and 'split' in table.columns and table.is_manifest:
        return [value or _NO_FOLD for value in table.column(name)]
    return table.column_of_names(name, 'side')


def _check_hash(rows: AuditRows) -> None:
    """Whether a split manifest still is what it was when it was written."""
    if rows.table.path.suffix.lower() != '.json':
        return
    value = load_json(rows.table.path)
    if value.get('kind') != KIND:
        return
    try:
        real = SplitManifest.from_dict(value).hash
    except (TypeError, ValueError) as error:
        raise InputError(f'{rows.table.path}: {error}') from error
    if value.get('hash') != real:
        rows.add(
            'overlap',
            f'{rows.table.path.name} says its hash is {value.get("hash")}, but its '
            f'content has {real}: it was edited; make it again',
        )


def _check_roles(rows: AuditRows) -> None:
    """Whether a case validates in the fold that tests it."""
    if 'val_of' not in rows.sides or 'fold' not in rows.sides:
        return
    for index, (fold, text) in enumerate(
        zip(rows.sides['fold'], rows.sides['val_of'], strict=True)
    ):
        if fold in re.findall(r'\d+', text):
            rows.add(
                'overlap',
                f'case {rows.describe(index)} validates in the fold that tests it; '
                'make the split again',
            )


def _check_names(rows: AuditRows) -> None:
    seen: dict[str, int] = {}
    twice = [
        (seen[name.casefold()], index)
        for index, name in enumerate(rows.names)
        if seen.setdefault(name.casefold(), index) != index
    ]
    for kind, crosses in (('overlap', True), ('warning', False)):
        pairs = [
            (a, b) for a, b in twice if (rows.place(a) != rows.place(b)) == crosses
        ]
        for a, b in pairs[:MAX_SHOWN]:
            rows.add(
                kind,
                f'cases {rows.describe(a)} and {rows.describe(b)} have one name; '
                'remove one',
            )
        if len(pairs) > MAX_SHOWN:
            rows.add(kind, f'{len(pairs) - MAX_SHOWN} more cases have names of others')


def _check_patients(rows: AuditRows) -> None:
    for column, sides in rows.sides.items():
        places: dict[str, Counter[str]] = {}
        for owner, side in zip(rows.owners, sides, strict=True):
            places.setdefault(owner, Counter())[side] += 1
        shared = {owner: n for owner, n in places.items() if len(n) > 1}
        for owner in list(shared)[:MAX_SHOWN]:
            where = ' and '.join(
                f'{side} ({n} cases)' for side, n in sorted(shared[owner].items())
            )
            rows.add(
                'overlap', f'patient {owner!r} is in {column} {where}; move all to one'
            )
        if len(shared) > MAX_SHOWN:
            rows.add(
                'overlap',
                f'{len(shared) - MAX_SHOWN} more patients are on several sides of '
                f'{column}; make a new split grouped by patient',
            )
        if len(set(sides)) == 1:
            rows.add('warning', f'all cases are in {column} {sides[0]!r}')


def _check_similar_patients(rows: AuditRows) -> None:
    """Names such as 7 and 007, or p_1 and P-1, that are likely one person."""
    by_key: dict[str, dict[str, int]] = {}
    for index, owner in enumerate(rows.owners):
        key = re.sub(r'0*(\d+)', r'\1', re.sub(r'[\s_-]+', '-', owner.casefold()))
        by_key.setdefault(key, {}).setdefault(owner, index)
    for owners in by_key.values():
        if len({rows.place(index) for index in owners.values()}) > 1:
            names = ', '.join(repr(owner) for owner in owners)
            rows.add(
                'warning',
                f'patients {names} are on different sides and may be one person; '
                'write each in one way',
            )
