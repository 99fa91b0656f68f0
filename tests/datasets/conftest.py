"""A tiny prepared folder: three patients, four slices each, none of them square."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from mmmed.files import hash_file
from mmmed.functional.packed_bits import pack_mask
from mmmed.io.png import write_image, write_label
from mmmed.structures.manifest import Case, Manifest
from mmmed.structures.volume_case import VolumeCase

SHAPE = (40, 28)
# Patient, split, fold, number of positive slices out of four.
PATIENTS = (('049', 'train', 0, 1), ('050', 'train', 1, 2), ('051', 'val', 2, 1))


def write_prepared(root: Path, *, channels: int = 1, dataset: str = 'cranium') -> Path:
    """Write images, masks and manifest below a folder and return the folder."""
    rng = np.random.default_rng(7)
    cases = []
    for patient, split, fold, num_positive in PATIENTS:
        for number in range(4):
            case_id = f'{patient}_{number}'
            img_path = f'images/{split}/{case_id}.png'
            seg_path = f'masks/{split}/{case_id}.png'
            img = rng.integers(0, 256, SHAPE, dtype=np.uint8)
            if channels == 2:
                img = np.stack([img, 255 - img, np.zeros_like(img)], axis=-1)
            seg = np.zeros(SHAPE, np.uint8)
            if number < num_positive:
                seg[10 + number : 18, 6:11] = 1
            write_image(root / img_path, img)
            write_label(root / seg_path, seg)
            cases.append(
                Case(
                    case_id=case_id,
                    patient_id=patient,
                    slice_index=number,
                    img_path=img_path,
                    seg_map_path=seg_path,
                    split=split,
                    fold=fold,
                    height=SHAPE[0],
                    width=SHAPE[1],
                    spacing=(0.5, 0.8),
                    foreground_pixels=int(seg.sum()),
                    positive=bool(seg.any()),
                    sha256={
                        'img': hash_file(root / img_path),
                        'seg': hash_file(root / seg_path),
                    },
                )
            )
    metainfo = {
        'schema_version': 1,
        'dataset': dataset,
        'task': 'segmentation',
        'classes': ['background', 'hemorrhage'],
        'channels': channels,
        'num_folds': 3,
    }
    Manifest(metainfo, tuple(cases)).write(root / 'manifest.json')
    return root


@pytest.fixture
def make_prepared(tmp_path: Path) -> Callable[..., Path]:
    def make(**options) -> Path:
        return write_prepared(tmp_path / 'prepared', **options)

    return make


@pytest.fixture
def prepared(make_prepared) -> Path:
    return make_prepared()


@pytest.fixture
def make_sample(rng) -> Callable[..., dict]:
    """A loaded sample (24, 16) on a non-square grid, arrays locked against writing."""

    def make(channels: int = 1, seed: int = 3) -> dict:
        img = np.random.default_rng(1).integers(0, 256, (24, 16, channels))
        seg = np.zeros((24, 16), np.uint8)
        seg[5:12, 3:9] = 1
        seg[:2] = 255
        sample = {
            'img': img.astype(np.uint8),
            'gt_seg_map': seg,
            'seg_fields': ['gt_seg_map'],
            'ori_shape': (24, 16),
            'img_shape': (24, 16),
            'pad_shape': (24, 16),
            'img_padding_size': (1, 2, 3, 4),
            'spacing': [0.5, 0.8],
            'img_spacing': [0.5, 0.8],
            'case_id': '049_0',
            'rng': np.random.default_rng(seed),
        }
        sample['img'].setflags(write=False)
        seg.setflags(write=False)
        return sample

    return make


VOLUME_SHAPE = (6, 11, 9)
# Subject, split, fold, corner and size of a box of lesion; None without a mask.
SUBJECTS = (
    ('sub-r001s001', 'train', 0, ((1, 2, 3), (2, 4, 3))),
    ('sub-r001s002', 'train', 1, ((4, 9, 8), (1, 1, 1))),
    ('sub-r002s001', 'val', None, ((0, 0, 0), (6, 3, 2))),
    ('sub-r002s002', 'test', None, None),
)


def make_volume(name: str, dtype: type = np.uint8) -> np.ndarray:
    """Noise that depends on the name only, shape (Z, Y, X)."""
    rng = np.random.default_rng(list(name.encode()))
    return rng.integers(0, np.iinfo(dtype).max + 1, VOLUME_SHAPE).astype(dtype)


def make_lesion(box) -> np.ndarray:
    mask = np.zeros(VOLUME_SHAPE, bool)
    mask[tuple(slice(low, low + size) for low, size in zip(*box, strict=True))] = True
    return mask


def write_volumes(root: Path, *, sequences=('t1w',), dtype: type = np.uint8) -> Path:
    """A prepared folder of volumes of which no two axes are alike."""
    cases = []
    for subject, split, fold, box in SUBJECTS:
        folder = root / 'volumes' / subject
        folder.mkdir(parents=True)
        for name in sequences:
            np.save(folder / f'{name}.npy', make_volume(subject + name, dtype))
        mask = None if box is None else make_lesion(box)
        extra = {'site': subject[4:8]}
        if mask is not None:
            np.save(folder / 'seg.npy', pack_mask(mask))
            extra['lesion_pixels'] = {
                plane: mask.sum(axis=axes).tolist()
                for plane, axes in (
                    ('axial', (1, 2)),
                    ('coronal', (0, 2)),
                    ('sagittal', (0, 1)),
                )
            }
        files = (*sequences, 'seg') if mask is not None else sequences
        cases.append(
            VolumeCase(
                case_id=subject,
                patient_id=subject,
                split=split,
                fold=fold,
                img_paths={n: f'volumes/{subject}/{n}.npy' for n in sequences},
                seg_map_path=f'volumes/{subject}/seg.npy' if 'seg' in files else None,
                shape=VOLUME_SHAPE,
                spacing=(3.0, 2.0, 1.0),
                affine=(
                    (0.0, 0.0, 1.0, -9.0),
                    (0.0, 2.0, 0.0, -4.0),
                    (3.0, 0.0, 0.0, -2.0),
                    (0, 0, 0, 1),
                ),
                foreground_voxels=None if mask is None else int(mask.sum()),
                positive=None if mask is None else True,
                sha256={n: hash_file(folder / f'{n}.npy') for n in files},
                extra=extra,
            )
        )
    metainfo = {
        'schema_version': 1,
        'dataset': 'atlas',
        'task': 'segmentation',
        'unit': 'volume',
        'classes': ['background', 'lesion'],
        'channels': len(sequences),
        'channel_names': list(sequences),
        'num_folds': 2,
        'folds_on': 'train',
    }
    Manifest(metainfo, tuple(cases)).write(root / 'manifest.json')
    return root


@pytest.fixture
def make_volumes(tmp_path: Path) -> Callable[..., Path]:
    def make(**options) -> Path:
        return write_volumes(tmp_path / 'volumes', **options)

    return make


@pytest.fixture
def read_subject() -> Callable[[str], tuple[np.ndarray, np.ndarray | None]]:
    """Volume and mask of a subject, as they were written."""

    def read(subject: str, sequence='t1w', dtype=np.uint8):
        box = {name: box for name, *_, box in SUBJECTS}[subject]
        mask = None if box is None else make_lesion(box)
        return make_volume(subject + sequence, dtype), mask

    return read
