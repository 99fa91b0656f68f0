"""Lists of healthy, real and mixed scans for each fold, as other programs read them.

Not here: the list format (``mmmed.structures.datalist``), drawing folds (``splits``).
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

from mmmed.io import read_volume, write_volume
from mmmed.preparation.label_transfer import transfer_labels
from mmmed.preparation.labelled_case import LabelledCase
from mmmed.preparation.organ_sources import identify_patient
from mmmed.structures import VolumeCase
from mmmed.structures.datalist import Datalist, DatalistEntry

LABELS = 'label'
KINDS = ('healthy', 'real', 'mixed')


def write_fold_lists(
    folder: Path,
    cases: Sequence[VolumeCase],
    raw_cases: Mapping[str, LabelledCase],
    root: Path,
    *,
    organ: str,
    num_folds: int,
) -> list[str]:
    """Write ``healthy_0.json``, ``real_0.json``, ``mixed_0.json`` and so on.

    Every list of fold k validates on that fold's scans with tumors. It trains on the
    other folds' healthy scans (``healthy``: synthetic tumors are put there), scans
    with tumors (``real``), or both (``mixed``). Images are named relative to the raw
    folder; label maps too where they need no transfer, else they are written to
    ``label/`` in this folder, on the voxels of the source.

    Args:
        folder: Where to write.
        cases: Of the manifest, with ``healthy`` in ``extra``.
        raw_cases: Their files, by case id.
        root: The raw folder.
        organ: Name of class 1.
        num_folds: Of the manifest.

    Returns:
        Names of the files that were written; none of a kind without training scans.
    """
    folded = [case for case in cases if case.fold is not None]
    entries = {
        case.case_id: _make_entry(raw_cases[case.case_id], root, folder)
        for case in folded
    }
    written = []
    for fold in range(num_folds):
        others = [case for case in folded if case.fold != fold]
        validation = [c for c in folded if c.fold == fold and not c.extra['healthy']]
        chosen = {
            'healthy': [case for case in others if case.extra['healthy']],
            'real': [case for case in others if not case.extra['healthy']],
            'mixed': others,
        }
        for kind in KINDS:
            is_mixed = chosen['healthy'] and chosen['real']
            if not (is_mixed if kind == 'mixed' else chosen[kind]):
                continue
            datalist = Datalist(
                tuple(entries[case.case_id] for case in chosen[kind]),
                tuple(entries[case.case_id] for case in validation),
                labels={0: 'background', 1: organ, 2: 'tumor'},
                modality=('CT',),
                name=f'{organ} {kind}',
                description=(
                    f'fold {fold} of {num_folds}; paths are relative to the raw '
                    f'folder, those in {LABELS}/ to this one'
                ),
                extra={
                    'licence': 'that of each source',
                    'reference': '',
                    'release': '',
                },
            )
            path = folder / f'{kind}_{fold}.json'
            datalist.write(path, identify=identify_patient)
            written.append(path.name)
    return written


def _make_entry(case: LabelledCase, root: Path, folder: Path) -> DatalistEntry:
    assert case.label is not None
    image = case.image.relative_to(root).as_posix()
    if not case.ignored and all(k == v for k, v in case.classes.items()):
        return DatalistEntry(image, case.label.relative_to(root).as_posix())
    name = f'{LABELS}/{case.case_id}.nii.gz'
    source = read_volume(case.label, ndim=3)
    labels = transfer_labels(source.array, case.classes, ignored=case.ignored)
    write_volume(source.replace_array(labels), folder / name)
    return DatalistEntry(image, name)
