"""Which cases are explained; real lesions in ten sequences, explained to a page."""

from pathlib import Path

import numpy as np
import pytest
import torch

from mmmed.files import write_csv_atomic
from mmmed.inference.classifier_config import ClassifierDescription
from mmmed.inference.classifier_models import LoadedClassifier
from mmmed.inference.explanation_run import choose_cases
from mmmed.inference.loading import build_model
from mmmed.inference.region_answers import ExplanationOptions, explain_region
from mmmed.reporting import write_classification_report
from mmmed.structures.region_explanation import read_explanation, write_explanation
from mmmed.structures.roi_sample import ROISample

SEQUENCES = (
    'preartery', 'lap', 'pv', 'delay', 'ip', 'op', 't2', 'dwi_b0', 'dwi_b1', 'adc',
)  # fmt: skip
SIGNS = ('t1', 't2', 'ap', 'pvp', 'dp', 'cent', 'prog', 'inner', 'fat', 'dwi', 'adc')


def test_surest_errors_first_then_surest_right_answers(tmp_path):
    answers = [
        ('type', 0.5, 0), ('type', 0.9, 0), ('ap', 1.0, 0), ('type', 0.8, 1),
        ('type', 0.95, 1), ('type', 1.0, None), ('type', 0.7, 1),
    ]  # fmt: skip
    rows = [
        {'case_id': f'c{k}', 'target': target, 'confidence': sure, 'correct': right}
        for k, (target, sure, right) in enumerate(answers)
    ]
    write_csv_atomic(tmp_path / 'predictions.csv', rows)
    found = choose_cases(tmp_path / 'predictions.csv', 'type', number=2)
    assert found == ['c1', 'c0', 'c4', 'c3']
    assert choose_cases(tmp_path / 'absent.csv', 'type') == []
    (tmp_path / 'predictions.csv').write_text('case_id,target\na,type\n')
    with pytest.raises(ValueError, match='classify again'):
        choose_cases(tmp_path / 'predictions.csv', 'type')


def build_published_network():
    """CRN 0.1 on stacks of five slices, untrained."""
    torch.manual_seed(0)
    sizes = dict.fromkeys(SIGNS, 2) | {'type': 6}
    config = {
        'type': 'mmmed.VolumeClassifier',
        'network': {
            'type': 'mmmed.CorrelationRoutingNetwork', 'sequences': SEQUENCES,
            'variant': '0.1', 'dims': 2, 'slices': 5,
        },
        'head': {'type': 'mmmed.SignalRelayHead', 'targets': sizes},
    }  # fmt: skip
    model = build_model({'default_scope': 'mmseg', 'model': config}).eval()
    classes = {t: tuple(f'{t}{k}' for k in range(n)) for t, n in sizes.items()}
    description = ClassifierDescription(classes, SEQUENCES, config, {}, [], {})
    return LoadedClassifier('crn', Path('crn.pth'), '', model, description, {})


def read_real_lesion(path, absent):
    """What a data set would give of one file, one sequence taken away."""
    with np.load(path, allow_pickle=False) as file:
        images = file['x'].astype(np.float32) / 255
        names = [str(name).lstrip('0123456789') for name in file['names']]
    assert [n.replace('(', '_').rstrip(')') for n in names] == list(SEQUENCES)
    available = torch.tensor([name != absent for name in SEQUENCES])
    inputs = torch.from_numpy(images)[:, None] * available.reshape(-1, 1, 1, 1, 1)
    meta = {'case_id': path.stem, 'patient_id': path.stem, 'size_mm': 30.0}
    sample = ROISample(metainfo=meta | {'spacing': (5.0, 1.0, 1.0)})
    sample.available = available
    return {'inputs': inputs, 'data_samples': sample}


@pytest.mark.data
def test_real_lesions_are_explained_to_pages(sample_data, tmp_path):
    classifier = build_published_network()
    options = ExplanationOptions(block=(5, 40, 40), quiet=True)
    paths = sorted((sample_data / 'liver_lesions_10seq').glob('*.npz'))
    assert len(paths) == 3
    (tmp_path / 'explanations').mkdir()
    (tmp_path / 'others').mkdir()
    for path in paths:
        item = read_real_lesion(path, absent='op')
        explanation = explain_region([classifier], item, 'type', options)
        # One page is enough.
        folder = 'explanations' if path.stem == 'hcc_10seq' else 'others'
        out = tmp_path / folder / f'{path.stem}.json'
        write_explanation(explanation, out)
        found = read_explanation(out)
        assert found.image.shape == (10, 5, 80, 80)
        # Blocks of a quarter, in nine sequences; every sign tells the type.
        assert np.isfinite(found.occlusion).sum() == 9 * 4
        assert np.abs(found.occlusion[0, 0]).max() > 0
        assert found.sequence_maps.shape == (1, 10, 1, 40, 40)
        assert np.isnan(found.sequence_maps[0, 5]).all()
        assert found.ablation['type'][5].tolist() == [0] * 6
        assert found.ablation['type'][0].any()
        # The fat sign reads the opposed phase too, and still has the other one.
        assert found.target_maps.shape == (12, 1, 10, 10)
        assert np.isfinite(found.target_maps).all()
    page = write_classification_report(tmp_path).read_text()
    assert 'explanations/hcc_10seq.html' in page
    assert (tmp_path / 'explanations/hcc_10seq.html').stat().st_size > 1e5
