import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / 'tools'))
import import_reference_yaml as tool  # noqa: E402

EXPERIMENT = """
seed: 1
model: {name: UNET, features: 8, loss: {name: DiceLoss}, last_activation: sigmoid}
data:
  dataset: {cord: {path: cord, crawler: {name: segmentation_file}}}
  preprocess: [{name: alb.Resize, params: {height: 64, width: 64}}]
trainer:
  epochs: 2
  lr: {init_value: 0.001}
  optimizer: {name: Adam}
  loader: {batch_size: 2}
"""


@pytest.fixture
def experiment(tmp_path):
    path = tmp_path / 'cord_01.yaml'
    path.write_text(EXPERIMENT)
    return path


def test_writes_a_config_and_says_how(experiment, capsys):
    from mmengine.config import Config

    assert tool.main([str(experiment), '--json']) == 0
    out, err = capsys.readouterr()
    assert json.loads(out.splitlines()[-1])['written'] is True
    assert 'mended: data.preprocess[0]' in err
    cfg = Config.fromfile(experiment.with_suffix('.py'))
    assert cfg.model.backbone.features == 8
    assert tool.main([str(experiment)]) == 2
    assert 'exists; give another --out' in capsys.readouterr().err


@pytest.mark.parametrize(('strict', 'written'), [([], True), (['--strict'], False)])
def test_says_which_key_has_no_counterpart(experiment, capsys, strict, written):
    experiment.write_text(EXPERIMENT + '  amp: O2\n')
    assert tool.main([str(experiment), *strict]) == 3
    assert 'unmatched: trainer.amp' in capsys.readouterr().err
    assert experiment.with_suffix('.py').exists() is written


@pytest.mark.parametrize('text', ['[', 'a: ../b.yaml', 'model: {name: UNET}'])
def test_refuses(experiment, capsys, text):
    experiment.write_text(text)
    assert tool.main([str(experiment)]) == 2
    assert capsys.readouterr().err.startswith('error: ')
    assert not experiment.with_suffix('.py').exists()


def test_help_shows_a_command():
    command = [sys.executable, str(ROOT / 'tools/import_reference_yaml.py'), '--help']
    shown = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert 'python tools/import_reference_yaml.py' in shown
