"""Explanations of some cases of a prepared folder, written as files.

Not here: what is computed of a case (``region_answers``), how it looks
(``mmmed.reporting``).
"""

import csv
import hashlib
import logging
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mmmed.functional.orientation import name_orientation
from mmmed.inference.classification_options import find_device
from mmmed.inference.classification_run import check_data
from mmmed.inference.classifier_models import (
    LoadedClassifier,
    find_classifiers,
    load_classifier,
)
from mmmed.inference.classifier_prediction import build_dataset
from mmmed.inference.region_answers import (
    ExplanationOptions,
    check_members,
    explain_region,
)
from mmmed.progress import Progress
from mmmed.structures.json_file import load_json
from mmmed.structures.manifest import Manifest
from mmmed.structures.region_explanation import write_explanation

FOLDER = 'explanations'
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class ExplanationOutcome:
    """What a run did.

    Args:
        written: JSON file by case.
        failed: Error by case.
        kept: Cases that an earlier call has explained in the same way.
    """

    written: Mapping[str, Path]
    failed: Mapping[str, str]
    kept: tuple[str, ...] = ()

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
    """Explain cases of a prepared folder with one model, or an ensemble.

    Writes ``explanations/<case>.json`` and ``.npz``; those of other cases stay, and so
    does what was explained with the same models, options and images.

    Args:
        root: Work folder or checkpoint; all models below a folder answer together.
        source: Prepared folder of regions.
        out: Folder of the results, such as that of ``tools/classify.py``.
        cases: Their names; none for those that :func:`choose_cases` finds.
        options: See :class:`ExplanationOptions`.

    Raises:
        FileNotFoundError: The root or the manifest is absent.
        ValueError: The models differ in what they answer or do not fit the data, or
            the folder has no such case.
    """
    options = options or ExplanationOptions()
    source, out = Path(source), Path(out)
    classifiers = _load(root, options)
    manifest = Manifest.read(source / 'manifest.json')
    for classifier in classifiers:
        check_data(classifier, manifest, None)
    dataset = build_dataset(classifiers[0], manifest, source)
    places = {
        str(dataset.get_data_info(index)['case_id']): index
        for index in range(len(dataset))
    }
    target = choose_target(classifiers[0], options.target)
    wanted = list(cases) or choose_cases(out / 'predictions.csv', target)
    wanted = wanted or list(places)[:3]
    unknown = [name for name in wanted if name not in places]
    if unknown:
        raise ValueError(
            f'{source} has no case {", ".join(unknown)}; its manifest lists '
            f'{len(places)}, such as {", ".join(list(places)[:3])}'
        )
    by_name = {case.case_id: case for case in manifest.cases}
    written, failed, kept = {}, {}, []
    with Progress('explain', len(wanted), 'case', quiet=options.quiet) as progress:
        for name in wanted:
            path = out / FOLDER / f'{name}.json'
            try:
                asked = _hash_question(classifiers, by_name[name], target, options)
                if not options.overwrite and _read_question(path) == asked:
                    kept.append(name)
                    continue
                item = dataset.prepare_data(places[name])
                facts = _find_facts(classifiers, manifest, by_name[name])
                explanation = explain_region(
                    classifiers, item, target, options, facts | {'asked': asked}
                )
                write_explanation(explanation, path)
                written[name] = path
            except (OSError, ValueError) as error:
                failed[name] = str(error)
                _log.warning('%s: %s', name, error)
            finally:
                progress.step()
    return ExplanationOutcome(written, failed, tuple(kept))


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
        overwrite=args['overwrite'],
        quiet=args['quiet'],
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


def _load(root: str | Path, options: ExplanationOptions) -> list[LoadedClassifier]:
    found = find_classifiers([root], choice=options.choice)
    models = [load_classifier(n, path, options.device) for n, path in found.items()]
    check_members(models)
    return models


def _hash_question(
    classifiers: Sequence[LoadedClassifier],
    case: Any,
    target: str,
    options: ExplanationOptions,
) -> str:
    """What decides an explanation: models, calibration, images, options."""
    how = asdict(options)
    for name in ('quiet', 'overwrite', 'device', 'batch_size', 'target'):
        del how[name]
    models = [(c.sha256, sorted(c.calibration.items())) for c in classifiers]
    facts = (models, sorted(case.sha256.items()), case.targets, target, how)
    return hashlib.sha256(repr(facts).encode()).hexdigest()


def _read_question(path: Path) -> str | None:
    """What the file answers; None where it is absent or not whole."""
    if not path.is_file() or not path.with_suffix('.npz').is_file():
        return None
    try:
        return str(load_json(path)['asked'])
    except (ValueError, KeyError, TypeError):
        return None


def _find_facts(
    classifiers: Sequence[LoadedClassifier], manifest: Manifest, case: Any
) -> dict[str, Any]:
    """Axes of the case, if its sequences agree, and whether it was trained on."""
    found = {name_orientation(np.array(g.affine)) for g in case.grids.values()}
    seen = [_was_seen(model, manifest, case) for model in classifiers]
    return {
        'orientation': found.pop() if len(found) == 1 else None,
        'seen_in_training': True if True in seen else None if None in seen else False,
    }


def _was_seen(
    classifier: LoadedClassifier, manifest: Manifest, case: Any
) -> bool | None:
    split = classifier.description.split
    if not split.get('split_hash') or split['split_hash'] != manifest.split_hash:
        return None
    return case.get_role(split.get('fold')) in ('train', 'val')
