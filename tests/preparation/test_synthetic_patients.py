import json

import pytest

from mmmed.phantoms import make_abdomen_cohort, write_abdomen_raw
from mmmed.preparation.decathlon import DecathlonPreparer
from mmmed.preparation.findings import InputError
from mmmed.preparation.organ_scans import find_organ_scans
from mmmed.preparation.synthetic_patients import read_synthetic_patients
from mmmed.preparation.synthetic_set import generate_set
from mmmed.structures import Manifest
from mmmed.synthesis.specification import SynthesisSpec


@pytest.fixture(scope='module')
def synthetic(tmp_path_factory):
    """Three patients, each with three synthetic scans."""
    folder = tmp_path_factory.mktemp('synthetic')
    cohort = make_abdomen_cohort(3, spacing=(10, 8, 8), tumors=0)
    write_abdomen_raw(folder / 'raw', cohort, 'chaos')
    scans = find_organ_scans(folder / 'raw')
    generate_set(scans, folder / 'out', SynthesisSpec('public'), count=3, quiet=True)
    return folder / 'out'


@pytest.mark.parametrize('seed', [0, 1])
def test_scans_of_one_source_stay_on_one_side(synthetic, tmp_path, seed):
    preparer = DecathlonPreparer(val_ratio=0.34, num_folds=3, seed=seed)
    preparer.prepare(synthetic, tmp_path, quiet=True)
    cases = Manifest.read(tmp_path / 'manifest.json').cases
    assert len(cases) == 9
    by_source = {case.case_id.rpartition('_')[0]: case.patient_id for case in cases}
    assert len(set(by_source.values())) == 3
    for source, patient in by_source.items():
        own = [case for case in cases if case.patient_id == patient]
        assert {case.case_id.rpartition('_')[0] for case in own} == {source}
        assert len(own) == 3
        assert len({(case.split, case.fold) for case in own}) == 1
    assert [sum(case.fold == k for case in cases) for k in range(3)] == [3, 3, 3]


def test_the_same_image_under_two_names_is_one_patient(synthetic, tmp_path):
    task = json.loads((synthetic / 'synthetic.json').read_text())
    for case in task['cases']:
        case['source_sha256'] = '0' * 64
    (tmp_path / 'synthetic.json').write_text(json.dumps(task))
    assert len(set(read_synthetic_patients(tmp_path).values())) == 1


def write(folder, *cases):
    value = {'schema_version': 1, 'cases': list(cases)}
    (folder / 'synthetic.json').write_text(json.dumps(value))


def test_sets_that_name_no_patients_go_by_their_source(tmp_path):
    assert read_synthetic_patients(tmp_path) is None
    write(
        tmp_path,
        {'case_id': 'a_000', 'source_sha256': 'a' * 64},
        {'case_id': 'a_001', 'source_sha256': 'a' * 64},
        {'case_id': 'b_000', 'source_sha256': 'b' * 64, 'image': '../../etc/passwd'},
        {'case_id': 'c_000', 'source_sha256': 'b' * 64, 'patient_id': 'other name'},
    )
    assert read_synthetic_patients(tmp_path) == {
        'a_000': 'source-aaaaaaaaaaaaaaaa',
        'a_001': 'source-aaaaaaaaaaaaaaaa',
        'b_000': 'source-bbbbbbbbbbbbbbbb',
        'c_000': 'source-bbbbbbbbbbbbbbbb',
    }


@pytest.mark.parametrize(
    ('cases', 'match'),
    [
        ([], 'lists no cases'),
        (['a'], 'does not name its source'),
        ([{'case_id': 'a', 'source_sha256': '../x'}], 'does not name its source'),
        ([{'case_id': 1, 'source_sha256': 'a' * 64}], 'no name'),
        ([{'case_id': 'a', 'source_sha256': 'a' * 64, 'patient_id': ''}], 'no name'),
        ([{'case_id': 'a', 'source_sha256': 'a' * 64}] * 2, 'listed twice'),
    ],
)
def test_a_damaged_file_is_one_clear_error(tmp_path, cases, match):
    write(tmp_path, *cases)
    with pytest.raises(InputError, match=match):
        read_synthetic_patients(tmp_path)


def test_a_scan_of_unknown_origin_is_left_out(synthetic, tmp_path):
    value = json.loads((synthetic / 'synthetic.json').read_text())
    task = json.loads((synthetic / 'dataset.json').read_text())
    for name in ('imagesTr', 'labelsTr'):
        (tmp_path / name).mkdir()
        for path in (synthetic / name).iterdir():
            (tmp_path / name / path.name).hardlink_to(path)
    (tmp_path / 'dataset.json').write_text(json.dumps(task))
    lost = value['cases'].pop()
    (tmp_path / 'synthetic.json').write_text(json.dumps(value))
    plan = DecathlonPreparer().discover(tmp_path)
    assert len(plan.tasks) == 8
    (finding,) = plan.findings
    assert finding.path == lost['image']
    assert 'does not say whose scan' in finding.problem
