"""Which evaluated patients the network was trained on.

The name of an evaluation is not believed: patients are compared. Not here: how the
answer is shown.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mmmed.reporting.config_file import list_training_configs, read_assignment
from mmmed.reporting.evaluation_folder import Evaluation

# Arguments by which a data set is told from the wrappers around it.
_DATASET_KEYS = {'split', 'fold', 'ann_file', 'data_root'}

HELD_OUT, SEEN, MIXED, UNKNOWN = 'held_out', 'seen', 'mixed', 'unknown'


@dataclass(frozen=True)
class TrainingPart:
    """The part of the data that a config trains on.

    Args:
        split: ``'train'``, ``'val'`` or None for everything.
        fold: Cross-validation fold that is left out, or None for hold-out.
        source: File it was read from; empty if it had to be assumed.
    """

    split: str | None = 'train'
    fold: int | None = None
    source: str = ''


@dataclass(frozen=True)
class Exposure:
    """How much of an evaluation the network has seen.

    Args:
        kind: ``held_out`` (no patient), ``seen`` (all), ``mixed`` or ``unknown``.
        seen: Evaluated patients that were trained on, sorted.
        num_patients: Evaluated patients.
        certain: Whether the training part was read from the run's config.
        reason: Why the kind is unknown, or what was assumed; may be empty.
    """

    kind: str
    seen: tuple[str, ...]
    num_patients: int
    certain: bool
    reason: str = ''

    @property
    def label(self) -> str:
        """Words for a reader."""
        return {
            HELD_OUT: 'held out',
            SEEN: 'seen in training',
            MIXED: 'partly seen in training',
            UNKNOWN: 'perhaps seen in training',
        }[self.kind]

    def as_dict(self) -> dict[str, Any]:
        """Ready for JSON."""
        return {
            'kind': self.kind,
            'seen_patients': list(self.seen),
            'num_patients': self.num_patients,
            'read_from_config': self.certain,
            'reason': self.reason,
        }


def judge_exposure(
    evaluation: Evaluation,
    part: TrainingPart | None,
    *,
    trained_manifest: str | None = None,
) -> Exposure:
    """Compare the patients of an evaluation with those of the training part.

    Args:
        evaluation: The evaluation, with its manifest.
        part: What the config trains on; None if no config could be read. Then the
            evaluation's own fold is assumed.
        trained_manifest: Hash of the manifest that training used, if known. Another
            one than the evaluation's has other splits: nothing can be said then.
    """
    patients = evaluation.patients
    evaluated_manifest = evaluation.summary.get('manifest_hash')
    if trained_manifest and evaluated_manifest not in (None, trained_manifest):
        reason = (
            'training and evaluation used different manifests (the data were prepared '
            'again in between), so evaluated patients may have been trained on'
        )
        return Exposure(UNKNOWN, (), len(patients), False, reason)
    if evaluation.manifest is None:
        return Exposure(UNKNOWN, (), len(patients), False, evaluation.problem)
    certain = part is not None
    reason = ''
    if part is None:
        part = TrainingPart(fold=evaluation.fold)
        reason = 'no training config was found; the split of the manifest is assumed'
    try:
        trained = evaluation.manifest.select(part.split, part.fold)
    except ValueError as error:
        return Exposure(UNKNOWN, (), len(patients), certain, str(error))
    seen = sorted(set(patients) & {case.patient_id for case in trained})
    kind = HELD_OUT if not seen else SEEN if len(seen) == len(patients) else MIXED
    return Exposure(kind, tuple(seen), len(patients), certain, reason)


def read_training_part(work_dir: Path) -> TrainingPart | None:
    """Split and fold that the run's dumped config trains on.

    The config is parsed, never executed.

    Returns:
        None if there is no config with a training data set of ours.
    """
    for path in list_training_configs(work_dir):
        dataset = _find_dataset(path)
        if dataset is not None:
            return TrainingPart(
                split=dataset.get('split'),
                fold=dataset.get('fold'),
                source=path.relative_to(work_dir).as_posix(),
            )
    return None


def _find_dataset(path: Path) -> Mapping[str, Any] | None:
    """Arguments of the innermost training data set in a config file."""
    try:
        loader = read_assignment(path, 'train_dataloader')
    except (OSError, ValueError, SyntaxError, RecursionError):
        return None
    found = [d for d in _walk(loader) if _DATASET_KEYS & d.keys()]
    return found[0] if found else None


def _walk(value: Any) -> Iterator[Mapping[str, Any]]:
    """Mappings inside a value, outer before inner."""
    if isinstance(value, Mapping):
        yield value
    children = value.values() if isinstance(value, Mapping) else value
    if isinstance(value, Mapping | list):
        for child in children:
            yield from _walk(child)
