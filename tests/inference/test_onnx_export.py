"""Exported networks: the same masks, and files that know how to be fed."""

import dataclasses
import subprocess
import sys

import numpy as np
import pytest
import torch
from torch import nn

from mmmed.inference.inferencer import Inferencer
from mmmed.inference.loading import LoadedNetworks, load_networks
from mmmed.inference.networks import OnnxNetwork, TorchNetwork
from mmmed.inference.onnx_export import export_onnx
from mmmed.inference.recipe import ScanRecipe

onnx = pytest.importorskip('onnx')
pytest.importorskip('onnxruntime')
pytest.importorskip('onnxscript')


@pytest.fixture(scope='module')
def exported(trained, tmp_path_factory):
    path = tmp_path_factory.mktemp('onnx') / 'net.onnx'
    loaded = load_networks(trained.config, trained.weights[:1])
    assert export_onnx(loaded, path) < 1e-4
    return loaded, path


def test_gives_the_same_masks_from_its_own_recipe(exported, make_volume, rng) -> None:
    loaded, path = exported
    again = load_networks(None, [path])
    assert again.recipe == loaded.recipe
    hu = rng.integers(-100, 200, (5, 60, 44)).astype(np.int16)
    volume = make_volume(hu, 'LAS', 10.0)
    masks = [
        Inferencer(one.networks, one.recipe, use_tta=tta).predict(volume).volume.array
        for one in (loaded, again)
        for tta in (False, True)
    ]
    assert np.array_equal(masks[0], masks[2])
    assert np.array_equal(masks[1], masks[3])
    assert 0.1 < masks[0].mean() < 0.9


def test_changes_apply_to_files_too(exported) -> None:
    _, path = exported
    rule = {'kind': 'window', 'windows_hu': [[10, 20]]}
    loaded = load_networks(
        None, [path], changes={'plane': 'coronal', 'intensity': rule}
    )
    assert loaded.recipe.orientation == 'PIL'
    assert loaded.recipe.intensity.windows_hu == ((10.0, 20.0),)


def test_metadata_names_weights_and_version(exported) -> None:
    loaded, path = exported
    properties = {p.key: p.value for p in onnx.load(path).metadata_props}
    assert properties['mmmed.weights'] == 'fold0.pth'
    assert properties['mmmed.weights_sha256'] == loaded.weights[0][1]
    assert 'mmmed.version' in properties


def test_runs_without_the_host(exported) -> None:
    """No mmengine, mmcv or mmseg is needed to run a file."""
    code = (
        'import sys\n'
        "for name in ('mmengine', 'mmcv', 'mmseg'): sys.modules[name] = None\n"
        'from mmmed.inference.networks import OnnxNetwork\n'
        'from mmmed.inference.inferencer import Inferencer\n'
        f'network = OnnxNetwork({str(exported[1])!r})\n'
        'print(network.read_recipe().size)\n'
    )
    result = subprocess.run(
        [sys.executable, '-c', code], capture_output=True, text=True, check=False
    )
    assert result.stdout.strip() == '(48, 48)', result.stderr


def test_volumes_can_be_exported(tmp_path, recipe3d, make_volume, rng) -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv3d(1, 4, 3, padding=1), nn.InstanceNorm3d(4))
    loaded = LoadedNetworks((TorchNetwork(model),), recipe3d, (('a.pth', '0'),))
    export_onnx(loaded, tmp_path / 'net.onnx')
    volume = make_volume(rng.normal(size=(9, 13, 12)).astype('f4'))
    again = load_networks(None, [tmp_path / 'net.onnx'])
    first, second = (
        Inferencer(one.networks, recipe3d).predict(volume).volume.array
        for one in (loaded, again)
    )
    assert np.array_equal(first, second)


def test_what_cannot_be_exported(exported, tmp_path, recipe2d, identity) -> None:
    loaded, path = exported
    with pytest.raises(ValueError, match='one checkpoint'):
        export_onnx(load_networks(None, [path]), tmp_path / 'a.onnx')
    with pytest.raises(ValueError, match=r'\.onnx'):
        export_onnx(loaded, tmp_path / 'a.pt')
    free = dataclasses.replace(loaded.recipe, crop_size=None, stride=None, size=None)
    with pytest.raises(ValueError, match='one size'):
        export_onnx(dataclasses.replace(loaded, recipe=free), tmp_path / 'a.onnx')
    assert list(tmp_path.iterdir()) == []


def test_files_that_are_not_ours(tmp_path, exported) -> None:
    (tmp_path / 'junk.onnx').write_bytes(b'junk')
    with pytest.raises(ValueError, match=r'junk\.onnx'):
        OnnxNetwork(tmp_path / 'junk.onnx')
    with pytest.raises(FileNotFoundError, match='nowhere'):
        OnnxNetwork(tmp_path / 'nowhere.onnx')
    model = onnx.load(exported[1])
    del model.metadata_props[:]
    onnx.save(model, tmp_path / 'plain.onnx')
    with pytest.raises(ValueError, match='how to feed it'):
        OnnxNetwork(tmp_path / 'plain.onnx').read_recipe()
    for text in ('{', '[]', '{"classes": 7}', '{"classes": ["a", "b"], "x": 1}'):
        onnx.helper.set_model_props(model, {'mmmed.recipe': text})
        onnx.save(model, tmp_path / 'odd.onnx')
        with pytest.raises(ValueError, match=r'odd\.onnx'):
            OnnxNetwork(tmp_path / 'odd.onnx').read_recipe()


def test_a_fed_size_is_what_the_graph_takes(exported) -> None:
    loaded, path = exported
    assert isinstance(loaded.recipe, ScanRecipe)
    (fed,) = onnx.load(path).graph.input
    sizes = [d.dim_value for d in fed.type.tensor_type.shape.dim]
    assert sizes == [0, 1, *loaded.recipe.fed_size]  # 0: any number of images
