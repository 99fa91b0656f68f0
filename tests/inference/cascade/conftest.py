"""A generated cord, and checkpoints of networks that are set by hand."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch

from mmmed.inference.cascade import Cascade, CascadeSettings
from mmmed.inference.cascade.segmentation_config import SegmentationDescription
from mmmed.inference.cascade.weights import LoadedSegmenter, load_segmenter
from mmmed.inference.loading import build_model
from mmmed.structures import Volume
from mmmed.structures.spine_classes import SPINE_TARGETS

CORD_GREY, LESION_GREY = 0.5, 0.9
GATES = {
    'anatomy': ('anatomy',),
    'spine_location_view': ('location_view',),
    'spine_sequence': ('sequence',),
    'spinal_cord': ('cord',),
}
LIKELY = {
    'anatomy': 'spine', 'location_view': 'cervical_sagittal', 'location': 'cervical',
    'view': 'sagittal', 'sequence': 'T2w', 'cord': 'present',
}  # fmt: skip


def make_classifier(targets: Mapping[str, Sequence[str]]) -> dict[str, Any]:
    """Configuration of a small slice classifier."""
    return {
        'type': 'mmmed.VolumeClassifier',
        'network': {
            'type': 'mmmed.EarlyFusionEncoder',
            'backbone': {
                'type': 'mmmed.TimmSliceEncoder',
                'model': 'test_resnet',
                'pool': 'mean',
            },
            'sequences': 1,
            'append_available': False,
        },
        'head': {
            'type': 'mmmed.MultiTargetHead',
            'targets': {name: len(labels) for name, labels in targets.items()},
        },
    }


def save_gate(
    path: Path,
    targets: Sequence[str],
    *,
    probs: Mapping[str, Mapping[str, float]] | None = None,
    names: Mapping[str, Sequence[str]] | None = None,
    **changes: Any,
) -> Path:
    """A classifier that answers every slice alike; 0.97 for the likely class."""
    classes = {name: tuple(SPINE_TARGETS.get(name, ())) for name in targets}
    classes.update({k: tuple(v) for k, v in (names or {}).items()})
    config = make_classifier(classes)
    model = build_model({'default_scope': 'mmseg', 'model': config})
    with torch.no_grad():
        for name, labels in classes.items():
            layer = model.head.fcs[model.head.ranks[name]]
            layer.weight.zero_()
            given = (probs or {}).get(name) or {LIKELY[name]: 0.97}
            rest = (1 - sum(given.values())) / max(1, len(labels) - len(given))
            values = [given.get(label, rest) for label in labels]
            layer.bias.copy_(torch.log(torch.tensor(values).clamp(min=1e-9)))
    description = {
        'schema_version': 1,
        'targets': {name: list(labels) for name, labels in classes.items()},
        'sequences': ['mr'],
        'model': config,
        'dataset': {'type': 'mmmed.VolumeSliceDataset'},
        'pipeline': [
            {'type': 'mmmed.LoadVolumeSlice', 'dtype': 'float32'},
            {'type': 'mmmed.FitSlice', 'size': [32, 32]},
            {'type': 'mmmed.WindowSlice', 'low': 1, 'high': 99},
            {'type': 'mmmed.PackSliceTargets'},
        ],
        'split': {},
        **changes,
    }
    state = {'state_dict': model.state_dict()}
    torch.save({**state, 'meta': {'iter': 7, 'classification': description}}, path)
    return path


def save_segmenter(
    path: Path, task: str, level: float, *, gain: float = 40.0, **changes: Any
) -> Path:
    """A U-Net that finds greys above a level: sigmoid(gain * (grey - level))."""
    config = {
        'type': 'mmmed.MedEncoderDecoder',
        'data_preprocessor': {
            'type': 'SegDataPreProcessor',
            'mean': [0.0], 'std': [255.0], 'bgr_to_rgb': False, 'pad_val': 0,
        },
        'backbone': {
            'type': 'mmmed.SpinalUNet',
            'depth': 1, 'features': 2, 'use_batch_norm': False,
        },
        'decode_head': {
            'type': 'mmmed.MedLogitHead',
            'num_classes': 2, 'out_channels': 1,
            'loss_decode': {'type': 'mmmed.SoftDiceLoss'},
        },
        'test_cfg': {'mode': 'whole'},
    }  # fmt: skip
    model = build_model({'default_scope': 'mmseg', 'model': config})
    net = model.backbone
    with torch.no_grad():
        for value in net.parameters():
            value.zero_()
        # The grey goes straight through: stem, first level, skip connection, head.
        net.stem.weight[0, 0, 1, 1] = 1
        for block, channel in ((net.encoder[0], 0), (net.decoder[0], 2)):
            block.first.filters.conv.weight[0, channel, 1, 1] = 1
            block.second.filters.conv.weight[0, 0, 1, 1] = 1
        net.head.weight[0, 0] = gain
        net.head.bias[0] = -gain * level
    description = {
        'schema_version': 1,
        'task': task,
        'classes': ['background', task],
        'model': config,
        'planes': ['sagittal', 'axial'],
        'pixel_mm': 0.8,
        'size_divisor': 16,
        'intensity': {
            'rule': 'percentile', 'low': 0, 'high': 100, 'nonzero': True, 'bits': 16,
        },
        **changes,
    }  # fmt: skip
    state = {'state_dict': model.state_dict()}
    torch.save({**state, 'meta': {'iter': 7, 'segmentation': description}}, path)
    return path


def save_folder(folder: Path) -> Path:
    """Weights of all six stages, which accept :func:`make_series`."""
    folder.mkdir(exist_ok=True)
    for stage, targets in GATES.items():
        save_gate(folder / f'{stage}.pth', targets)
    save_segmenter(folder / 'cord_segmentation.pth', 'cord', level=0.35)
    save_segmenter(folder / 'lesion_segmentation.pth', 'lesion', level=0.8)
    return folder


def make_series(
    orientation: str = 'SAR', *, outside: bool = False
) -> tuple[Volume, Any]:
    """A sagittal series of a cord with a lesion, and the truth on its grid.

    Canonical shape (60, 50, 9) of (1.0, 0.8, 3.0) mm: a straight cord of 10 columns in
    slices 3 to 5, darkness around it, and a lesion of 4 x 4 pixels in slice 4.
    """
    grey = np.full((60, 50, 9), 0.1)
    cord = np.zeros(grey.shape, bool)
    cord[:, 20:30, 3:6] = True
    lesion = np.zeros_like(cord)
    lesion[30:34, 23:27, 4] = True
    grey[cord] = CORD_GREY
    grey[lesion] = LESION_GREY
    if outside:
        grey[10:15, 31:36, 4] = LESION_GREY
    # A bright corner: percentiles do not depend on what else there is.
    grey[:2, :15] = 1.0
    values = np.rint(1000 * grey).astype(np.int16)
    volume = Volume(values, (1.0, 0.8, 3.0)).reorient(orientation)
    truth = {
        name: Volume(mask, (1.0, 0.8, 3.0)).reorient(orientation).array
        for name, mask in (('cord', cord), ('lesion', lesion))
    }
    return volume, truth


def make_settings(**groups: Mapping[str, Any]) -> CascadeSettings:
    """``make_settings(processing={...}, anatomy={...})``."""
    base = CascadeSettings()
    models = base.models
    processing = type(base.processing)(**groups.pop('processing', {}))
    groups = {'spinal_cord': {'min_area': 0}, **groups}
    changed = {
        name: type(getattr(models, name))(**values) for name, values in groups.items()
    }
    return CascadeSettings(processing, replace(models, **changed))


class CascadeParts(NamedTuple):
    """What tests of the cascade build their inputs with."""

    make_series: Callable[..., Any]
    make_settings: Callable[..., CascadeSettings]
    save_gate: Callable[..., Path]
    save_segmenter: Callable[..., Path]


@pytest.fixture(scope='session')
def parts() -> CascadeParts:
    """Functions of this file."""
    return CascadeParts(make_series, make_settings, save_gate, save_segmenter)


@pytest.fixture(scope='session')
def weights_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Weights of all stages; not to be changed."""
    return save_folder(tmp_path_factory.mktemp('weights'))


@pytest.fixture(scope='session')
def loaded(weights_folder: Path) -> Cascade:
    """The cascade of that folder; not to be changed."""
    return Cascade.load(weights_folder, make_settings())


@pytest.fixture(scope='session')
def segmenter(tmp_path_factory: pytest.TempPathFactory) -> LoadedSegmenter:
    """That of the cord alone; not to be changed."""
    path = tmp_path_factory.mktemp('cord') / 'cord.pth'
    return load_segmenter(
        save_segmenter(path, 'cord', 0.35), 'cord_segmentation', 'cord'
    )


@pytest.fixture(scope='session')
def description(segmenter: LoadedSegmenter) -> SegmentationDescription:
    """Of that segmentor: pixels of 0.8 mm, sides of multiples of 16."""
    return segmenter.description
