"""Why one model, or several together, decided as they did about one region.

An ensemble's probability is the mean of its members', so what a change of the input
does to it is the mean as well. Not here: files (``explanation_run``), the questions to
one model (``classifier_probe``, ``classifier_maps``).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmmed.functional.saliency import list_blocks
from mmmed.inference.classifier_maps import ActivationMaps, compute_maps
from mmmed.inference.classifier_models import LoadedClassifier
from mmmed.inference.classifier_probe import ClassifierProbe
from mmmed.structures.region_explanation import RegionExplanation

# Parts of each axis that a block hides: slices are few and thick.
_PARTS = (3, 5, 5)


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
        overwrite: Whether what was explained in the same way is explained anew.
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
    overwrite: bool = False
    quiet: bool = False


def explain_region(
    classifiers: Sequence[LoadedClassifier],
    item: Mapping[str, Any],
    target: str,
    options: ExplanationOptions,
    facts: Mapping[str, Any] | None = None,
) -> RegionExplanation:
    """Explain one sample of a data set.

    Args:
        classifiers: One model or more, with the same targets and sequences. Of several,
            probabilities, their changes, maps and attention are means; a relay is of
            one model and is left out.
        item: ``inputs`` (S, C, Z, Y, X) and its ``ROISample``.
        target: What the case is about.
        options: See :class:`ExplanationOptions`.
        facts: ``orientation``, ``seen_in_training`` and ``asked``, where known.

    Raises:
        ValueError: A target is unknown, or a number is not finite.
    """
    description = classifiers[0].description
    classes = description.targets
    shown = tuple(dict.fromkeys((target, *options.shown)))
    if not set(shown) <= set(classes):
        raise ValueError(f'targets {list(shown)}, expected some of {list(classes)}')
    sample = item['data_samples']
    probes = [_make_probe(model, item, options) for model in classifiers]
    prob = average([probe.predict() for probe in probes])
    if not all(np.isfinite(prob[name]).all() for name in classes):
        raise ValueError('the network gave a number that is not finite')
    labels = {name: int(prob[name].argmax()) for name in classes}
    asked = {name: labels[name] for name in shown}
    shape = tuple(probes[0].inputs.shape[2:])
    size = options.block or tuple(
        max(1, round(n / parts)) for n, parts in zip(shape, _PARTS, strict=True)
    )
    blocks = list_blocks(shape, size, options.stride) if options.occlude else []
    hidden = [probe.occlude(asked, blocks, fill=options.fill) for probe in probes]
    ablation = average([probe.ablate() for probe in probes])
    maps = _average_maps(
        [compute_maps(p.model, p.inputs, p.available, labels, asked) for p in probes]
    )
    looks = [probe.read_attention() for probe in probes]
    meta = sample.metainfo
    routing = getattr(probes[0].model.network, 'routing', None) or {}
    known = {'orientation': None, 'seen_in_training': None} | dict(facts or {})
    return RegionExplanation(
        case_id=str(meta['case_id']),
        patient_id=str(meta['patient_id']),
        size_mm=meta.get('size_mm'),
        spacing=tuple(float(v) for v in meta.get('spacing', (1, 1, 1))),  # type: ignore[arg-type]
        model=name_models(classifiers),
        sequences=description.sequences,
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
        occlusion=np.mean(hidden, axis=0) if blocks else None,
        sequence_maps=maps.by_sequence,
        target_maps=maps.by_target,
        routing={t: tuple(names) for t, names in routing.items() if t in classes},
        attention=_average_arrays([weights for weights, _ in looks]),
        attention_names=looks[0][1],
        relay=probes[0].read_relay() if len(probes) == 1 else None,
        **known,
    )


def check_members(classifiers: Sequence[LoadedClassifier]) -> None:
    """Refuse models that could not answer together.

    Raises:
        ValueError: Targets, classes, sequences or inputs of two models differ.
    """
    first = classifiers[0]
    for other in classifiers[1:]:
        for name in ('targets', 'sequences', 'pipeline'):
            ours = getattr(first.description, name)
            theirs = getattr(other.description, name)
            if ours != theirs:
                raise ValueError(
                    f'{first.path} and {other.path} differ in {name}; explain models '
                    'of one recipe together, others one by one'
                )


def name_models(classifiers: Sequence[LoadedClassifier]) -> str:
    """Name of one model, or how many they are and their names."""
    names = [model.name for model in classifiers]
    if len(names) == 1:
        return names[0]
    return f'mean of {len(names)} models ({", ".join(names)})'


def average(parts: Sequence[Mapping[str, NDArray]]) -> dict[str, NDArray]:
    """Mean of arrays of the same names."""
    return {name: np.mean([p[name] for p in parts], axis=0) for name in parts[0]}


def _make_probe(
    classifier: LoadedClassifier, item: Mapping[str, Any], options: ExplanationOptions
) -> ClassifierProbe:
    temperature = {
        name: float(entry['temperature'])
        for name, entry in classifier.calibration.items()
    }
    return ClassifierProbe(
        classifier.model,
        item['inputs'].to(options.device),
        item['data_samples'].available.to(options.device),
        temperature if options.calibrate else {},
        options.batch_size,
    )


def _average_maps(maps: Sequence[ActivationMaps]) -> ActivationMaps:
    return ActivationMaps(
        _average_arrays([m.by_target for m in maps]),
        _average_arrays([m.by_sequence for m in maps]),
    )


def _average_arrays(arrays: Sequence[NDArray | None]) -> Any:
    """Mean; None where one has nothing to say, or says it on another grid."""
    given = [array for array in arrays if array is not None]
    if len(given) < len(arrays) or len({array.shape for array in given}) > 1:
        return None
    return given[0] if len(given) == 1 else np.mean(given, axis=0)
