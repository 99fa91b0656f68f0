import json

import numpy as np
import pytest

from mmmed.io import read_volume
from mmmed.phantoms import write_atlas_phantom

STEM = 'ses-1_space-MNI152NLin2009aSym'


def write(out, template, **options):
    options = {'subjects': 4, 'unlabelled': 1, 'sites': 2, 'spacing_mm': 10} | options
    return list(write_atlas_phantom(out, template=template, **options))


def read_all(folder):
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob('*'))
        if path.is_file()
    }


def test_the_layout_is_that_of_atlas(tmp_path, template):
    out = tmp_path / 'raw'
    write(out, template)
    anat = out / 'Training/R001/sub-r001s001/ses-1/anat'
    image = read_volume(anat / f'sub-r001s001_{STEM}_T1w.nii.gz')
    mask = read_volume(anat / f'sub-r001s001_{STEM}_label-L_desc-T1lesion_mask.nii.gz')
    image.check_grid(mask)
    assert image.orientation == 'SAR'
    assert image.shape == (19, 23, 20)
    assert set(np.unique(mask.array)) == {0, 1}
    assert (out / 'Training/R002/dataset_description.json').is_file()
    assert [p.name for p in out.rglob('*s001*mask*') if 'Testing' in p.parts] == []
    assert len(list(out.glob('Testing/R003/sub-*/ses-1/anat/*_T1w.nii.gz'))) == 1
    about = json.loads((out / 'dataset_description.json').read_text())
    assert about['SemiSynthetic'] is True
    assert 'No image here shows a patient' in (out / 'README').read_text()
    table = (out / 'participants.tsv').read_text().splitlines()
    assert len(table) == 6
    assert not list(out.rglob('.*'))


def test_neither_workers_nor_an_interruption_change_a_bit(tmp_path, template):
    write(tmp_path / 'a', template, workers=1)
    write(tmp_path / 'b', template, workers=3)
    stopped = write_atlas_phantom(
        tmp_path / 'c', template=template, subjects=4, unlabelled=1, sites=2,
        spacing_mm=10,
    )  # fmt: skip
    next(stopped)
    stopped.close()
    before = len(read_all(tmp_path / 'c'))
    write(tmp_path / 'c', template)
    whole = read_all(tmp_path / 'a')
    assert before < len(whole)
    assert whole == read_all(tmp_path / 'b') == read_all(tmp_path / 'c')


def test_a_finished_cohort_is_left_alone_and_another_refused(tmp_path, template):
    out = tmp_path / 'raw'
    write(out, template)
    times = {p: p.stat().st_mtime_ns for p in out.rglob('*T1w*')}
    assert len(write(out, template)) == 5
    assert {p: p.stat().st_mtime_ns for p in out.rglob('*T1w*')} == times
    with pytest.raises(ValueError, match='beginning of this cohort'):
        write(out, template, seed=1)


@pytest.mark.data
def test_real_masks_become_lesions(tmp_path, template, sample_data):
    masks = tmp_path / 'masks'
    masks.mkdir()
    for path in sorted((sample_data / 'stroke_masks/lesions').iterdir())[:4]:
        (masks / path.name).symlink_to(path)
    write(tmp_path / 'raw', template, masks=masks, subjects=8)
    assert 'Subject_' in (tmp_path / 'raw/participants.tsv').read_text()
