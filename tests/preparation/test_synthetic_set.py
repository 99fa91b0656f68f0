import json

import numpy as np
import pytest

from mmmed.io import read_volume
from mmmed.phantoms import make_abdomen_cohort, write_abdomen_raw
from mmmed.preparation.findings import InputError
from mmmed.preparation.organ_scans import find_organ_scans
from mmmed.preparation.synthetic_set import generate_set
from mmmed.synthesis.specification import SynthesisSpec


@pytest.fixture(scope='module')
def scans(tmp_path_factory):
    raw = tmp_path_factory.mktemp('raw')
    cohort = make_abdomen_cohort(2, spacing=(8, 5, 5), tumors=0)
    write_abdomen_raw(raw, cohort, 'chaos')
    return find_organ_scans(raw)


def test_pairs_lie_on_the_grid_of_their_source(tmp_path, scans):
    made = generate_set(scans, tmp_path, SynthesisSpec(), count=2, quiet=True)
    assert made.exit_code == 0
    assert [case['case_id'] for case in made.cases] == [
        'chaos-1_000', 'chaos-1_001', 'chaos-2_000', 'chaos-2_001',
    ]  # fmt: skip
    source = read_volume(scans[0].image)
    organ = read_volume(scans[0].mask).array > 0
    for case in made.cases[:2]:
        image = read_volume(tmp_path / case['image'])
        label = read_volume(tmp_path / case['label'])
        image.check_grid(source)
        label.check_grid(source)
        assert image.array.dtype == source.array.dtype
        assert np.array_equal(image.array[~organ], source.array[~organ])
        assert np.array_equal(label.array > 0, organ)
        assert (label.array == 2).sum() == case['tumor_voxels'] > 0
    task = json.loads((tmp_path / 'dataset.json').read_text())
    assert task['numTraining'] == 4


def read_all(folder):
    paths = sorted(p for p in folder.rglob('*') if p.is_file())
    return {p.relative_to(folder): p.read_bytes() for p in paths}


def test_workers_and_interruptions_change_nothing(tmp_path, scans):
    spec = SynthesisSpec('automaton')
    generate_set(scans, tmp_path / 'a', spec, seed=3, quiet=True)
    generate_set(scans, tmp_path / 'b', spec, seed=3, workers=2, quiet=True)
    assert read_all(tmp_path / 'a') == read_all(tmp_path / 'b')
    # As if killed after the first scan.
    (tmp_path / 'b/records/chaos-2_000.json').unlink()
    (tmp_path / 'b/imagesTr/chaos-2_000.nii.gz').unlink()
    kept = (tmp_path / 'b/imagesTr/chaos-1_000.nii.gz').stat().st_mtime_ns
    generate_set(scans, tmp_path / 'b', spec, seed=3, quiet=True)
    assert read_all(tmp_path / 'a') == read_all(tmp_path / 'b')
    assert (tmp_path / 'b/imagesTr/chaos-1_000.nii.gz').stat().st_mtime_ns == kept


def test_a_scan_does_not_depend_on_the_others(tmp_path, scans):
    spec = SynthesisSpec('public')
    both = generate_set(scans, tmp_path / 'a', spec, quiet=True).cases
    alone = generate_set(scans[1:], tmp_path / 'b', spec, quiet=True).cases
    assert both[1] == alone[0]


def test_another_call_does_not_mix_in(tmp_path, scans):
    generate_set(scans[:1], tmp_path, SynthesisSpec('public'), quiet=True)
    with pytest.raises(InputError, match='not from the same call'):
        generate_set(scans[:1], tmp_path, SynthesisSpec('full'), quiet=True)


def test_a_broken_scan_is_named_and_the_others_are_made(tmp_path, scans):
    broken = tmp_path / 'broken.nii.gz'
    broken.write_bytes(b'no image')
    bad = find_organ_scans(broken, mask=scans[0].mask)
    made = generate_set([*bad, scans[0]], tmp_path / 'out', SynthesisSpec(), quiet=True)
    assert made.exit_code == 3
    assert 'broken.nii.gz' in made.errors['broken']
    assert len(made.cases) == 1
    with pytest.raises(InputError, match='no scan could be used'):
        generate_set(bad, tmp_path / 'none', SynthesisSpec(), quiet=True)
