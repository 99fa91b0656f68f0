import importlib
import os
import subprocess
import sys

import pytest

import mmmed.compat

ops_are_missing = mmmed.compat.install()['ops'] == 'active'


def run_python(code, **environment):
    return subprocess.run(
        [sys.executable, '-c', code],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def test_install_is_idempotent():
    before = list(sys.meta_path)
    assert mmmed.compat.install() == mmmed.compat.install()
    assert sys.meta_path == before


def test_host_models_import():
    assert importlib.import_module('mmseg.models').UNet.__name__ == 'UNet'


@pytest.mark.skipif(not ops_are_missing, reason='mmcv has its operators here')
def test_missing_op_says_which_and_how_to_get_it():
    import torch
    from mmcv.ops import nms

    with pytest.raises(mmmed.compat.MissingOpError, match=r"'nms'.*MMCV=full"):
        nms(torch.tensor([[0.0, 0, 1, 1]]), torch.ones(1), 0.5)


@pytest.mark.skipif(not ops_are_missing, reason='mmcv has its operators here')
def test_sync_batchnorm_can_be_reverted():
    # A stub without a module spec breaks this probe of MMEngine.
    import torch
    from mmengine.model.utils import revert_sync_batchnorm

    reverted = revert_sync_batchnorm(torch.nn.SyncBatchNorm(2))
    assert 'SyncBatchNorm' not in type(reverted).__name__


def test_each_repair_can_be_switched_off():
    code = 'import mmmed.compat as c; print(sorted(c.install().items()))'
    names = [repair.name for repair in mmmed.compat.REPAIRS]
    result = run_python(code, **{mmmed.compat.SWITCH: ','.join(names)})
    assert result.returncode == 0, result.stderr
    assert result.stdout.strip() == str(sorted((name, 'off') for name in names))


@pytest.mark.skipif(not ops_are_missing, reason='mmcv has its operators here')
def test_without_the_ops_repair_the_host_fails():
    result = run_python('import mmmed.compat, mmseg.models', MMMED_COMPAT_OFF='ops')
    assert 'mmcv._ext' in result.stderr


def test_unknown_switch_is_refused():
    result = run_python('import mmmed.compat', MMMED_COMPAT_OFF='opps')
    assert "unknown repairs ['opps']" in result.stderr


def test_each_active_repair_is_logged_once():
    code = 'import mmmed.compat as c; c.install(); c.install(); print(c.install())'
    result = run_python(code)
    output = result.stdout + result.stderr
    for repair in mmmed.compat.REPAIRS:
        state = mmmed.compat.install()[repair.name]
        expected = 1 if state == 'active' else 0
        assert output.count(f'{repair.name} is active') == expected


def test_importing_mmmed_repairs_nothing():
    code = "import sys, mmmed; print('mmengine' in sys.modules, 'torch' in sys.modules)"
    assert run_python(code).stdout.strip() == 'False False'


@pytest.mark.skipif(
    mmmed.compat.install()['torchvision'] != 'active',
    reason='torchvision is absent, or fits torch',
)
def test_torchvision_of_another_torch_imports_and_its_operators_raise() -> None:
    code = (
        'import mmmed.compat, torch, torchvision\n'
        'try: torchvision.ops.nms(torch.zeros(1, 4), torch.zeros(1), 0.5)\n'
        'except RuntimeError: print("raised")\n'
    )
    assert run_python(code).stdout.strip().endswith('raised')
    broken = run_python('import torch, torchvision')
    assert 'operator torchvision::' in broken.stderr
