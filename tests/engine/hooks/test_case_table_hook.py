"""A test loop of the host with all metrics per case writes one folder of tables."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.model import BaseModel
from mmengine.registry import DATASETS, MODELS
from mmengine.runner import Runner
from mmengine.structures import PixelData
from mmseg.structures import SegDataSample
from torch.utils.data import Dataset

METRICS = ['CaseOverlapMetric', 'SurfaceMetric', 'LesionMetric']


@DATASETS.register_module(name='CaseTableTestSlices', force=True)
class Slices(Dataset):
    """A pixel that is found one, two and three pixels beside its place."""

    metainfo: dict = {'classes': ('background', 'lesion')}  # noqa: RUF012

    def __len__(self):
        return 3

    def __getitem__(self, index):
        return index


@MODELS.register_module(name='CaseTableTestNet', force=True)
class Net(BaseModel):
    def forward(self, *_, **__):
        raise NotImplementedError

    def test_step(self, data):
        return [self.predict(int(index)) for index in data]

    def predict(self, index):
        maps = np.zeros((2, 1, 6, 8), np.uint8)
        maps[0, 0, 2, 2] = maps[1, 0, 2, 3 + index] = 1
        target, pred = (PixelData(data=torch.as_tensor(one)) for one in maps)
        meta = {'case_id': f'c_{index}', 'patient_id': 'c', 'slice_index': index}
        return SegDataSample(
            metainfo=meta | {'spacing': (1.0, 0.5)},
            gt_sem_seg=target,
            pred_sem_seg=pred,
        )


def run_test(work_dir: Path, evaluators: list[dict]) -> Path:
    config = {
        'model': {'type': 'CaseTableTestNet'},
        'work_dir': str(work_dir),
        'test_dataloader': {
            'batch_size': 2,
            'num_workers': 0,
            'collate_fn': {'type': 'default_collate'},
            'dataset': {'type': 'CaseTableTestSlices'},
            'sampler': {'type': 'DefaultSampler', 'shuffle': False},
        },
        'test_evaluator': evaluators,
        'test_cfg': {},
        'custom_hooks': [{'type': 'mmmed.CaseTableHook'}],
        'log_level': 'ERROR',
        'experiment_name': f'case_table_{work_dir.name}',
    }
    Runner.from_cfg(Config(config)).test()
    return work_dir / 'evaluation' / 'test'


@pytest.mark.parametrize('order', [[0, 1, 2], [2, 1, 0]])
def test_all_metrics_share_one_table(tmp_path: Path, order: list[int]) -> None:
    names = [METRICS[place] for place in order]
    folder = run_test(tmp_path, [{'type': f'mmmed.{name}'} for name in names])
    assert sorted(path.name for path in folder.glob('*.csv')) == [
        'cases.csv', 'lesions.csv', 'patients.csv',
    ]  # fmt: skip
    with open(folder / 'cases.csv', newline='') as stream:
        rows = list(csv.DictReader(stream))
    assert [row['case_id'] for row in rows] == ['c_0', 'c_1', 'c_2']
    assert [float(row['dice']) for row in rows] == [0, 0, 0]
    assert [float(row['hausdorff_mm']) for row in rows] == [0.5, 1.0, 1.5]
    assert [int(row['false_positive_lesions']) for row in rows] == [1, 1, 1]
    value = json.loads((folder / 'summary.json').read_text())
    assert value['metrics']['surface/hausdorff_mm_image_lesion'] == 1.0
    assert value['metrics']['lesion/num_missed_lesion'] == 3
    structure = value['summary']['structures']['lesion']
    assert structure['scores']['image']['dice']['value'] == 0
    assert structure['scores']['image']['hausdorff_mm']['value'] == 1.0
    assert structure['lesions']['num_false_alarms'] == 3
    assert value['summary']['tolerance_mm'] == 2.0
    assert len(list((folder / 'pred').glob('*.png'))) == 3


def test_another_policy_does_not_overwrite(tmp_path: Path) -> None:
    evaluators = [
        {'type': 'mmmed.SurfaceMetric', 'tolerance_mm': 0.1, 'prefix': 'strict'},
        {'type': 'mmmed.SurfaceMetric', 'tolerance_mm': 9.0, 'prefix': 'lax'},
    ]
    folder = run_test(tmp_path, evaluators)
    found = {}
    for name in ('cases', 'lax_cases'):
        with open(folder / f'{name}.csv', newline='') as stream:
            found[name] = [float(r['surface_dice']) for r in csv.DictReader(stream)]
    assert found == {'cases': [0.5, 0.0, 0.0], 'lax_cases': [1.0, 1.0, 1.0]}
    summary = json.loads((folder / 'summary.json').read_text())['summary']
    assert (summary['tolerance_mm'], summary['lax']['tolerance_mm']) == (0.1, 9.0)
