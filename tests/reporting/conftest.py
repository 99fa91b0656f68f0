"""A finished run on a small phantom, as training and testing leave it."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
import torch

from mmmed.evaluation.metrics import CaseOverlapMetric
from mmmed.files import hash_file, write_csv_atomic, write_json_atomic
from mmmed.io import write_image, write_label
from mmmed.structures.manifest import Case, Manifest
from mmmed.structures.volume_case import VolumeCase

META = {
    'schema_version': 1,
    'dataset': 'cranium',
    'task': 'segmentation',
    'classes': ['background', 'hemorrhage'],
    'channels': 1,
    'num_folds': 3,
}
# Patient to number of slices with and without hemorrhage, split and fold.
PATIENTS = {
    'a': (2, 1, 'train', 0),
    'b': (1, 1, 'train', 1),
    'c': (2, 2, 'val', 2),
    'd': (1, 1, 'val', 0),
}


@dataclass
class Run:
    """Folders of a phantom run and what its cases hold."""

    work_dir: Path
    data_root: Path
    manifest: Manifest
    targets: dict[str, np.ndarray] = field(default_factory=dict)

    @property
    def manifest_path(self) -> Path:
        return self.data_root / 'manifest.json'

    def evaluate(
        self,
        name: str,
        split: str | None,
        *,
        fold: int | None = None,
        predict: Callable[[Case, np.ndarray], np.ndarray] | None = None,
        spacing: tuple | None = None,
    ) -> Path:
        """Write an evaluation folder with the real metric."""
        folder = self.work_dir / 'evaluation' / name
        metric = CaseOverlapMetric(num_resamples=200)
        metric.dataset_meta = {'classes': META['classes']}
        cases = self.manifest.select(split, fold)
        for case in cases:
            target = self.targets[case.case_id]
            pred = (predict or shift)(case, target)
            write_label(folder / 'pred' / f'{case.case_id}.png', pred)
            sample = {
                'case_id': case.case_id,
                'patient_id': case.patient_id,
                'slice_index': case.slice_index,
                'spacing': spacing,
                'pred_sem_seg': {'data': torch.as_tensor(pred.astype(int))[None]},
                'gt_sem_seg': {'data': torch.as_tensor(target.astype(int))[None]},
            }
            metric.process(None, [sample])
        metrics = metric.evaluate(len(cases))
        for table, rows in metric.tables.items():
            write_csv_atomic(folder / f'{table}.csv', rows)
        numbers = {k: None if v != v else v for k, v in metrics.items()}
        root = self.data_root.relative_to(self.work_dir.parent)
        write_json_atomic(
            folder / 'summary.json',
            {
                'schema_version': 1,
                'dataset': 'cranium',
                'split': split,
                'fold': fold,
                'data_root': f'../../../{root.as_posix()}',
                'manifest': 'manifest.json',
                'manifest_hash': hash_file(self.manifest_path),
                'metrics': numbers,
                'summary': metric.summary,
            },
        )
        write_json_atomic(folder / 'run.json', make_record(self.manifest_path))
        return folder

    def log(self, stamp: str, records: list[dict], dataset: str = "split='train'"):
        """Write a training log, and the config beside it."""
        folder = self.work_dir / stamp / 'vis_data'
        folder.mkdir(parents=True)
        lines = [json.dumps(record) for record in records]
        (folder / 'scalars.json').write_text('\n'.join(lines) + '\n')
        (folder / 'config.py').write_text(
            'train_dataloader = dict(\n    batch_size=2,\n    dataset=dict('
            f"type='mmmed.CraniumDataset', data_root='data', {dataset}))\n"
        )
        return folder


def shift(case: Case, target: np.ndarray) -> np.ndarray:
    """A prediction that is wrong by a known number of pixels."""
    return np.roll(target, 2, axis=1)


def make_record(manifest: Path) -> dict:
    return {
        'command': 'mim test mmseg config.py',
        'seed': 0,
        'config_sha256': 'c' * 64,
        'manifest_sha256': hash_file(manifest),
        'started': '2024-05-01T10:00:00+00:00',
        'finished': '2024-05-01T10:01:40+00:00',
        'seconds': 100.0,
        'mmmed': '0.1.0',
        'python': '3.11.7',
        'platform': 'Linux',
        'cpu': 'some CPU (2 logical cores)',
        'device': 'cpu',
        'packages': {'torch': '2.13.0', 'numpy': '2.4.6'},
        'schema_version': 1,
    }


def write_data(data_root: Path) -> tuple[Manifest, dict[str, np.ndarray]]:
    """Discs as heads, boxes of 6 x (8 + slice) pixels as hemorrhage."""
    cases, targets = [], {}
    y, x = np.mgrid[:48, :64]
    head = ((y - 24) / 20) ** 2 + ((x - 32) / 26) ** 2 < 1
    for patient, (positive, negative, split, fold) in PATIENTS.items():
        for index in range(positive + negative):
            case_id = f'{patient}_{index + 1}'
            target = np.zeros((48, 64), np.uint8)
            if index < positive:
                target[20:26, 24 : 32 + index] = 1
            img = (head * 90 + target * 50).astype(np.uint8)
            paths = [f'{kind}/{split}/{case_id}.png' for kind in ('images', 'masks')]
            write_image(data_root / paths[0], img)
            write_label(data_root / paths[1], target)
            hashes = [hash_file(data_root / path) for path in paths]
            targets[case_id] = target
            cases.append(
                Case(
                    case_id=case_id,
                    patient_id=patient,
                    slice_index=index + 1,
                    img_path=paths[0],
                    seg_map_path=paths[1],
                    split=split,
                    fold=fold,
                    height=48,
                    width=64,
                    spacing=None,
                    foreground_pixels=int(target.sum()),
                    positive=bool(target.any()),
                    sha256={'img': hashes[0], 'seg': hashes[1]},
                )
            )
    manifest = Manifest(META, tuple(cases))
    manifest.write(data_root / 'manifest.json')
    return manifest, targets


TRAIN_LOG = [
    {'loss': 1.0 / step, 'decode.loss_dice': 0.6 / step, 'lr': 0.01, 'step': step}
    for step in range(1, 5)
]
VAL_LOG = [
    {'overlap/dice_patient_hemorrhage': 0.1 * step, 'overlap/mIoU': 50.0, 'step': step}
    for step in (2, 4)
]


def make_empty_run(folder: Path) -> Run:
    """Prepared data and an empty work folder."""
    manifest, targets = write_data(folder / 'data')
    work_dir = folder / 'work'
    work_dir.mkdir()
    return Run(work_dir, folder / 'data', manifest, targets)


def make_run(folder: Path) -> Run:
    """A trained run, evaluated on its held-out and on its training patients."""
    run = make_empty_run(folder)
    run.evaluate('val', 'val')
    run.evaluate('train', 'train', predict=lambda case, target: target)
    run.log('20240501_100000', TRAIN_LOG + VAL_LOG)
    write_json_atomic(run.work_dir / 'run.json', make_record(run.manifest_path))
    return run


@pytest.fixture
def empty_run(tmp_path: Path) -> Run:
    return make_empty_run(tmp_path)


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return make_run(tmp_path)


@pytest.fixture(scope='module')
def shared_run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """One for tests that only read it."""
    return make_run(tmp_path_factory.mktemp('run'))


# Volumes of 3 x 4 x 5 voxels of 2 x 2 x 1 mm: 0.004 ml a voxel, 20 pixels a slice.
STUDY_SITES = {'s1': 'R001', 's2': 'R002', 't1': 'R001'}
# Per subject and axial slice tp, fp, fn: 3-D Dice 4/11 and 6/8.
STUDY_COUNTS = {
    's1': [(2, 0, 2), (0, 0, 2), (0, 3, 0)],
    's2': [(3, 1, 1), (0, 0, 0), (0, 0, 0)],
}
# The same slices, segmented better: 10/12 and 1.
BETTER_COUNTS = {
    's1': [(3, 0, 1), (2, 1, 0), (0, 0, 0)],
    's2': [(4, 0, 0), (0, 0, 0), (0, 0, 0)],
}
FUSION_COLUMNS = (
    'target_pixels',
    'before_pixels',
    'before_common_pixels',
    'after_pixels',
    'after_common_pixels',
)


@dataclass
class StudyFolders:
    """Runs of a study on disk, with counts that can be summed by hand."""

    root: Path

    def add_run(
        self, name, counts=STUDY_COUNTS, *, plane='axial', seed=0, evaluation='val'
    ):
        """A tested run; counts are tp, fp, fn by subject and slice."""
        folder = self.root / 'work' / name / 'evaluation' / evaluation
        rows = [
            {'case_id': f'{subject}_{plane}_{k:03d}', 'patient_id': subject}
            | {'slice_index': k, 'label': 'lesion', 'tp': tp, 'fp': fp, 'fn': fn}
            | {'tn': 20 - tp - fp - fn}
            for subject, slices in counts.items()
            for k, (tp, fp, fn) in enumerate(slices)
        ]
        write_csv_atomic(folder / 'cases.csv', rows)
        manifest = self.root / 'data/manifest.json'
        depth = len(folder.relative_to(self.root).parts)
        write_json_atomic(
            folder / 'summary.json',
            {'schema_version': 1, 'data_root': '../' * depth + 'data'}
            | {'manifest': 'manifest.json', 'manifest_hash': hash_file(manifest)}
            | {'split_hash': Manifest.read(manifest).split_hash},
        )
        record = make_record(manifest) | {'seed': seed}
        write_json_atomic(folder / 'run.json', record)
        return self.root / 'work' / name

    def add_training(self, work_dir, *, seconds=100.0, steps=(1, 2)):
        """What a training leaves: record, log, config and checkpoint."""
        record = make_record(self.root / 'data/manifest.json') | {'seconds': seconds}
        write_json_atomic(work_dir / 'run.json', record)
        folder = work_dir / '20240501_100000/vis_data'
        folder.mkdir(parents=True)
        lines = [json.dumps({'loss': 1.0, 'lr': 0.1, 'step': step}) for step in steps]
        (folder / 'scalars.json').write_text('\n'.join(lines) + '\n')
        (folder / 'config.py').write_text(
            'train_cfg = dict(max_iters=2)\n'
            "train_dataloader = dict(batch_size=16, dataset=dict(split='train'))\n"
        )
        state = {'conv.weight': torch.zeros(2, 3), 'bn.running_mean': torch.zeros(7)}
        torch.save({'state_dict': state}, work_dir / 'iter_2.pth')
        (work_dir / 'last_checkpoint').write_text('/elsewhere/iter_2.pth')

    def add_fusion(self, name='fusion'):
        """Two scans whose axial slices are those of the two sets of counts."""
        folder = self.root / 'work' / name
        for subject in STUDY_COUNTS:
            pairs = zip(STUDY_COUNTS[subject], BETTER_COUNTS[subject], strict=True)
            rows = [
                (a[0] + a[2], a[0] + a[1], a[0], b[0] + b[1], b[0]) for a, b in pairs
            ]
            write_csv_atomic(
                folder / f'slices/{subject}.csv',
                [
                    {'plane': 'axial', 'slice': k}
                    | dict(zip(FUSION_COLUMNS, row, strict=True))
                    for k, row in enumerate(rows)
                ],
            )
            counts = {
                mask: dict(
                    zip(('tp', 'fp', 'fn'), np.sum(table, 0).tolist(), strict=True)
                )
                | {'tn': 50}
                for mask, table in (
                    ('axial', STUDY_COUNTS[subject]),
                    ('fused', BETTER_COUNTS[subject]),
                )
            }
            write_json_atomic(
                folder / f'cases/{subject}.json',
                {'case_id': subject, 'status': 'done', 'spacing': [2.0, 2.0, 1.0]}
                | {'counts': counts},
            )
        settings = {'rule': 'mean', 'threshold': 0.5}
        write_json_atomic(folder / 'run.json', {'fusion': {'settings': settings}})
        return folder

    def write_spec(self, runs, tables, **others):
        """A study file beside the folders; runs are roles by name."""
        path = self.root / 'study.json'
        value = {'schema_version': 1, 'title': 'A study', 'tables': tables} | others
        value['runs'] = {k: {'folder': f'work/{k}'} | v for k, v in runs.items()}
        write_json_atomic(path, value)
        return path


@pytest.fixture
def study(tmp_path: Path) -> StudyFolders:
    cases = [
        VolumeCase(
            case_id=name,
            patient_id=name,
            split='train' if name == 't1' else 'val',
            fold=0 if name == 't1' else 1,
            img_paths={'t1w': f'volumes/{name}/t1w.npy'},
            seg_map_path=f'volumes/{name}/seg.npy',
            shape=(3, 4, 5),
            spacing=(2.0, 2.0, 1.0),
            affine=((0, 0, 1, 0), (0, 2, 0, 0), (2, 0, 0, 0), (0, 0, 0, 1)),
            foreground_voxels=6 if name == 's1' else 4,
            positive=True,
            sha256={'t1w': 'a' * 64, 'seg': '0' * 64},
            extra={'site': site},
        )
        for name, site in STUDY_SITES.items()
    ]
    meta = META | {'dataset': 'atlas', 'unit': 'volume', 'num_folds': 2}
    meta |= {'classes': ['background', 'lesion'], 'semi_synthetic': True}
    Manifest(meta, tuple(cases)).write(tmp_path / 'data/manifest.json')
    return StudyFolders(tmp_path)
