import json

import numpy as np
import pytest

from mmmed.datasets import MultiSequenceROIDataset
from mmmed.io import write_volume
from mmmed.preparation import LesionROIPreparer
from mmmed.structures import Manifest, Volume

SEQUENCES = (
    'preartery', 'lap', 'pv', 'delay', 'ip', 'op', 't2', 'dwi_b0', 'dwi_b1', 'adc',
)  # fmt: skip
PIPELINE = [
    {'type': 'mmmed.LoadROISequences', 'size': [5, 40, 40], 'field': [1.5, 2, 2]},
    {'type': 'mmmed.PackROISequences'},
]


@pytest.mark.data
def test_real_lesions_in_ten_sequences(sample_data, tmp_path):
    folder = sample_data / 'liver_lesions_10seq'
    if not folder.is_dir():
        pytest.skip(f'real lesions absent: {folder}')
    stored = {}
    for label, name in enumerate(('hcc', 'hem', 'cyst')):
        with np.load(folder / f'{name}_10seq.npz', allow_pickle=False) as file:
            arrays = file['x']
        stored[name] = arrays
        case = tmp_path / 'raw' / f'{name}_lesion0_20.0mm'
        files = [f'{sequence}.nii.gz' for sequence in SEQUENCES]
        # First: their own names, with brackets, become plain ones.
        names = [f.replace('_b0', '(b0)').replace('_b1', '(b1)') for f in files]
        for file_name, array in zip(names, arrays, strict=True):
            write_volume(Volume(array, (5.0, 1.0, 1.0)), case / file_name)
        record = {'label': label, 'nifti_files': names, 'distance': ''}
        (case / 'annotations.json').write_text(json.dumps({'0': record}))
    preparer = LesionROIPreparer(num_folds=3, normalize=['adc=zscore'])
    outcome = preparer.prepare(tmp_path / 'raw', tmp_path / 'out', quiet=True)
    assert outcome.exit_code == 0
    manifest = Manifest.read(tmp_path / 'out' / 'manifest.json')
    assert manifest.metainfo['sequences'] == list(SEQUENCES)
    case = next(c for c in manifest.cases if c.patient_id == 'hcc')
    array = np.load(tmp_path / 'out' / case.img_paths['dwi_b1'], allow_pickle=False)
    np.testing.assert_array_equal(array, stored['hcc'][8])
    dataset = MultiSequenceROIDataset(
        str(tmp_path / 'out'), pipeline=PIPELINE, test_mode=True, serialize_data=False
    )
    packed = dataset[0]
    assert packed['inputs'].shape == (10, 1, 5, 40, 40)
    assert packed['data_samples'].available.all()
    assert packed['inputs'].std() > 0.3
