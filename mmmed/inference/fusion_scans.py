"""Which scans a fusion run reads, and the reference mask of each.

Either any path of scans, or a prepared folder of volumes, of which a side of a split
is taken. Not here: formats (``mmmed.io``), fusion.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mmmed.functional.geometry import compute_grid_difference
from mmmed.functional.packed_bits import unpack_mask
from mmmed.inference.discovery import ScanCase, find_scans
from mmmed.inference.training_grid import TOLERANCE_MM
from mmmed.structures import Volume
from mmmed.structures.manifest import Manifest
from mmmed.structures.volume_case import VolumeCase

MANIFEST = 'manifest.json'
# What data sets append to the name of a scan and of its mask.
_SCAN_ENDING = re.compile(r'_T1w$')
_MASK_ENDING = re.compile(r'(_label-[^_]+)?(_desc-[^_]+)?_(mask|seg|label)$')


@dataclass(frozen=True)
class FusionScan:
    """One scan and how to read its reference.

    Args:
        case: Names it, its file and the form of its results.
        read: Gives the scan.
        hash_content: Gives the SHA-256 of what is read.
        read_reference: Gives its mask on the grid of the scan; None without one.
        is_prepared: Whether its values are those that training reads.
    """

    case: ScanCase
    read: Callable[[], Volume]
    hash_content: Callable[[], str]
    read_reference: Callable[[Volume], NDArray[np.bool_]] | None = None
    is_prepared: bool = False


def find_fusion_scans(
    source: str | Path,
    *,
    split: str | None = None,
    fold: int | None = None,
    reference: str | Path | None = None,
    leave_out: Path | None = None,
    irregular: str = 'refuse',
) -> list[FusionScan]:
    """Scans of a path, or of a prepared folder.

    Args:
        source: Scan, folder of scans, prepared folder or its manifest.
        split: Side of a prepared folder; None: ``'val'`` if there is such a side.
        fold: Of a prepared folder, as for :class:`Manifest`.
        reference: Folder of masks named as their scans (``_T1w`` and ``_mask`` with
            their labels do not count); a prepared folder has its own.
        leave_out: Folder that is not searched.
        irregular: For DICOM, see :func:`mmmed.io.read_volume`.

    Raises:
        FileNotFoundError: Nothing lies there.
        ValueError: There is no scan, split or fold are given for a folder that is not
            prepared, or two masks belong to one scan.
    """
    source = Path(source)
    manifest = source / MANIFEST if source.is_dir() else source
    if manifest.name == MANIFEST and manifest.is_file():
        return _select_prepared(manifest, split, fold)
    if split is not None or fold is not None:
        raise ValueError(
            f'{source} is no prepared folder with {MANIFEST}, so it has no splits and '
            'folds'
        )
    masks = {} if reference is None else _find_masks(Path(reference))
    cases = find_scans(source, leave_out=leave_out)
    return [_make_scan(case, masks, irregular) for case in cases]


def _make_scan(
    case: ScanCase, masks: Mapping[str, ScanCase], irregular: str
) -> FusionScan:
    mask = masks.get(_SCAN_ENDING.sub('', case.case_id))

    def read() -> Volume:
        return case.read(irregular=irregular)

    def read_mask(volume: Volume) -> NDArray[np.bool_]:
        assert mask is not None
        return _lay_mask(mask.read(), volume, mask.path)

    return FusionScan(
        case, read, case.hash_content, None if mask is None else read_mask
    )


def _find_masks(folder: Path) -> dict[str, ScanCase]:
    masks: dict[str, ScanCase] = {}
    for case in find_scans(folder):
        key = _MASK_ENDING.sub('', case.case_id)
        key = _SCAN_ENDING.sub('', key)
        if key in masks:
            raise ValueError(
                f'{masks[key].path} and {case.path} are both the mask of {key}; leave '
                'one of them out'
            )
        masks[key] = case
    return masks


def _lay_mask(mask: Volume, volume: Volume, path: Path) -> NDArray[np.bool_]:
    """A reference on the grid of its scan, which it must have been drawn on."""
    turned = mask.reorient(volume.orientation)
    if turned.array.ndim != 3 or turned.shape != volume.shape:
        raise ValueError(
            f'reference {path} has shape {turned.array.shape}, its scan '
            f'{volume.shape}; expected the same voxels'
        )
    difference = compute_grid_difference(turned.grid, volume.grid, volume.shape)
    if difference > TOLERANCE_MM:
        raise ValueError(
            f'reference {path} lies {difference:.1f} mm off its scan, expected the '
            'same affine'
        )
    return turned.array > 0


def _select_prepared(
    path: Path, split: str | None, fold: int | None
) -> list[FusionScan]:
    manifest = Manifest.read(path)
    if manifest.unit != 'volume':
        raise ValueError(f'{path} lists slices, expected one of volumes')
    cases: Sequence[VolumeCase] = manifest.select(split=split or 'val', fold=fold)
    if not cases:
        raise ValueError(f'{path}: no volume in split {split or "val"!r}, fold {fold}')
    return [_make_prepared(path.parent, case) for case in cases]


def _make_prepared(folder: Path, case: VolumeCase) -> FusionScan:
    name, relative = next(iter(case.img_paths.items()))
    path = folder.joinpath(*relative.split('/'))

    def read() -> Volume:
        arrays = [
            _load(folder.joinpath(*one.split('/')), case.shape)
            for one in case.img_paths.values()
        ]
        array = arrays[0] if len(arrays) == 1 else np.stack(arrays)
        return Volume(array, case.spacing, np.array(case.affine))

    def read_mask(volume: Volume) -> NDArray[np.bool_]:
        assert case.seg_map_path is not None
        packed = np.load(
            folder.joinpath(*case.seg_map_path.split('/')), allow_pickle=False
        )
        return unpack_mask(packed, case.shape)

    return FusionScan(
        ScanCase(case.case_id, path, '.npy'),
        read,
        lambda: case.sha256[name],
        None if case.seg_map_path is None else read_mask,
        is_prepared=True,
    )


def _load(path: Path, shape: Sequence[int]) -> NDArray:
    try:
        array = np.load(path, mmap_mode='r', allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise ValueError(f'{path}: not a prepared volume ({error})') from error
    if array.shape != tuple(shape):
        raise ValueError(
            f'{path} has shape {array.shape}, the manifest says {tuple(shape)}; '
            'prepare the data again'
        )
    return np.asarray(array)
