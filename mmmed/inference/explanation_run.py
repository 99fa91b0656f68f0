"""Explanations of some cases of a prepared folder, written as files.

Not here: what is computed of a case (``classifier_probe``, ``classifier_maps``), how it
looks (``mmmed.reporting``).
"""

import csv
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mmmed.functional.orientation import name_orientation
from mmmed.functional.saliency import list_blocks
from mmmed.inference.classification_options import find_device
from mmmed.inference.classification_run import check_data
from mmmed.inference.classifier_maps import compute_maps
from mmmed.inference.classifier_models import (
    LoadedClassifier,
    find_classifiers,
    load_classifier,
)
from mmmed.inference.classifier_prediction import build_dataset
from mmmed.inference.classifier_probe import ClassifierProbe
from mmmed.progress import Progress
from mmmed.structures.manifest import Manifest
from mmmed.structures.region_explanation import RegionExplanation, write_explanation

FOLDER = 'explanations'
# Parts of each axis that a block hides: slices are few and thick.
_PARTS = (3, 5, 5)
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class ExplanationOptions:
    """What is explained, and how.

    Args:
        target: What cases are about; None for the head's own main target, else
            ``'type'``, else the first.
        shown: Further targets with maps of every sequence.
        block: (Z, Y, X) in voxels that are hidden at a time; None for a third of the
            slices and a fifth of the other sides.
        stride: From block to block; None for blocks side by side.
        fill: ``'mean'`` or ``'zero'``.
        occlude: Whether blocks are hidden at all: S x B predictions a case.
        calibrate: Whether temperatures are applied that validation gave.
        choice: Checkpoint of the work folder, ``'best'`` or ``'last'``.
        device: As for torch.
        batch_size: Variants at a time.
        quiet: Whether no progress is shown.
    """

    target: str | None = None
    shown: tuple[str, ...] = ()
    block: tuple[int, ...] | None = None
    stride: tuple[int, ...] | None = None
    fill: str = 'mean'
    occlude: bool = True
    calibrate: bool = True
    choice: str = 'best'
    device: str = 'cpu'
    batch_size: int = 16
    quiet: bool = False


@dataclass(frozen=True)
class ExplanationOutcome:
    """What a run did.

    Args:
        written: JSON file by case.
        failed: Error by case.
    """

    written: Mapping[str, Path]
    failed: Mapping[str, str]

    @property
    def exit_code(self) -> int:
        """0, or 3 if a case failed."""
        return 3 if self.failed else 0


def explain_cases(
    root: str | Path,
    source: str | Path,
    out: str | Path,
    cases: Sequence[str] = (),
    options: ExplanationOptions | None = None,
) -> ExplanationOutcome:
    """Explain cases of a prepared folder with one model.

    Writes ``explanations/<case>.json`` and ``.npz``; those of other cases stay.

    Args:
        root: Work folder or checkpoint of one model.
        source: Prepared folder of regions.
        out: Folder of the results, such as that of ``tools/classify.py``.
        cases: Their names; none for those that :func:`choose_cases` finds.
        options: See :class:`ExplanationOptions`.

    Raises:
        FileNotFoundError: The root or the manifest is absent.
        ValueError: There are several models, the model does not fit, or the folder has
            no such case.
    """
    options = options or ExplanationOptions()
    source, out = Path(source), Path(out)
    classifier = _load(root, options)
    manifest = Manifest.read(source / 'manifest.json')
    check_data(classifier, manifest, None)
    dataset = build_dataset(classifier, manifest, source)
    places = {
        str(dataset.get_data_info(index)['case_id']): index
        for index in range(len(dataset))
    }
    target = choose_target(classifier, options.target)
    wanted = list(cases) or choose_cases(out / 'predictions.csv', target)
    wanted = wanted or list(places)[:3]
    unknown = [name for name in wanted if name not in places]
    if unknown:
        raise ValueError(
            f'{source} has no case {", ".join(unknown)}; its manifest lists '
            f'{len(places)}, such as {", ".join(list(places)[:3])}'
        )
    by_name = {case.case_id: case for case in manifest.cases}
    written, failed = {}, {}
    with Progress('explain', len(wanted), 'case', quiet=options.quiet) as progress:
        for name in wanted:
            try:
                item = dataset.prepare_data(places[name])
                facts = _find_facts(classifier, manifest, by_name[name])
                explanation = explain_region(classifier, item, target, options, facts)
                path = out / FOLDER / f'{name}.json'
                write_explanation(explanation, path)
                written[name] = path
            except (OSError, ValueError) as error:
                failed[name] = str(error)
                _log.warning('%s: %s', name, error)
            progress.step()
    return ExplanationOutcome(written, failed)


def parse_explanation(args: Mapping[str, Any]) -> ExplanationOptions:
    """Options of a command line.

    Args:
        args: By the names of the options of ``tools/explain.py``, ``-`` as ``_``.

    Raises:
        ValueError: There is no such device, or no batch.
    """
    if args['batch_size'] < 1:
        raise ValueError(f'--batch-size {args["batch_size"]}, expected 1 or more')
    return ExplanationOptions(
        target=args['target'],
        shown=tuple(args['maps_of']),
        block=tuple(args['block']) if args['block'] else None,
        stride=tuple(args['stride']) if args['stride'] else None,
        fill=args['fill'],
        occlude=not args['no_occlusion'],
        calibrate=not args['uncalibrated'],
        choice=args['checkpoint'],
        device=find_device(args['device']),
        batch_size=args['batch_size'],
        quiet=args['quiet'],
    )


def explain_region(
    classifier: LoadedClassifier,
    item: Mapping[str, Any],
    target: str,
    options: ExplanationOptions,
    facts: Mapping[str, Any] | None = None,
) -> RegionExplanation:
    """Explain one sample of a data set.

    Args:
        classifier: The model.
        item: ``inputs`` (S, C, Z, Y, X) and its ``ROISample``.
        target: What the case is about.
        options: See :class:`ExplanationOptions`.
        facts: ``orientation`` and ``seen_in_training``, where they are known.

    Raises:
        ValueError: A target is unknown, or a number is not finite.
    """
    classes = classifier.description.targets
    shown = tuple(dict.fromkeys((target, *options.shown)))
    if not set(shown) <= set(classes):
        raise ValueError(f'targets {list(shown)}, expected some of {list(classes)}')
    sample = item['data_samples']
    probe = ClassifierProbe(
        classifier.model,
        item['inputs'].to(options.device),
        sample.available.to(options.device),
        _list_temperatures(classifier) if options.calibrate else {},
        options.batch_size,
    )
    prob = {name: values for name, values in probe.predict().items() if name in classes}
    if not all(np.isfinite(values).all() for values in prob.values()):
        raise ValueError('the network gave a number that is not finite')
    labels = {name: int(prob[name].argmax()) for name in classes}
    asked = {name: labels[name] for name in shown}
    shape = tuple(probe.inputs.shape[2:])
    size = options.block or tuple(
        max(1, round(n / parts)) for n, parts in zip(shape, _PARTS, strict=True)
    )
    blocks = list_blocks(shape, size, options.stride) if options.occlude else []
    occlusion = probe.occlude(asked, blocks, fill=options.fill) if blocks else None
    ablation = probe.ablate()
    maps = compute_maps(classifier.model, probe.inputs, probe.available, labels, asked)
    attention, names = probe.read_attention()
    meta = sample.metainfo
    routing = getattr(classifier.model.network, 'routing', None) or {}
    known = {'orientation': None, 'seen_in_training': None} | dict(facts or {})
    return RegionExplanation(
        case_id=str(meta['case_id']),
        patient_id=str(meta['patient_id']),
        size_mm=meta.get('size_mm'),
        spacing=tuple(float(v) for v in meta.get('spacing', (1, 1, 1))),  # type: ignore[arg-type]
        model=classifier.name,
        sequences=classifier.description.sequences,
        available=sample.available.cpu().numpy(),
        classes=classes,
        truth=dict(sample.gt_targets) if 'gt_targets' in sample else {},
        prob={name: prob[name] for name in classes},
        image=item['inputs'][:, 0].float().numpy(),
        main_target=target,
        shown=shown,
        fill=options.fill,
        ablation={name: ablation[name] for name in classes},
        blocks=tuple(blocks),
        occlusion=occlusion,
        sequence_maps=maps.by_sequence,
        target_maps=maps.by_target,
        routing={t: tuple(names) for t, names in routing.items() if t in classes},
        attention=attention,
        attention_names=names,
        relay=probe.read_relay(),
        **known,
    )


def choose_target(classifier: LoadedClassifier, wanted: str | None) -> str:
    """Target that cases are about.

    Raises:
        ValueError: The model does not know the wanted one.
    """
    known = classifier.description.targets
    if wanted is not None and wanted not in known:
        raise ValueError(f'target {wanted!r}, expected one of {list(known)}')
    own = getattr(classifier.model.head, 'main_target', None)
    for name in (wanted, own, 'type'):
        if name in known:
            return str(name)
    return next(iter(known))


def choose_cases(path: Path, target: str, number: int = 3) -> list[str]:
    """Cases that say most: the surest errors, then the surest right answers.

    Args:
        path: ``predictions.csv``; without it there are none.
        target: Whose answers count.
        number: Of each kind.
    """
    if not path.is_file():
        return []
    with path.open(encoding='utf-8', newline='') as stream:
        rows = [row for row in csv.DictReader(stream) if row.get('target') == target]
    try:
        rows.sort(key=lambda row: (-float(row['confidence']), row['case_id']))
        names = {
            kind: [row['case_id'] for row in rows if row['correct'] == kind][:number]
            for kind in ('0', '1')
        }
    except (KeyError, ValueError, TypeError) as error:
        raise ValueError(f'{path} is damaged ({error}); classify again') from error
    return names['0'] + names['1']


def _load(root: str | Path, options: ExplanationOptions) -> LoadedClassifier:
    found = find_classifiers([root], choice=options.choice)
    if len(found) > 1:
        raise ValueError(
            f'{root} holds {len(found)} models, an explanation is of one; choose '
            f'{", ".join(str(path.parent) for path in found.values())}'
        )
    ((name, path),) = found.items()
    return load_classifier(name, path, options.device)


def _list_temperatures(classifier: LoadedClassifier) -> dict[str, float]:
    return {n: float(c['temperature']) for n, c in classifier.calibration.items()}


def _find_facts(
    classifier: LoadedClassifier, manifest: Manifest, case: Any
) -> dict[str, Any]:
    """Axes of the case, if its sequences agree, and whether it was trained on."""
    found = {name_orientation(np.array(g.affine)) for g in case.grids.values()}
    split = classifier.description.split
    seen = None
    if split.get('split_hash') and split['split_hash'] == manifest.split_hash:
        seen = case.get_role(split.get('fold')) in ('train', 'val')
    return {
        'orientation': found.pop() if len(found) == 1 else None,
        'seen_in_training': seen,
    }
