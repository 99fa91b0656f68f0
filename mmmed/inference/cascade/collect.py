"""A folder of weights from the work folders of trainings, by what each one says.

A checkpoint says itself which classes it tells apart or what it segments; names of
folders and files decide nothing. Not here: checking that it fits the settings
(``weights``), which every run does.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mmmed.checkpoint import load_checkpoint_safely
from mmmed.files import hash_file, write_bytes_atomic, write_json_atomic
from mmmed.inference.cascade.cascade import list_targets
from mmmed.inference.cascade.segmentation_config import KEY as SEGMENTATION
from mmmed.inference.cascade.settings import CascadeSettings
from mmmed.inference.cascade.weights import CALIBRATION
from mmmed.inference.case_store import make_printable
from mmmed.inference.classifier_config import KEY as CLASSIFICATION
from mmmed.inference.classifier_models import CALIBRATION as CALIBRATION_FILE
from mmmed.inference.classifier_models import find_classifiers
from mmmed.structures.spine_classes import SPINE_TARGETS

LIST_NAME = 'weights.json'
_TASKS = {'cord': 'cord_segmentation', 'lesion': 'lesion_segmentation'}


def collect_weights(
    roots: Sequence[str | Path], out: str | Path, *, overwrite: bool = False
) -> dict[str, Any]:
    """Copy the best checkpoint of every training to the name of its stage.

    A model that answers several questions serves several stages. What serves none,
    such as a foundation that others were trained from, is left out and named.

    Args:
        roots: Work folders, folders of them, or checkpoints.
        out: Folder of weights; gets ``weights.json``, which says what came whence.
        overwrite: Whether other checkpoints there are replaced.

    Returns:
        ``out``, ``collected`` (source by stage), ``missing`` stages, and ``unused``
        checkpoints.

    Raises:
        FileNotFoundError: A root is absent.
        ValueError: A checkpoint is damaged or refused, none serves a stage, two serve
            the same, or another one is there already.
    """
    out = Path(out)
    chosen: dict[str, Path] = {}
    unused = []
    for name, path in find_classifiers(roots).items():
        stages = _find_stages(load_checkpoint_safely(path, 'cpu'))
        if not stages:
            unused.append(name)
        for stage in stages:
            if stage in chosen:
                raise ValueError(
                    f'{chosen[stage]} and {path} are both of the stage {stage!r}; give '
                    'the one to use'
                )
            chosen[stage] = path
    if not chosen:
        raise ValueError(
            f'no checkpoint of the cascade in {", ".join(map(str, roots))}: none says '
            'that it answers a question of a stage'
        )
    targets = {stage: out / f'{stage}.pth' for stage in chosen}
    for stage, path in targets.items():
        if overwrite or not path.is_file():
            continue
        if hash_file(path) != hash_file(chosen[stage]):
            raise ValueError(
                f'{path} is another checkpoint; use another folder, or --overwrite'
            )
    for stage, path in targets.items():
        _copy(chosen[stage], path)
    summary = {
        'out': str(out),
        'collected': {stage: str(path) for stage, path in sorted(chosen.items())},
        'missing': [name for name in _list_stages() if name not in chosen],
        'unused': unused,
    }
    _write_list(out, chosen)
    return summary


def _list_stages() -> list[str]:
    return [*list_targets(CascadeSettings()), *_TASKS.values()]


def _find_stages(checkpoint: Mapping[str, Any]) -> list[str]:
    """Stages that a checkpoint can serve, by its own words."""
    meta = checkpoint.get('meta')
    if not isinstance(meta, Mapping):
        return []
    segmentation = meta.get(SEGMENTATION)
    if isinstance(segmentation, Mapping) and segmentation.get('task') in _TASKS:
        return [_TASKS[segmentation['task']]]
    entry = meta.get(CLASSIFICATION)
    targets = entry.get('targets') if isinstance(entry, Mapping) else None
    if not isinstance(targets, Mapping):
        return []
    ours = {
        name
        for name, labels in targets.items()
        if name in SPINE_TARGETS and set(labels) <= set(SPINE_TARGETS[name])
    }
    return [
        stage
        for stage, choices in list_targets(CascadeSettings()).items()
        if any(set(needed) <= ours for needed in choices)
    ]


def _copy(source: Path, target: Path) -> None:
    """A checkpoint, and the temperatures that were fitted for it."""
    write_bytes_atomic(target, source.read_bytes())
    beside = target.with_name(target.stem + CALIBRATION)
    fitted = source.parent / CALIBRATION_FILE
    if fitted.is_file():
        write_bytes_atomic(beside, fitted.read_bytes())
    else:
        beside.unlink(missing_ok=True)


def _write_list(out: Path, chosen: Mapping[str, Path]) -> None:
    """Stages with name and hash of their files; earlier entries of others stay out."""
    entries = {
        stage: {'checkpoint': path.name, 'sha256': hash_file(out / f'{stage}.pth')}
        for stage, path in sorted(chosen.items())
    }
    values = {'schema_version': 1, 'stages': entries}
    write_json_atomic(out / LIST_NAME, make_printable(values))
