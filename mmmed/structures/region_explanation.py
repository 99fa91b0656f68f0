"""RegionExplanation: why a classifier decided as it did about one lesion.

Made by ``mmmed.inference``, shown by ``mmmed.reporting``, kept as one JSON and one NPZ
file in between. Not here: computing or drawing it.
"""

import io
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmmed.files import write_bytes_atomic, write_json_atomic
from mmmed.functional.saliency import Block
from mmmed.functional.signal_relay import Relay
from mmmed.structures.json_file import load_json

SCHEMA_VERSION = 1
_MAX_BYTES = 1 << 30


@dataclass(frozen=True)
class RegionExplanation:
    """One case, what was predicted of it, and why.

    S sequences; T targets, of which ``shown`` (M) have maps by sequence.

    Args:
        case_id: Unique.
        patient_id: Whose lesion it is.
        size_mm: Diameter; None if unknown.
        spacing: (Z, Y, X) in mm.
        orientation: Letters of the array axes, such as ``'SAR'``; None if unknown.
        model: Name of the model that was asked.
        seen_in_training: Whether it was trained or chosen on the case; None if unknown.
        sequences: Names.
        available: Which of them the case has, bool (S,).
        classes: Class names by target, T of them.
        truth: Class index by target, -1 where nobody knows.
        prob: Probabilities (K_t,) by target.
        image: As the network read it, without further channels, (S, Z, Y, X).
        main_target: What the case is about.
        shown: Names of M targets.
        fill: What hid a block: ``'mean'`` of the sequence or ``'zero'``.
        ablation: Change of the probabilities without a sequence, (S, K_t) by target;
            0 for one that the case does not have.
        blocks: Blocks that were hidden; none without occlusion.
        occlusion: Change of the predicted class's probability, (M, S, B); NaN for
            sequences that the case does not have.
        sequence_maps: Grad-CAM at the end of each sequence's encoder, for the predicted
            class of each shown target, (M, S, z, y, x), NaN where there is none; None
            for a network without encoders of sequences.
        target_maps: Grad-CAM of the layer that each target is read from, for its
            predicted class, (T, z, y, x); None where there is none.
        routing: Names of sequences that each target reads; empty for all.
        attention: Row looks at column, mean over heads: (T, T), in the order of
            ``attention_names``; or (S,), the weight of each sequence. None without.
        attention_names: Targets, or sequences.
        relay: How the main target is read from the signs; None without a relay.
        asked: Hash of models, images and options that decided the rest; may be empty.
    """

    case_id: str
    patient_id: str
    size_mm: float | None
    spacing: tuple[float, float, float]
    orientation: str | None
    model: str
    seen_in_training: bool | None
    sequences: tuple[str, ...]
    available: NDArray[np.bool_]
    classes: Mapping[str, tuple[str, ...]]
    truth: Mapping[str, int]
    prob: Mapping[str, NDArray[np.float64]]
    image: NDArray[np.float32]
    main_target: str
    shown: tuple[str, ...]
    fill: str
    ablation: Mapping[str, NDArray[np.float64]]
    blocks: tuple[Block, ...] = ()
    occlusion: NDArray[np.float32] | None = None
    sequence_maps: NDArray[np.float32] | None = None
    target_maps: NDArray[np.float32] | None = None
    routing: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    attention: NDArray[np.float64] | None = None
    attention_names: tuple[str, ...] = ()
    relay: Relay | None = None
    asked: str = ''

    def __post_init__(self) -> None:
        self._check_names()
        count = len(self.sequences)
        blocks = (len(self.shown), count, len(self.blocks))
        expected: dict[str, tuple[Any, tuple[int, ...]]] = {
            'available': (self.available, (count,)),
            'image': (self.image, (count, *self.image.shape[1:])),
            'occlusion': (self.occlusion, blocks),
        }
        for name, labels in self.classes.items():
            expected[f'prob of {name}'] = self.prob[name], (len(labels),)
            expected[f'ablation of {name}'] = self.ablation[name], (count, len(labels))
        if self.sequence_maps is not None:
            tail = self.sequence_maps.shape[2:]
            expected['sequence_maps'] = self.sequence_maps, (*blocks[:2], *tail)
        if self.target_maps is not None:
            tail = self.target_maps.shape[1:]
            expected['target_maps'] = self.target_maps, (len(self.classes), *tail)
        for what, (array, shape) in expected.items():
            if array is not None and array.shape != shape:
                raise ValueError(
                    f'{what} of case {self.case_id!r} has shape {array.shape}, '
                    f'expected {shape}'
                )
        if self.image.ndim != 4:
            raise ValueError(f'image has shape {self.image.shape}, expected (S,Z,Y,X)')

    def _check_names(self) -> None:
        targets = set(self.classes)
        if not targets or not {self.main_target, *self.shown} <= targets:
            raise ValueError(
                f'main target {self.main_target!r} and shown {self.shown}, expected '
                f'some of {sorted(targets)}'
            )
        if self.prob.keys() != targets or self.ablation.keys() != targets:
            raise ValueError(
                f'prob of {sorted(self.prob)} and ablation of {sorted(self.ablation)}, '
                f'expected {sorted(targets)}'
            )

    def get_label(self, target: str) -> int:
        """Class index that was predicted."""
        return int(np.argmax(self.prob[target]))

    def describe_truth(self, target: str) -> str | None:
        """Name of the true class; None where nobody knows it."""
        label = self.truth.get(target, -1)
        return self.classes[target][label] if label >= 0 else None


_ARRAYS = (
    'available', 'image', 'occlusion', 'sequence_maps', 'target_maps', 'attention',
)  # fmt: skip
_PLAIN = (
    'case_id', 'patient_id', 'size_mm', 'orientation', 'model', 'seen_in_training',
    'main_target', 'fill', 'asked',
)  # fmt: skip
_NAMES = ('sequences', 'shown', 'attention_names')


def write_explanation(explanation: RegionExplanation, path: str | Path) -> None:
    """Write ``path`` (JSON) and the arrays beside it (``.npz``).

    Equal explanations give equal bytes.

    Args:
        explanation: What to write.
        path: Name that ends in ``.json``.
    """
    path = Path(path)
    facts: dict[str, Any] = {'schema_version': SCHEMA_VERSION}
    facts |= {name: getattr(explanation, name) for name in _PLAIN}
    facts |= {name: list(getattr(explanation, name)) for name in _NAMES}
    relay = explanation.relay
    facts |= {
        'spacing': list(explanation.spacing),
        'truth': dict(explanation.truth),
        'targets': [
            {
                'name': name,
                'classes': list(labels),
                'prob': explanation.prob[name].tolist(),
                'ablation': explanation.ablation[name].tolist(),
            }
            for name, labels in explanation.classes.items()
        ],
        'blocks': [[list(part) for part in block] for block in explanation.blocks],
        'routing': [[name, list(r)] for name, r in explanation.routing.items()],
        'relay': None if relay is None else _list_relay(relay),
    }
    arrays = {name: getattr(explanation, name) for name in _ARRAYS}
    stream = io.BytesIO()
    # Entries of the archive have no date, so that equal arrays are equal bytes.
    np.savez_compressed(
        stream, **{name: a for name, a in arrays.items() if a is not None}
    )
    write_bytes_atomic(path.with_suffix('.npz'), stream.getvalue())
    write_json_atomic(path, facts)


def read_explanation(path: str | Path) -> RegionExplanation:
    """What :func:`write_explanation` wrote; nothing in it is executed.

    Raises:
        FileNotFoundError: A file is absent.
        ValueError: A file is damaged; the message names it.
    """
    path = Path(path)
    if not path.is_file() or not path.with_suffix('.npz').is_file():
        raise FileNotFoundError(f'{path} or its .npz is missing; explain again')
    try:
        return _read(load_json(path), path.with_suffix('.npz'))
    except (
        AttributeError, EOFError, IndexError, KeyError, OSError, TypeError, ValueError,
        zipfile.BadZipFile,
    ) as error:  # fmt: skip
        raise ValueError(
            f'{path}: not as tools/explain.py writes it ({error}); explain again'
        ) from error


def _read(facts: Mapping[str, Any], arrays_path: Path) -> RegionExplanation:
    if facts['schema_version'] != SCHEMA_VERSION:
        raise ValueError(f'schema_version {facts["schema_version"]!r}')
    if arrays_path.stat().st_size > _MAX_BYTES:
        raise ValueError(f'{arrays_path.name} is larger than {_MAX_BYTES} bytes')
    with np.load(arrays_path, allow_pickle=False) as file:
        arrays: dict[str, Any] = {n: file[n] for n in _ARRAYS if n in file}
    targets = {entry['name']: entry for entry in facts['targets']}
    relay = facts['relay']
    # Version 1 began without the hash.
    facts = {'asked': ''} | dict(facts)
    plain: dict[str, Any] = {name: facts[name] for name in _PLAIN}
    plain |= {name: tuple(map(str, facts[name])) for name in _NAMES}
    return RegionExplanation(
        **plain,
        **arrays,
        spacing=_three(facts['spacing']),
        truth={name: int(label) for name, label in facts['truth'].items()},
        classes={n: tuple(map(str, e['classes'])) for n, e in targets.items()},
        prob={n: np.array(e['prob'], np.float64) for n, e in targets.items()},
        ablation={n: np.array(e['ablation'], np.float64) for n, e in targets.items()},
        blocks=tuple(
            tuple((int(start), int(stop)) for start, stop in block)
            for block in facts['blocks']
        ),
        routing={name: tuple(map(str, names)) for name, names in facts['routing']},
        relay=None if relay is None else _read_relay(relay),
    )


def _three(values: Any) -> tuple[float, float, float]:
    z, y, x = (float(value) for value in values)
    if min(z, y, x) <= 0:
        raise ValueError(f'spacing {values}, expected mm > 0')
    return z, y, x


def _list_relay(relay: Relay) -> dict[str, Any]:
    return {
        'main_target': relay.main_target,
        'order': [list(place) for place in relay.order],
        'weight': relay.weight.tolist(),
        'bias': relay.bias.tolist(),
        'signals': relay.signals.tolist(),
        'temperature': relay.temperature,
    }


def _read_relay(facts: Mapping[str, Any]) -> Relay:
    return Relay(
        order=tuple((str(name), int(k)) for name, k in facts['order']),
        weight=np.array(facts['weight'], np.float64),
        bias=np.array(facts['bias'], np.float64),
        signals=np.array(facts['signals'], np.float64),
        main_target=str(facts['main_target']),
        temperature=float(facts['temperature']),
    )
