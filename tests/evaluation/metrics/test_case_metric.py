"""All metrics per case together: one evaluator, one process or two."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.evaluator import Evaluator
from mmengine.structures import PixelData
from mmseg.structures import SegDataSample

from mmmed.registry import METRICS

META = {'classes': ('background', 'hemorrhage', 'edema')}
CONFIG = [
    {'type': f'mmmed.{name}', 'num_resamples': 100}
    for name in ('CaseOverlapMetric', 'SurfaceMetric', 'LesionMetric')
]


def make_samples(number: int = 7) -> list[SegDataSample]:
    """Random blocks of two structures, some slices without any."""
    rng = np.random.default_rng(3)
    samples = []
    for index in range(number):
        maps = []
        for _ in range(2):
            blocks = rng.choice(3, (5, 4), p=[0.8, 0.1, 0.1]) * (index % 3 > 0)
            maps.append(torch.as_tensor(np.kron(blocks, np.ones((2, 3), int)))[None])
        meta = {
            'case_id': f'p{index // 2}_{index}',
            'patient_id': f'p{index // 2}',
            'slice_index': index,
            'spacing': (0.75, 0.5),
        }
        pred, target = (PixelData(data=data) for data in maps)
        samples.append(
            SegDataSample(metainfo=meta, pred_sem_seg=pred, gt_sem_seg=target)
        )
    return samples


def evaluate(samples: list[SegDataSample], size: int) -> list:
    evaluator = Evaluator([METRICS.build(dict(options)) for options in CONFIG])
    evaluator.dataset_meta = META
    for sample in samples:
        evaluator.process(data_samples=[sample])
    metrics = evaluator.evaluate(size)
    state = [metrics, *([m.tables, m.summary] for m in evaluator.metrics)]
    return json.loads(json.dumps(state))


def test_one_evaluator_takes_them_all() -> None:
    metrics, *state = evaluate(make_samples(), 7)
    for key in (
        'overlap/dice_patient_edema',
        'surface/surface_dice_image_edema',
        'lesion/f1_image_hemorrhage',
    ):
        assert 0 <= metrics[key] <= 1
    # The same case is in the same row of every table, with the same counts.
    tables = [tables['cases'] for tables, _ in state]
    shared = tables[0][0].keys() & tables[1][0].keys() & tables[2][0].keys()
    assert {'case_id', 'label', 'outcome', 'tp', 'fp', 'fn', 'tn'} <= shared
    for rows in zip(*tables, strict=True):
        assert (
            len({tuple(str(row[key]) for key in sorted(shared)) for row in rows}) == 1
        )


@pytest.mark.slow
def test_two_real_processes_give_the_same_bits(tmp_path: Path) -> None:
    """Seven cases do not divide by two: a rank repeats one, as the sampler does."""
    command = [sys.executable, __file__, str(tmp_path)]
    ranks = [subprocess.Popen([*command, str(rank)]) for rank in range(2)]
    assert [rank.wait(timeout=120) for rank in ranks] == [0, 0]
    alone = evaluate(make_samples(), 7)
    for rank in range(2):
        assert json.loads((tmp_path / f'{rank}.json').read_text()) == alone


def evaluate_rank(folder: str, rank: int) -> None:
    """Body of one process of the test above."""
    torch.distributed.init_process_group(
        'gloo', init_method=f'file://{folder}/store', rank=rank, world_size=2
    )
    samples = make_samples()
    samples.append(samples[0])
    state = evaluate(samples[rank::2], 7)
    Path(folder, f'{rank}.json').write_text(json.dumps(state))
    torch.distributed.destroy_process_group()


if __name__ == '__main__':
    evaluate_rank(sys.argv[1], int(sys.argv[2]))
