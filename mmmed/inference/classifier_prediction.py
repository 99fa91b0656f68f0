"""One classifier on all regions of a prepared folder, kept in a file.

Not here: what several classifiers say together (``classification_ensemble``).
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from mmmed.files import hash_json, write_json_atomic
from mmmed.inference.classifier_models import LoadedClassifier
from mmmed.structures.json_file import load_json
from mmmed.structures.manifest import Manifest

if TYPE_CHECKING:  # the host; exported networks run without it
    from mmmed.structures.roi_sample import ROISample

FORMAT = 1


@dataclass(frozen=True)
class RegionAnswer:
    """What one model says about one case.

    Args:
        case_id: Unique.
        patient_id: Whose lesion it is.
        size_mm: Diameter; None if unknown.
        sequences: How many sequences there were; None if unknown.
        truth: Class index by target, -1 where nobody knows.
        logits: K numbers by target.
    """

    case_id: str
    patient_id: str
    size_mm: float | None
    sequences: int | None
    truth: Mapping[str, int]
    logits: Mapping[str, list[float]]


@dataclass(frozen=True)
class ModelAnswers:
    """What one model says about all cases.

    Args:
        cases: In the order of the folder.
        failed: Error by case id.
    """

    cases: tuple[RegionAnswer, ...]
    failed: Mapping[str, str] = field(default_factory=dict)


def build_dataset(
    classifier: LoadedClassifier,
    manifest: Manifest,
    data_root: str | Path,
    **selection: Any,
) -> Any:
    """The folder as the model was trained to see it.

    Sequences, test pipeline and the scale of each sequence are those of the training,
    whatever the manifest says about its own.

    Args:
        classifier: Whose description counts.
        manifest: Of the folder; it need not have the targets of the model.
        data_root: Prepared folder of regions.
        **selection: ``role`` and ``fold``; none of them for all cases.

    Raises:
        ValueError: The folder does not fit the model.
    """
    from mmmed.registry import DATASETS  # imports the host

    description = classifier.description
    shared = [n for n in description.targets if n in manifest.metainfo['targets']]
    config: dict[str, Any] = {
        'type': description.dataset.get('type'),
        'data_root': str(data_root),
        'sequences': list(description.sequences),
        'targets': shared or None,
        'pipeline': list(description.pipeline),
        'test_mode': True,
        **selection,
    }
    if description.normalisation:
        config['metainfo'] = {'normalisation': dict(description.normalisation)}
    try:
        return DATASETS.build(config)
    except TypeError as error:
        raise ValueError(f'{classifier.path}: its data set fails: {error}') from error
    except ValueError as error:
        raise ValueError(f'{classifier.path} does not fit: {error}') from error


def predict_folder(
    classifier: LoadedClassifier,
    dataset: Any,
    *,
    batch_size: int = 8,
    workers: int = 0,
    step: Callable[[], None] = lambda: None,
) -> ModelAnswers:
    """Run a model over a data set; a case that cannot be read does not stop it.

    Args:
        classifier: The model.
        dataset: See :func:`build_dataset`.
        batch_size: Regions at a time.
        workers: Processes that read; the result does not depend on it.
        step: Called once a case, after its batch.
    """
    loader = DataLoader(
        _Guarded(dataset), batch_size, num_workers=workers, collate_fn=list
    )
    cases: list[RegionAnswer] = []
    failed: dict[str, str] = {}
    for batch in loader:
        good = [item for _, item, error in batch if error is None]
        failed |= {name: error for name, _, error in batch if error is not None}
        for sample in _run(classifier.model, good):
            answer = _make_answer(sample)
            if answer is None:
                failed[sample.case_id] = 'the network gave a number that is not finite'
            else:
                cases.append(answer)
        for _ in batch:
            step()
    return ModelAnswers(tuple(cases), failed)


def keep_answers(
    path: Path, settings: Mapping[str, Any], make: Callable[[], ModelAnswers]
) -> tuple[ModelAnswers, bool]:
    """Answers from a file, or made and written to it.

    Args:
        path: JSON file of one model.
        settings: Everything that decides the answers.
        make: Makes them.

    Returns:
        The answers, and whether they had to be made.

    Raises:
        ValueError: The file is damaged, or holds answers of other settings.
    """
    digest = hash_json(dict(settings))
    if path.is_file():
        try:
            found = load_json(path)
            if found['settings_sha256'] == digest:
                return _read_answers(found), False
        except (ValueError, KeyError, TypeError) as error:
            raise ValueError(
                f'{path} is damaged ({error}); remove it, or use --overwrite'
            ) from error
        raise ValueError(
            f'{path} holds the answers of other weights, data or options; choose '
            'another folder, or use --overwrite'
        )
    answers = make()
    write_json_atomic(
        path,
        {
            'schema_version': FORMAT,
            'settings_sha256': digest,
            'settings': dict(settings),
            'failed': dict(answers.failed),
            'cases': [asdict(case) for case in answers.cases],
        },
    )
    return answers, True


def make_file_name(name: str) -> str:
    """Name of the file of a model."""
    return re.sub(r'[^A-Za-z0-9._-]+', '-', name).strip('.-') or 'model'


def _read_answers(found: Mapping[str, Any]) -> ModelAnswers:
    cases = tuple(RegionAnswer(**case) for case in found['cases'])
    return ModelAnswers(cases, dict(found['failed']))


class _Guarded(Dataset):
    """Samples, or why there is none: name, sample, error."""

    def __init__(self, dataset: Any) -> None:
        self._dataset = dataset

    def __len__(self) -> int:
        return len(self._dataset)

    def __getitem__(self, index: int) -> tuple[str, Any, str | None]:
        name = str(self._dataset.get_data_info(index)['case_id'])
        try:
            return name, self._dataset.prepare_data(index), None
        except (OSError, ValueError) as error:
            return name, None, str(error)


@torch.inference_mode()
def _run(model: Any, items: list[Mapping[str, Any]]) -> Iterator['ROISample']:
    if items:
        batch = {
            'inputs': [item['inputs'] for item in items],
            'data_samples': [item['data_samples'] for item in items],
        }
        yield from model.test_step(batch)


def _make_answer(sample: 'ROISample') -> RegionAnswer | None:
    logits: dict[str, Tensor] = {
        name: value.double().cpu() for name, value in sample.pred_logits.items()
    }
    if not all(torch.isfinite(value).all() for value in logits.values()):
        return None
    meta = sample.metainfo
    available = sample.available if 'available' in sample else None
    return RegionAnswer(
        case_id=str(meta['case_id']),
        patient_id=str(meta['patient_id']),
        size_mm=meta.get('size_mm'),
        sequences=None if available is None else int(available.sum()),
        truth=dict(sample.gt_targets) if 'gt_targets' in sample else {},
        logits={name: value.tolist() for name, value in logits.items()},
    )
