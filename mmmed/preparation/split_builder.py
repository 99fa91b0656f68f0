"""A table of cases to a split manifest, and that to files.

Not here: the split itself (``splits``), the form of the file (``mmmed.structures``).
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from mmmed.files import hash_file
from mmmed.preparation.findings import InputError
from mmmed.preparation.split_image_audit import PATH_COLUMN
from mmmed.preparation.split_report import count_balance
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
    columns = [make_stratum(table, wish) for wish in stratify]
    strata = _collect(groups, columns)
    val = split_holdout(strata, val_ratio=val_ratio, seed=seed)
    assert_disjoint(val, strata.keys() - val)
    folds = split_kfold(strata, num_folds=num_folds, seed=seed)
    paths = table.column(PATH_COLUMN) if PATH_COLUMN in table.columns else None
    cases = tuple(
        SplitCase(
            case_id=name,
            patient_id=owner,
            split='val' if owner in val else 'train',
            fold=folds[owner],
            img_path=(paths[index] or None) if paths else None,
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
