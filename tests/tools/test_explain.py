"""A routing network with known weights explains prepared cases by the command."""

import csv
import importlib.util
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from mmmed.inference.loading import build_model
from mmmed.structures.manifest import Manifest
from mmmed.structures.region_explanation import read_explanation

ROOT = Path(__file__).resolve().parents[2]
SEQUENCES = ['t2', 'lap', 'adc']
ROUTING = {'t2': ['t2'], 'ap': ['lap'], 'type': SEQUENCES}


@pytest.fixture(scope='module')
def manifest(prepared_lesions):
    return Manifest.read(prepared_lesions / 'manifest.json')


@pytest.fixture(scope='module')
def work_dir(manifest, tmp_path_factory):
    """A checkpoint that describes itself, and a temperature of its validation."""
    folder = tmp_path_factory.mktemp('run') / 'crn'
    folder.mkdir()
    torch.manual_seed(1)
    classes = manifest.metainfo['targets']
    sizes = {name: len(classes[name]) for name in ROUTING}
    model = {
        'type': 'mmmed.VolumeClassifier',
        'network': {
            'type': 'mmmed.CorrelationRoutingNetwork', 'sequences': SEQUENCES,
            'routing': ROUTING, 'variant': '0.1',
        },
        'head': {'type': 'mmmed.SignalRelayHead', 'targets': sizes},
    }  # fmt: skip
    built = build_model({'default_scope': 'mmseg', 'model': model})
    entry = {
        'schema_version': 1,
        'targets': classes,
        'sequences': SEQUENCES,
        'model': model,
        'dataset': {'type': 'mmmed.MultiSequenceROIDataset'},
        'pipeline': [
            {'type': 'mmmed.LoadROISequences', 'size': (4, 8, 8)},
            {'type': 'mmmed.PackROISequences'},
        ],
        'split': {'fold': 0, 'split_hash': manifest.split_hash},
    }
    meta = {'classification': entry, 'iter': 7}
    weights = {'state_dict': built.state_dict(), 'meta': meta}
    torch.save(weights, folder / 'epoch_1.pth')
    temperature = {'by_iteration': {'7': {'type': {'temperature': 0.25}}}}
    (folder / 'calibration.json').write_text(json.dumps(temperature))
    return folder


def load_tool(name):
    spec = importlib.util.spec_from_file_location(name, ROOT / f'tools/{name}.py')
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.main


@pytest.fixture(scope='module')
def explained(work_dir, prepared_lesions, manifest, tmp_path_factory):
    """Results of both commands for the case with fewest sequences."""
    out = tmp_path_factory.mktemp('out')
    source = str(prepared_lesions)
    call = ['--models', str(work_dir), source, str(out), '-q', '--num-resamples', '0']
    assert load_tool('classify')(call) == 0
    case = min(manifest.cases, key=lambda case: len(case.img_paths)).case_id
    call = ['--model', str(work_dir), source, str(out), '-q', '--device', 'cpu']
    assert load_tool('explain')([*call, '--cases', case]) == 0
    return out, case


def test_what_is_explained_is_what_was_predicted(explained, manifest):
    out, name = explained
    case = read_explanation(out / 'explanations' / f'{name}.json')
    with (out / 'predictions.csv').open() as stream:
        rows = {r['target']: r for r in csv.DictReader(stream) if r['case_id'] == name}
    for target, classes in manifest.metainfo['targets'].items():
        expected = [float(rows[target][f'prob_{k}']) for k in range(len(classes))]
        np.testing.assert_allclose(case.prob[target], expected, atol=1e-6)
    known = next(c for c in manifest.cases if c.case_id == name)
    assert not case.available.all()
    assert case.available.tolist() == [s in known.img_paths for s in SEQUENCES]
    assert case.seen_in_training is (known.get_role(0) in ('train', 'val'))
    assert (case.main_target, case.orientation) == ('type', 'SAR')
    # Blocks of 1 x 2 x 2 voxels in 4 x 8 x 8.
    assert case.occlusion.shape == (1, 3, 64)
    assert np.isnan(case.occlusion).all((0, 2)).tolist() == (~case.available).tolist()
    assert case.sequence_maps.shape == (1, 3, 2, 4, 4)
    assert dict(case.routing) == {t: tuple(s) for t, s in ROUTING.items()}


def test_an_explained_case_is_explained_again_only_if_asked_otherwise(
    explained, work_dir, prepared_lesions, capsys
):
    out, name = explained
    call = ['--model', str(work_dir), str(prepared_lesions), str(out), '--cases', name]
    counts = []
    for options in ([], ['--no-occlusion'], ['--no-occlusion', '--overwrite'], []):
        assert load_tool('explain')([*call, '--device', 'cpu', '--json', *options]) == 0
        summary = json.loads(capsys.readouterr().out.splitlines()[-1])
        counts.append((summary['explained'], summary['kept']))
    assert counts == [(0, 1), (1, 0), (1, 0), (1, 0)]


def test_models_below_one_folder_answer_together(
    work_dir, prepared_lesions, manifest, tmp_path
):
    root = tmp_path / 'folds'
    shutil.copytree(work_dir, root / 'fold0')
    other = torch.load(work_dir / 'epoch_1.pth', weights_only=True)
    for weight in other['state_dict'].values():
        if weight.is_floating_point():
            weight.mul_(0.5)
    other['meta']['classification']['split']['fold'] = 1
    (root / 'fold1').mkdir()
    torch.save(other, root / 'fold1' / 'epoch_1.pth')
    found = []
    for model in ('fold0', 'fold1', ''):
        call = [
            '--model',
            str(root / model),
            str(prepared_lesions),
            str(tmp_path / 'o'),
        ]
        case = manifest.cases[0].case_id
        options = ['--cases', case, '--block', '4', '8', '8', '-q', '--device', 'cpu']
        assert load_tool('explain')([*call, *options]) == 0
        found.append(read_explanation(tmp_path / 'o/explanations' / f'{case}.json'))
    first, second, both = found
    assert not np.allclose(first.prob['type'], second.prob['type'])
    for name in ('prob', 'ablation'):
        a, b, mean = (getattr(part, name)['type'] for part in (first, second, both))
        np.testing.assert_allclose(mean, (a + b) / 2, atol=1e-6)
    assert both.relay is None
    assert both.model == 'mean of 2 models (fold0, fold1)'
    # Each case is in training of all folds but its own.
    assert both.seen_in_training is True


def test_pages_are_made_anew(explained):
    out, name = explained
    pages = [out / 'report.html', out / 'explanations' / f'{name}.html']
    before = [page.read_bytes() for page in pages]
    assert f'explanations/{name}.html'.encode() in before[0]
    for page in pages:
        page.unlink()
    assert load_tool('explain')(['--pages-only', str(out), '-q']) == 0
    assert [page.read_bytes() for page in pages] == before


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        (['--cases', 'nobody'], 'has no case nobody'),
        (['--target', 'mvi'], "target 'mvi'"),
        (['--batch-size', '0'], 'expected 1 or more'),
    ],
)
def test_a_wrong_call_is_one_clear_line(
    work_dir, prepared_lesions, tmp_path, capsys, options, message
):
    call = ['--model', str(work_dir), str(prepared_lesions), str(tmp_path / 'x')]
    assert load_tool('explain')([*call, *options]) == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / 'x').exists()
