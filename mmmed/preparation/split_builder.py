"""A table of cases to a split manifest, and that to files.

Not here: the split itself (``splits``), the form of the file (``mmmed.structures``).
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mmmed.files import hash_file
from mmmed.preparation.findings import InputError
from mmmed.preparation.split_image_audit import PATH_COLUMN
from mmmed.preparation.split_report import count_balance
from mmmed.preparation.split_roles import (
    ALGORITHMS,
    TRAIN_RATIO,
    draw_validation,
    split_legacy_random,
)
from mmmed.preparation.split_strata import Stratum, make_stratum
from mmmed.preparation.split_table import Table, read_table
from mmmed.preparation.splits import assert_disjoint, split_holdout, split_kfold
from mmmed.structures.manifest import Manifest
from mmmed.structures.split_manifest import SplitCase, SplitManifest

CASE_COLUMN = 'case_id'


def build_split(
    path: str | Path,
    *,
    group: str = 'patient_id',
    case: str | None = None,
    stratify: Sequence[str] = (),
    num_folds: int = 5,
    val_ratio: float = 0.2,
    seed: int = 0,
    has_roles: bool = False,
    algorithm: str = 'stratified',
    train_ratio: float = TRAIN_RATIO,
) -> SplitManifest:
    """Hold-out split and folds of the cases of a table.

    Args:
        path: Table for :func:`~mmmed.preparation.split_table.read_table`.
        group: Column whose values are never divided, usually the patient.
        case: Column that names each row; None takes ``case_id``, or the group where
            every group is one row.
        stratify: Columns to balance, as for
            :func:`~mmmed.preparation.split_strata.make_stratum`.
        num_folds: Cross-validation folds, >= 2.
        val_ratio: Share of the cases on the validation side of the hold-out split.
        seed: >= 0.
        has_roles: Also draw whom each fold validates on, so that it has a part to
            train, validate and test on.
        algorithm: ``'stratified'``, or ``'legacy_random'``, which has roles and takes
            no columns.
        train_ratio: Share of those a fold does not test that it trains on.

    Returns:
        The split; ``balance`` has the counts of every level in every part.

    Raises:
        InputError: The table or the call is wrong; the message names file, reason and
            remedy.
    """
    table = read_table(path).drop_test_cases()
    groups = table.column_of_names(group, 'group')
    names = _read_names(table, case, group, groups)
    if not 0 < val_ratio < 1:
        raise InputError(f'--val-ratio is {val_ratio}, expected between 0 and 1')
    if seed < 0:
        raise InputError(f'--seed is {seed}, expected 0 or more')
    number = len(set(groups))
    if not 2 <= num_folds <= number:
        few = 'add patients' if number < 2 else f'use --folds 2 to {number}'
        raise InputError(
            f'{table.path}: {number} different {group!r} for {num_folds} folds, '
            f'expected at least one in every fold and two folds; {few}'
        )
    repeated = [name for name, n in Counter(stratify).items() if n > 1]
    if repeated:
        raise InputError(f'--stratify names {repeated[0]!r} twice; name it once')
    if algorithm not in ALGORITHMS or (stratify and algorithm != ALGORITHMS[0]):
        raise InputError(
            f'--algorithm is {algorithm!r}, expected one of {", ".join(ALGORITHMS)}; '
            'only the first takes --stratify'
        )
    if not 0 < train_ratio < 1:
        raise InputError(f'--train-ratio is {train_ratio}, expected between 0 and 1')
    columns = [make_stratum(table, wish) for wish in stratify]
    strata = _collect(groups, columns)
    val = split_holdout(strata, val_ratio=val_ratio, seed=seed)
    assert_disjoint(val, strata.keys() - val)
    drawn: dict[str, Any] = {'num_folds': num_folds, 'seed': seed}
    val_of: Mapping[str, tuple[int, ...]] = {}
    ratio: dict[str, Any] = {'train_ratio': train_ratio}
    if algorithm != ALGORITHMS[0]:
        folds, val_of = split_legacy_random(list(strata), **drawn, **ratio)
    else:
        folds = split_kfold(strata, **drawn)
        if has_roles:
            val_of = draw_validation(strata, folds, **drawn, **ratio)
    paths = table.column(PATH_COLUMN) if PATH_COLUMN in table.columns else None
    cases = tuple(
        SplitCase(
            case_id=name,
            patient_id=owner,
            split='val' if owner in val else 'train',
            fold=folds[owner],
            img_path=(paths[index] or None) if paths else None,
            val_of=val_of.get(owner, ()),
        )
        for index, (name, owner) in enumerate(zip(names, groups, strict=True))
    )
    metainfo = {
        'table': table.path.name,
        'table_sha256': hash_file(table.path),
        'group': group,
        'stratify': [column.to_dict() for column in columns],
        'seed': seed,
        'val_ratio': val_ratio,
        'num_folds': num_folds,
    }
    if val_of:
        metainfo |= {'algorithm': algorithm, **ratio}
    return SplitManifest(metainfo, cases, count_balance(cases, columns, num_folds))


def write_split(
    split: SplitManifest,
    out: str | Path,
    *,
    overwrite: bool = False,
) -> bool:
    """Write a split, unless another one is there: somebody may rely on it.

    Args:
        split: What to write.
        out: File ``.json``.
        overwrite: Replace another split.

    Returns:
        False if this split was there already.

    Raises:
        InputError: Something else is there, or the file cannot be written.
    """
    out = Path(out)
    if out.suffix.lower() != '.json':
        raise InputError(f'{out}: a split is written as JSON; name it ".json"')
    if out.exists() and not overwrite:
        try:
            if SplitManifest.read(out).to_dict() == split.to_dict():
                return False
        except (OSError, ValueError):
            pass
        raise InputError(
            f'{out}: holds something else, perhaps a split that runs rely on; choose '
            'another --out, or replace it with --overwrite'
        )
    try:
        split.write(out)
    except OSError as error:
        raise InputError(f'{out}: cannot be written ({error})') from error
    return True


def save_split(
    split: SplitManifest,
    table: str | Path,
    out: str | Path,
    *,
    apply: str | Path | None = None,
    overwrite: bool = False,
) -> list[str]:
    """Write a split and, if wished, the manifest with it.

    Args:
        split: What to write.
        table: What it was drawn from.
        out: As for :func:`write_split`.
        apply: As ``out`` of :func:`apply_split`; None writes no manifest.
        overwrite: Replace files that are there.

    Returns:
        What was written where, as text lines.

    Raises:
        InputError: As the two functions.
    """
    is_new = write_split(split, out, overwrite=overwrite)
    lines = [f'wrote {out}' if is_new else f'{out} is this split']
    if apply is not None:
        apply_split(split, table, apply, overwrite=overwrite)
        lines.append(f'wrote {apply}, to be used as ann_file')
    return lines


def apply_split(
    split: SplitManifest,
    manifest: str | Path,
    out: str | Path,
    *,
    overwrite: bool = False,
) -> None:
    """Write the manifest of a prepared folder once more, with another split.

    Args:
        split: Drawn from this manifest.
        manifest: ``manifest.json`` of the folder.
        out: Another ``.json`` in the same folder, since paths in it are relative; a
            dataset takes it as ``ann_file``.
        overwrite: Replace a file that is there.

    Raises:
        InputError: No manifest, another folder, the manifest itself, or ``out`` holds
            something else.
    """
    manifest, out = Path(manifest), Path(out)
    if out.resolve().parent != manifest.resolve().parent or out.suffix != '.json':
        raise InputError(
            f'--apply {out}: expected a .json file in {manifest.parent}, because paths '
            'in a manifest are relative to it'
        )
    if out.resolve() == manifest.resolve():
        raise InputError(f'--apply {out}: is the manifest itself; choose another name')
    try:
        new = Manifest.read(manifest).with_split(split)
        if out.exists() and not overwrite and Manifest.read(out) != new:
            raise InputError(f'--apply {out}: exists; replace it with --overwrite')
        new.write(out)
    except InputError:
        raise
    except (OSError, ValueError) as error:
        raise InputError(f'--apply {out}: {error}') from error


def _read_names(
    table: Table, case: str | None, group: str, groups: Sequence[str]
) -> Sequence[str]:
    """Unique name of each row."""
    if case is None and CASE_COLUMN not in table.columns:
        if len(set(groups)) < len(groups):
            raise InputError(
                f'{table.path}: no column {CASE_COLUMN!r}, and {group!r} repeats; name '
                'the column that tells rows apart with --id'
            )
        return groups
    column = case or CASE_COLUMN
    names = table.column_of_names(column, 'name')
    first: dict[str, int] = {}
    for index, name in enumerate(names):
        if first.setdefault(name, index) != index:
            raise InputError(
                f'{table.path}: {column!r} is {name!r} in {table.lines[first[name]]} '
                f'and in {table.lines[index]}, expected a name of its own for every '
                'row; remove one, or name another column with --id'
            )
    return names


def _collect(
    groups: Sequence[str], columns: Sequence[Stratum]
) -> Mapping[str, list[tuple[str, ...]]]:
    """Rows of levels of each group; without columns, all rows are alike."""
    levels = [column.levels for column in columns] or [('',) * len(groups)]
    strata: dict[str, list[tuple[str, ...]]] = {}
    for owner, *row in zip(groups, *levels, strict=True):
        strata.setdefault(owner, []).append(tuple(row))
    return strata
