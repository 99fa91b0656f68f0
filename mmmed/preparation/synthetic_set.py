"""A data set of synthetic lesions: scans in, pairs of image and label out.

Images keep the grid, orientation and type of their source. The folder looks like a
decathlon task, so ``tools/prepare_dataset.py decathlon`` takes it, and finds whose
scans they are in ``synthetic.json``. Not here: lesions (``mmmed.synthesis``).
"""

import json
import logging
import zlib
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from mmmed.files import hash_file, hash_json, write_json_atomic
from mmmed.io import write_volume
from mmmed.preparation.findings import InputError
from mmmed.preparation.organ_scans import LoadedScan, OrganScan, read_organ_scan
from mmmed.preparation.synthetic_patients import MANIFEST
from mmmed.progress import Progress
from mmmed.structures import Volume
from mmmed.synthesis.specification import SynthesisSpec, SyntheticScan

logger = logging.getLogger('mmmed.preparation')
_SCHEMA = 1


@dataclass(frozen=True)
class SyntheticSet:
    """What a run made.

    Args:
        cases: Facts of every case, made now or before.
        errors: Name of each scan that failed, and why.
    """

    cases: Sequence[dict[str, Any]]
    errors: dict[str, str]

    @property
    def exit_code(self) -> int:
        """0, or 3 if some scans failed."""
        return 3 if self.errors else 0


def generate_set(
    scans: Sequence[OrganScan],
    out: str | Path,
    spec: SynthesisSpec,
    *,
    count: int = 1,
    seed: int = 0,
    workers: int = 1,
    quiet: bool = False,
) -> SyntheticSet:
    """Write synthetic scans; an interrupted run goes on where it stopped.

    Args:
        scans: Sources.
        out: Folder; empty, absent, or from the same call.
        spec: What to make.
        count: Synthetic scans for each source.
        seed: With the source's name and the number of the scan it decides everything.
        workers: Threads; the result does not depend on them.
        quiet: Show no progress.

    Raises:
        InputError: A number is too small, or the folder holds something else.
    """
    if count < 1 or workers < 1 or seed < 0:
        raise InputError(
            f'count {count}, workers {workers}, seed {seed}: expected 1, 1, 0 or more'
        )
    out = Path(out)
    facts = {'spec': spec.to_json(), 'seed': seed, 'count': count}
    _open_folder(out, facts)
    cases: list[dict[str, Any]] = []
    errors: dict[str, str] = {}
    job = partial(_run_scan, out=out, spec=spec, count=count, seed=seed)
    with (
        Progress('Generating', len(scans), 'scan', quiet=quiet) as progress,
        ThreadPoolExecutor(workers) as pool,
    ):
        for scan, result in zip(scans, pool.map(job, scans), strict=True):
            if isinstance(result, str):
                errors[scan.name] = result
                logger.error('%s: %s', scan.name, result)
            else:
                cases += result
            progress.step()
    if not cases:
        raise InputError(f'no scan could be used; first: {next(iter(errors.values()))}')
    _write_lists(out, spec, facts, cases, errors)
    return SyntheticSet(cases, errors)


def make_seed(seed: int, name: str, number: int) -> list[int]:
    """Seed of one synthetic scan: no other scan of the run takes part in it."""
    return [seed, zlib.crc32(name.encode()), number]


def _open_folder(out: Path, facts: dict[str, Any]) -> None:
    state = out / '.synthesis.json'
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        same = state.is_file() and json.loads(state.read_text()) == hash_json(facts)
        if not same:
            raise InputError(
                f'{out}: exists and is not from the same call; choose another folder'
            )
    write_json_atomic(state, hash_json(facts))


def _run_scan(
    scan: OrganScan, *, out: Path, spec: SynthesisSpec, count: int, seed: int
) -> list[dict[str, Any]] | str:
    """Cases of a scan, or why there are none."""
    loaded: LoadedScan | None = None
    cases = []
    try:
        source = hash_file(scan.image)
        for number in range(count):
            path = out / 'records' / f'{scan.name}_{number:03d}.json'
            done = _read_case(path, source)
            if done is None:
                loaded = loaded or read_organ_scan(scan)
                facts = {'source': scan.image.name, 'source_sha256': source}
                done = _write_case(loaded, scan.name, number, out, spec, seed, facts)
                write_json_atomic(path, done)  # last: what it stands for is whole
            cases.append({**done, 'patient_id': scan.patient or scan.name})
    except (OSError, ValueError) as error:
        return str(error)
    return cases


def _read_case(path: Path, source: str) -> dict[str, Any] | None:
    if not path.is_file():
        return None
    case: dict[str, Any] = json.loads(path.read_text(encoding='utf-8'))
    return case if case['source_sha256'] == source else None


def _write_case(
    loaded: LoadedScan, name: str, number: int, out: Path, spec: SynthesisSpec,
    seed: int, facts: dict[str, Any],
) -> dict[str, Any]:  # fmt: skip
    volume = loaded.volume
    case_seed = make_seed(seed, name, number)
    made = spec.make(volume.array, loaded.mask, volume.spacing, case_seed)
    case_id = f'{name}_{number:03d}'
    image, label = f'imagesTr/{case_id}.nii.gz', f'labelsTr/{case_id}.nii.gz'
    write_volume(restore_type(volume, made, loaded), out / image, like=loaded.source)
    write_volume(volume.replace_array(made.label), out / label, like=loaded.source)
    return {
        'case_id': case_id,
        **facts,
        'seed': case_seed,
        'image': image,
        'label': label,
        'outcome': made.outcome,
        'lesion_type': made.lesion_type,
        'tumor_voxels': int((made.label == 2).sum()),
        'axes': 'lesions in mm from the first voxel along S, A, R',
        'lesions': list(made.lesions),
        'plan': made.plan,
    }


def restore_type(volume: Volume, made: SyntheticScan, loaded: LoadedScan) -> Volume:
    """The image in the type of its source: whole numbers are rounded once, at the end.

    Where nothing changed the source's own values stay.
    """
    dtype = loaded.source.array.dtype
    array = made.image
    if dtype.kind in 'iu':
        limits = np.iinfo(dtype)
        array = np.clip(np.rint(array), limits.min, limits.max)
    return volume.replace_array(array.astype(dtype))


def _write_lists(
    out: Path, spec: SynthesisSpec, facts: dict[str, Any],
    cases: Iterable[dict[str, Any]], errors: dict[str, str],
) -> None:  # fmt: skip
    cases = list(cases)
    value = {'schema_version': _SCHEMA, **facts, 'cases': cases, 'errors': errors}
    write_json_atomic(out / MANIFEST, value)
    training = [
        {'image': f'./{case["image"]}', 'label': f'./{case["label"]}'} for case in cases
    ]
    task = {
        'name': f'synthetic {spec.organ}',
        'description': f'{spec.organ} with synthetic lesions ({spec.recipe}), mmmed',
        'licence': 'that of the source scans',
        'modality': {'0': 'CT'},
        'labels': {'0': 'background', '1': spec.organ, '2': 'tumor'},
        'numTraining': len(training),
        'numTest': 0,
        'tensorImageSize': '3D',
        'training': training,
        'test': [],
    }
    write_json_atomic(out / 'dataset.json', task)
