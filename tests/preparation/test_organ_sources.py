import pytest

from mmmed.preparation.findings import InputError
from mmmed.preparation.organ_sources import find_organ_cases, identify_patient

FILES = (
    '01_Multi-Atlas_Labeling/img/img0001.nii.gz',
    '01_Multi-Atlas_Labeling/label/label0001.nii.gz',
    '02_TCIA_Pancreas-CT/img/PANCREAS_0002.nii.gz',
    '02_TCIA_Pancreas-CT/multiorgan_label/label0002.nii.gz',
    '03_CHAOS/ct/img/10_image.nii.gz',
    '03_CHAOS/ct/liver_label/10_segmentation.nii.gz',
    '04_LiTS/img/liver_32.nii.gz',
    '04_LiTS/label/liver_32.nii.gz',
    '05_KiTS/case_00003/imaging.nii.gz',
    '05_KiTS/case_00003/segmentation.nii.gz',
    '10_Decathlon/Task03_Liver/imagesTr/liver_32.nii.gz',
    '10_Decathlon/Task03_Liver/labelsTr/liver_32.nii.gz',
    '10_Decathlon/Task07_Pancreas/imagesTr/pancreas_004.nii.gz',
    '10_Decathlon/Task07_Pancreas/labelsTr/pancreas_004.nii.gz',
)


@pytest.fixture
def raw(tmp_path):
    for name in FILES:
        touch(tmp_path / name)
    return tmp_path


def touch(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b'')


@pytest.mark.parametrize(
    ('organ', 'patients'),
    [
        (
            'liver',
            {
                'btcv-0001': 'btcv-1',
                'pancreas-ct-0002': 'pancreas-ct-2',
                'chaos-10': 'chaos-10',
                'lits-32': 'lits-32',
                'msd-liver-32': 'lits-32',
            },
        ),
        (
            'pancreas',
            {
                'btcv-0001': 'btcv-1',
                'pancreas-ct-0002': 'pancreas-ct-2',
                'msd-pancreas-004': 'msd-pancreas-4',
            },
        ),
        ('kidney', {'btcv-0001': 'btcv-1', 'kits-00003': 'kits-3'}),
    ],
)
def test_every_collection_is_found_below_one_folder(raw, organ, patients):
    cases, findings = find_organ_cases(raw, organ)
    assert {case.case_id: case.patient_id for case in cases} == patients
    assert not findings


def test_label_numbers_of_each_organ(raw):
    def read(organ):
        return {c.source: dict(c.classes) for c in find_organ_cases(raw, organ)[0]}

    assert read('liver')['btcv'] == read('liver')['pancreas-ct'] == {6: 1}
    assert read('liver')['lits'] == {1: 1, 2: 2}
    assert read('kidney') == {'btcv': {2: 1, 3: 1}, 'kits': {1: 1, 2: 2, 3: 1}}


def test_a_collection_itself_may_be_named(raw):
    cases, _ = find_organ_cases(raw / '10_Decathlon' / 'Task03_Liver', 'liver')
    assert [case.case_id for case in cases] == ['msd-liver-32']


def test_lists_and_folders_agree_on_the_patient(raw):
    for organ in ('liver', 'pancreas', 'kidney'):
        for case in find_organ_cases(raw, organ)[0]:
            path = case.image.relative_to(raw).as_posix()
            if case.image.name != 'imaging.nii.gz':
                assert identify_patient(path) == case.patient_id
                assert identify_patient(f'CT/{path}') == case.patient_id


@pytest.mark.parametrize(
    ('path', 'patient'),
    [
        ('imagesTr/liver_26.nii.gz', 'lits-26'),
        ('CT/04_LiTS/img/liver_026.nii.gz', 'lits-26'),
        ('img/liver_26.nii.gz', 'lits-26'),
        ('05_KiTS/img/img0002.nii.gz', 'kits-2'),
        ('01_Multi-Atlas_Labeling/img/img0002.nii.gz', 'btcv-2'),
        ('elsewhere/img/img0002.nii.gz', 'elsewhere/img/img0002.nii.gz'),
        ('03_CHAOS/ct/img/10_image.nii.gz', 'chaos-10'),
        ('liver_26', 'lits-26'),
        ('', ''),
    ],
)
def test_patient_of_a_path_in_a_published_list(path, patient):
    assert identify_patient(path) == patient


def test_what_has_no_partner_or_two_is_named(raw):
    (raw / '04_LiTS/label/liver_32.nii.gz').unlink()
    touch(raw / '04_LiTS/label/liver_33.nii.gz')
    touch(raw / 'copy/Task03_Liver/imagesTr/liver_32.nii.gz')
    touch(raw / 'copy/Task03_Liver/labelsTr/liver_32.nii.gz')
    cases, findings = find_organ_cases(raw, 'liver')
    assert 'lits-32' not in {case.case_id for case in cases}
    text = '\n'.join(map(str, findings))
    assert '04_LiTS/img/liver_32.nii.gz: no label map of number 32' in text
    assert '04_LiTS/label/liver_33.nii.gz: a label map without an image' in text
    assert 'copy/Task03_Liver/imagesTr/liver_32.nii.gz: msd-liver-32 is there t' in text


def test_a_folder_of_nothing_known(tmp_path):
    with pytest.raises(InputError, match=r'no scans of the kidney; .*04_LiTS.*KiTS'):
        find_organ_cases(tmp_path, 'kidney')
