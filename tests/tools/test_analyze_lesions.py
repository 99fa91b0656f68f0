import importlib.util
import json
from pathlib import Path

import numpy as np
import pytest

from mmmed.functional.packed_bits import pack_mask
from mmmed.io.base import write_volume
from mmmed.structures.manifest import Manifest
from mmmed.structures.volume import Volume
from mmmed.structures.volume_case import VolumeCase

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope='module')
def tool():
    path = ROOT / 'tools/analyze_lesions.py'
    spec = importlib.util.spec_from_file_location('analyze_lesions', path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def prepared(tmp_path):
    mask = np.zeros((9, 10, 11), bool)
    mask[2:5, 3:6, 4:9] = True
    folder = tmp_path / 'data/volumes/sub-a'
    folder.mkdir(parents=True)
    np.save(folder / 'seg.npy', pack_mask(mask))
    case = VolumeCase(
        case_id='sub-a',
        patient_id='sub-a',
        split='train',
        fold=0,
        img_paths={'t1w': 'volumes/sub-a/t1w.npy'},
        seg_map_path='volumes/sub-a/seg.npy',
        shape=mask.shape,
        spacing=(1.0, 1.0, 1.0),
        affine=((0, 0, 1.0, 0), (0, 1.0, 0, 0), (1.0, 0, 0, 0), (0, 0, 0, 1)),
        foreground_voxels=45,
        positive=True,
        sha256={'t1w': 'a' * 64, 'seg': 'b' * 64},
        extra={'site': 'R001'},
    )
    metainfo = {
        'schema_version': 1,
        'dataset': 'atlas',
        'task': 'segmentation',
        'unit': 'volume',
        'classes': ['background', 'lesion'],
        'channels': 1,
        'num_folds': 2,
    }
    Manifest(metainfo, (case,)).write(tmp_path / 'data/manifest.json')
    return tmp_path / 'data'


def test_whole_call(tool, prepared, tmp_path, capsys):
    labels = Volume(np.full((9, 10, 11), 2, np.int16), spacing=(1, 1, 1))
    write_volume(labels, tmp_path / 'map.nii.gz')
    call = [str(prepared), '--atlas', str(tmp_path / 'map.nii.gz'), '--json', '-q']
    assert tool.main(call) == 0
    said = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert said['rows'] == {'volume': 1, 'axial': 3, 'coronal': 3, 'sagittal': 5}
    found = {path.name for path in (prepared / 'lesions').iterdir()}
    assert {'lesions.html', 'lesions_axial.csv', 'regions.csv'} <= found
    assert ',45,45,' in (prepared / 'lesions/lesions_volume.csv').read_text()
    row = (prepared / 'lesions/subjects.csv').read_text().splitlines()[1]
    assert row.endswith('"≤ 5,000 mm³",0.0,1.0,subcortical')


def test_one_plane_with_published_names(tool, prepared, tmp_path):
    out = tmp_path / 'out'
    call = [str(prepared), '--plane', 'coronal', '--legacy-columns', '-q']
    assert tool.main([*call, '--out', str(out)]) == 0
    assert {path.name for path in out.glob('ATLAS*')} == {
        'ATLAS_Coronal_Lesion_information.csv',
        'ATLAS_Lesion_information_for_3D_MRI_Subject.csv',
    }


def test_mistakes_end_with_two_and_a_sentence(tool, tmp_path, capsys):
    assert tool.main([str(tmp_path / 'nothing'), '-q']) == 2
    assert 'no manifest at' in capsys.readouterr().err
    with pytest.raises(SystemExit) as stop:
        tool.main([str(tmp_path), '--workers', '0'])
    assert stop.value.code == 2
