"""The command: arguments, messages, exit codes, the machine-readable line."""

import importlib.util
import json
from pathlib import Path

import numpy as np
import pytest
import torch

from mmmed.io import read_volume, write_volume
from mmmed.structures import Volume

TOOL = Path(__file__).resolve().parents[2] / 'tools' / 'infer.py'
CONFIG = """
model = dict(type='mmmed.MedEncoderDecoder',
    data_preprocessor=dict(type='SegDataPreProcessor', mean=[127.5], std=[10.0]),
    backbone=dict(type='UNet', in_channels=1, base_channels=2, num_stages=2,
        strides=(1, 1), enc_num_convs=(1, 1), dec_num_convs=(1,),
        downsamples=(True,), enc_dilations=(1, 1), dec_dilations=(1,),
        norm_cfg=dict(type='IN', affine=True), upsample_cfg=dict(type='InterpConv')),
    decode_head=dict(type='mmmed.MedFCNHead', in_channels=2, channels=2, in_index=1,
        num_convs=0, concat_input=False, num_classes=2, out_channels=1,
        norm_cfg=dict(type='IN'),
        loss_decode=dict(type='mmmed.DiceCELoss')),
    test_cfg=dict(mode='whole', size_divisor=4))
default_scope = 'mmseg'
custom_imports = dict(imports=['mmmed.compat'])
test_pipeline = [dict(type='mmmed.LoadSlice', size=(16, 16)),
    dict(type='mmmed.PackMedInputs')]
"""


@pytest.fixture(scope='module')
def tool():
    spec = importlib.util.spec_from_file_location('infer_tool', TOOL)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope='module')
def trained(tmp_path_factory) -> tuple[str, str]:
    from mmengine.config import Config

    from mmmed.inference.loading import build_model

    folder = tmp_path_factory.mktemp('trained')
    (folder / 'tiny.py').write_text(CONFIG)
    torch.manual_seed(0)
    model = build_model(Config.fromfile(folder / 'tiny.py'))
    meta = {'dataset_meta': {'classes': ['background', 'hemorrhage'], 'channels': 1}}
    state = {'state_dict': model.state_dict(), 'meta': meta}
    torch.save(state, folder / 'tiny.pth')
    return str(folder / 'tiny.py'), str(folder / 'tiny.pth')


@pytest.fixture
def scans(tmp_path, rng) -> Path:
    for name in ('a.nii.gz', 'b.nii.gz', 'c.nii.gz'):
        hu = rng.integers(-200, 300, (3, 20, 12)).astype(np.int16)
        write_volume(Volume(hu, (5.0, 1.0, 0.5)), tmp_path / 'scans' / name)
    return tmp_path / 'scans'


WINDOW = ['--window-level', '40', '--window-width', '120']


def test_masks_summary_and_skipping(tool, trained, scans, tmp_path, capsys) -> None:
    call = [*trained, str(scans), str(tmp_path / 'out'), *WINDOW, '--json']
    assert tool.main(call) == 0
    summary = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert (summary['cases'], summary['done'], summary['failed']) == (3, 3, 0)
    mask = read_volume(tmp_path / 'out' / 'b.nii.gz')
    assert mask.shape == (3, 20, 12)
    assert mask.spacing == (5.0, 1.0, 0.5)
    assert tool.main([*call, '-q']) == 0
    (line,) = capsys.readouterr().out.splitlines()
    assert json.loads(line)['skipped'] == 3


def test_an_unknown_window_is_exit_2_and_says_what_to_do(
    tool, trained, scans, tmp_path, capsys
) -> None:
    call = [*trained, str(scans), str(tmp_path / 'out')]
    assert tool.main(call) == 2
    error = capsys.readouterr().err.strip().splitlines()[-1]
    assert error.startswith('error: ')
    assert '--window-level' in error
    assert not (tmp_path / 'out').exists()
    with pytest.raises(ValueError, match='window'):
        tool.main([*call, '--debug'])


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        (lambda c: [c[0], c[1], 'nowhere', c[3]], 'nowhere'),
        (lambda c: [c[0], 'no.pth', c[2], c[3]], 'no.pth'),
        (lambda c: ['no.py', *c[1:]], 'no.py'),
        (lambda c: c[:2], '2 paths'),
        (lambda c: [*c, '--tta'], 'views'),
        (lambda c: [*c, '--num-parts', '2', '--part-id', '2'], 'part'),
        (lambda c: [*c, '--neighbors', '1'], 'channels'),
        (lambda c: [*c, '--batch-size', '0'], 'batch size'),
        (lambda c: [*c[:3], c[2]], 'another folder'),
    ],
)
def test_mistakes_are_one_line_and_exit_2(
    tool, trained, scans, tmp_path, capsys, change, message
) -> None:
    call = [*trained, str(scans), str(tmp_path / 'out')]
    assert tool.main([*change(call), *WINDOW]) == 2
    error = capsys.readouterr().err.strip().splitlines()[-1]
    assert error.startswith('error: ')
    assert message in error


def test_a_bad_scan_is_exit_3_and_named(tool, trained, scans, tmp_path, capsys) -> None:
    (scans / 'b.nii.gz').write_bytes(b'\x1f\x8b damaged')
    call = [*trained, str(scans), str(tmp_path / 'out'), *WINDOW, '--json']
    assert tool.main(call) == 3
    summary = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert list(summary['errors']) == ['b']
    assert summary['done'] == 2
    assert not (tmp_path / 'out' / 'b.nii.gz').exists()


def test_dry_run_plane_and_probabilities(
    tool, trained, scans, tmp_path, capsys
) -> None:
    out = tmp_path / 'out'
    call = [*trained, str(scans / 'a.nii.gz'), str(out), *WINDOW, '--save', 'prob']
    call += ['--plane', 'coronal', '--ensemble', 'mean']
    assert tool.main([*call, '--dry-run']) == 0
    assert 'planned 1' in capsys.readouterr().out
    assert not out.exists()
    assert tool.main(call) == 0
    assert read_volume(out / 'prob' / 'hemorrhage' / 'a.nii.gz').array.dtype == '<f4'
    assert not (out / 'a.nii.gz').exists()
    settings = json.loads((out / 'run.json').read_text())['inference']['settings']
    assert settings['recipe']['orientation'] == 'PIL'


def test_interruption_is_exit_130(tool, trained, scans, tmp_path, monkeypatch) -> None:
    def interrupt(*args, **kwargs):
        raise KeyboardInterrupt

    monkeypatch.setattr(tool.inference, 'infer_scans', interrupt)
    assert tool.main([*trained, str(scans), str(tmp_path / 'out'), *WINDOW]) == 130


def test_export_and_run(tool, trained, scans, tmp_path, capsys) -> None:
    for package in ('onnx', 'onnxruntime', 'onnxscript'):
        pytest.importorskip(package)
    network = str(tmp_path / 'net.onnx')
    assert tool.main([*trained, network, *WINDOW, '--export', 'onnx']) == 0
    assert tool.main([*trained, str(scans), str(tmp_path / 'torch'), *WINDOW]) == 0
    assert tool.main([network, str(scans), str(tmp_path / 'onnx')]) == 0
    first, second = (
        [read_volume(tmp_path / kind / f'{name}.nii.gz').array for name in 'abc']
        for kind in ('torch', 'onnx')
    )
    assert np.array_equal(first, second)


def test_help_shows_examples(tool, capsys) -> None:
    with pytest.raises(SystemExit) as caught:
        tool.main(['--help'])
    assert caught.value.code == 0
    assert 'CONFIG.py CKPT.pth scans/ masks/' in capsys.readouterr().out
