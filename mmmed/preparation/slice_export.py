"""Slices of prepared volumes as files, for tools that want them.

Training here reads slices from the volumes; this is for other software. Not here:
batches of slices (a sampler's).
"""

import hashlib
import json
import os
import shutil
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmmed.files import hash_file, hash_json
from mmmed.functional.packed_bits import unpack_mask
from mmmed.functional.planes import (
    PLANES,
    drop_plane_axis,
    get_plane_axis,
    split_slices,
)
from mmmed.io import encode_image, write_volume
from mmmed.preparation.findings import InputError
from mmmed.preparation.parts import Plan
from mmmed.preparation.work import Work
from mmmed.structures import Case, Manifest, Volume, VolumeCase

KINDS = ('png', 'nii', 'npy')
_MARK = 'manifest.json'


def export_slices(
    prepared: Path,
    target: Path,
    *,
    kind: str,
    plane: str,
    workers: int = 1,
    overwrite: bool = False,
    quiet: bool = False,
) -> int:
    """Write every slice of a plane of all labelled cases.

    ``png``: ``images/{train,val}/<case>_<plane>_<iii>.png`` (8 or 16 bit), label maps
    in ``masks``, and a slice manifest, so that it is a prepared folder itself.
    ``nii``: ``<plane>_2D/<case>/<case>_slice_<i>_T1.nii.gz`` and ``_mask.nii.gz`` with
    the slice's place in the volume. ``npy``: for each case one stack (N, H, W) in the
    same layout as ``png``.

    Args:
        prepared: Prepared folder of volumes with a sequence ``t1w``.
        target: Folder to create.
        kind: One of ``KINDS``.
        plane: One of ``mmmed.functional.planes.PLANES``.
        workers: Threads.
        overwrite: Replace an export of other data.
        quiet: Show no progress.

    Returns:
        Number of slices.

    Raises:
        InputError: Unknown kind or plane, or the folder holds something else.
    """
    if kind not in KINDS or plane not in PLANES:
        raise InputError(f'cannot export {kind!r} of {plane!r}: {KINDS}, {PLANES}')
    manifest = Manifest.read(prepared / _MARK)
    source = {'source': hash_file(prepared / _MARK), 'kind': kind, 'plane': plane}
    if _is_same(target, source, overwrite):
        return int(_read_facts(target)['slices'])
    cases = [case for case in manifest.cases if case.seg_map_path is not None]
    partial = target.with_name(f'.{target.name}.partial')
    shutil.rmtree(partial, ignore_errors=True)
    write = {'png': _write_png, 'nii': _write_nifti, 'npy': _write_stack}[kind]

    def run(case: VolumeCase) -> list[Case]:
        image = np.load(
            prepared / case.img_paths['t1w'], mmap_mode='r', allow_pickle=False
        )
        packed = np.load(prepared / str(case.seg_map_path), allow_pickle=False)
        return write(partial, case, plane, image, unpack_mask(packed, case.shape))

    work = Work(Plan(prepared, [], []), workers, False, quiet)
    slices: list[Case] = []
    with closing(work.map('Exporting', run, cases)) as results:
        for entries in results:
            slices += entries
    number = sum(case.shape[get_plane_axis(plane)] for case in cases)
    metainfo = {
        **manifest.metainfo,
        'unit': 'slice',
        'plane': plane,
        'export': {**source, 'slices': number},
        'fingerprint': hash_json(source),
    }
    Manifest(metainfo, tuple(slices)).write(partial / _MARK)
    if target.exists():
        shutil.rmtree(target)
    os.rename(partial, target)
    return number


def _read_facts(target: Path) -> Mapping[str, Any]:
    try:
        value = json.loads((target / _MARK).read_text(encoding='utf-8'))
        return dict(value['metainfo']['export'])
    except (OSError, ValueError, KeyError, TypeError):
        return {}


def _is_same(target: Path, source: Mapping[str, Any], overwrite: bool) -> bool:
    if not target.exists() or (target.is_dir() and not any(target.iterdir())):
        return False
    facts = _read_facts(target)
    if {k: v for k, v in facts.items() if k != 'slices'} == dict(source):
        return True
    if not facts:
        raise InputError(f'{target}: holds something else; move it away')
    if not overwrite:
        raise InputError(
            f'{target}: slices of other data; add --overwrite to replace them'
        )
    return False


def _write_png(
    root: Path, case: VolumeCase, plane: str, image: NDArray, mask: NDArray
) -> list[Case]:
    entries = []
    spacing = drop_plane_axis(case.spacing, plane)
    pairs = zip(split_slices(image, plane), split_slices(mask, plane), strict=True)
    for index, (img, seg) in enumerate(pairs):
        name = f'{case.case_id}_{plane}_{index:03d}'
        paths = [f'{kind}/{case.split}/{name}.png' for kind in ('images', 'masks')]
        hashes = {}
        arrays = (img, seg.astype(np.uint8))
        for key, path, array in zip(('img', 'seg'), paths, arrays, strict=True):
            data = encode_image(np.ascontiguousarray(array))
            hashes[key] = hashlib.sha256(data).hexdigest()
            # Plain writes: nothing counts until the whole folder gets its name.
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).write_bytes(data)
        height, width = img.shape
        count = int(np.count_nonzero(seg))
        entries.append(
            Case(
                case_id=name,
                patient_id=case.patient_id,
                slice_index=index,
                img_path=paths[0],
                seg_map_path=paths[1],
                split=case.split,
                fold=case.fold,  # type: ignore[arg-type]  # None where folds_on allows
                height=height,
                width=width,
                spacing=spacing,
                foreground_pixels=count,
                positive=count > 0,
                sha256=hashes,
                extra={'plane': plane},
            )
        )
    return entries


def _write_nifti(
    root: Path, case: VolumeCase, plane: str, image: NDArray, mask: NDArray
) -> list[Case]:
    """One voxel thick volumes that lie where their slice does."""
    axis = get_plane_axis(plane)
    folder = root / f'{plane}_2D' / case.case_id
    affine = np.asarray(case.affine, dtype=np.float64)
    for index in range(case.shape[axis]):
        part = tuple(
            slice(index, index + 1) if i == axis else slice(None) for i in range(3)
        )
        place = affine.copy()
        place[:3, 3] += index * affine[:3, axis]
        for array, name in ((image, 'T1'), (mask.view(np.uint8), 'mask')):
            slab = Volume(np.ascontiguousarray(array[part]), case.spacing, place)
            stem = f'{case.case_id}_slice_{index}_{name}.nii.gz'
            write_volume(slab, folder / stem)
    return []


def _write_stack(
    root: Path, case: VolumeCase, plane: str, image: NDArray, mask: NDArray
) -> list[Case]:
    for kind, array in (('images', image), ('masks', mask.view(np.uint8))):
        path = root / kind / case.split / f'{case.case_id}_{plane}.npy'
        path.parent.mkdir(parents=True, exist_ok=True)
        stack = np.ascontiguousarray(split_slices(array, plane))
        np.save(path, stack, allow_pickle=False)
    return []
