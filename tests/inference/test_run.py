"""Folders of scans: results, resuming, bad cases, kills at every step."""

import dataclasses
import json
import multiprocessing
import os
import shutil
import signal

import nibabel as nib
import numpy as np
import pytest

from mmmed.files import hash_file
from mmmed.functional.organ_rule import OrganRule
from mmmed.inference.inferencer import Inferencer
from mmmed.inference.intensity import Intensity
from mmmed.inference.options import RunOptions
from mmmed.inference.run import describe_settings, infer_scans
from mmmed.io import read_segmentation, read_volume, write_volume


@pytest.fixture
def infer(loaded):
    """Runs the identity, or another loaded network, over a folder."""

    def run(source, out, networks=loaded, rule='mean', **options):
        inferencer = Inferencer(networks.networks, networks.recipe, rule=rule)
        return infer_scans(inferencer, networks, source, out, RunOptions(**options))

    return run


def hash_tree(folder) -> dict[str, str]:
    """Masks and probabilities, by place; reports and records hold times."""
    return {
        str(path.relative_to(folder)): hash_file(path)
        for path in sorted(folder.rglob('*'))
        if path.is_file() and path.suffix not in ('.json', '.csv')
    }


def read_report(out, case) -> dict:
    return json.loads((out / 'cases' / f'{case}.json').read_text())


def test_masks_reports_and_record(scans, tmp_path, infer) -> None:
    out = tmp_path / 'out'
    outcome = infer(scans, out)
    assert outcome.exit_code == 0
    assert [report['case_id'] for report in outcome.cases] == list('abcd')
    for name in ('a.nii.gz', 'b.nii', 'c.nrrd', 'd.mha'):
        scan = read_volume(scans / name)
        mask = read_volume(out / name.replace('b.nii', 'b.nii.gz'))
        assert np.array_equal(mask.array, scan.array > 0)
        assert np.array_equal(mask.grid, scan.grid)
        report = read_report(out, name[0])
        assert report['status'] == 'done'
        lesion = report['classes']['lesion']
        assert lesion['voxels'] == int((scan.array > 0).sum())
        assert lesion['volume_ml'] == pytest.approx(
            lesion['voxels'] * 3.0 * 0.75 * 1.25 / 1000, abs=1e-5
        )
        assert report['input'] == f'../scans/{name}'
        assert set(report['timings_s']) == {'read', 'predict', 'write', 'total'}
    record = json.loads((out / 'run.json').read_text())
    assert record['inference']['settings']['weights_sha256'] == ['ab' * 32]
    assert record['inference']['summary']['done'] == 4
    assert record['finished'] is not None
    rows = (out / 'cases.csv').read_text().splitlines()
    assert rows[0].startswith('case_id,status,lesion_count,volume_ml_lesion')
    assert len(rows) == 5


def test_headers_survive(scans, tmp_path, infer, make_volume) -> None:
    image = nib.load(scans / 'a.nii.gz')
    image.header['descrip'] = b'scanner 7'
    image.set_qform(image.affine, code=2)
    image.set_sform(image.affine, code=4)
    nib.save(image, scans / 'a.nii.gz')
    infer(scans / 'a.nii.gz', tmp_path / 'out')
    mask = nib.load(tmp_path / 'out' / 'a.nii.gz')
    assert (int(mask.header['qform_code']), int(mask.header['sform_code'])) == (2, 4)
    assert bytes(mask.header['descrip']).startswith(b'scanner 7')
    assert np.array_equal(mask.affine, nib.load(scans / 'a.nii.gz').affine)
    assert mask.get_data_dtype() == np.uint8


def test_finished_cases_are_skipped_and_lost_ones_made_again(
    scans, tmp_path, infer, identity
) -> None:
    out = tmp_path / 'out'
    infer(scans, out)
    before = hash_tree(out)
    identity.shapes.clear()
    (out / 'b.nii.gz').unlink()
    outcome = infer(scans, out)
    assert [report['status'] for report in outcome.cases] == [
        'skipped', 'done', 'skipped', 'skipped',
    ]  # fmt: skip
    assert hash_tree(out) == before
    identity.shapes.clear()
    assert infer(scans, out).count('skipped') == 4
    assert identity.shapes == []
    # Another scan under the same name is another case.
    shutil.copy(scans / 'b.nii', scans / 'new.nii')
    (scans / 'new.nii').replace(scans / 'b.nii')
    assert infer(scans, out).count('done') == 0
    write_volume(read_volume(scans / 'a.nii.gz'), scans / 'b.nii')
    assert infer(scans, out).count('done') == 1


def test_results_of_another_call_are_protected(scans, tmp_path, infer, loaded) -> None:
    out = tmp_path / 'out'
    infer(scans, out)
    before = hash_tree(out)
    with pytest.raises(ValueError, match='--overwrite'):
        infer(scans, out, save=('seg', 'prob'))
    (out / 'c.nrrd').write_bytes(b'corrected by hand')
    outcome = infer(scans, out)
    assert outcome.exit_code == 3
    assert 'changed since' in outcome.summarize()['errors']['c']
    assert (out / 'c.nrrd').read_bytes() == b'corrected by hand'
    assert read_report(out, 'c')['status'] == 'done'
    outcome = infer(scans, out, overwrite=True)
    assert outcome.count('done') == 4
    assert hash_tree(out) == before


def test_a_bad_case_does_not_stop_the_others(
    scans, tmp_path, infer, make_volume
) -> None:
    data = (scans / 'a.nii.gz').read_bytes()
    (scans / 'a.nii.gz').write_bytes(data[: len(data) // 2])
    four = np.zeros((4, 5, 6, 7), np.float32)
    write_volume(make_volume(four), scans / 'b.nii')
    out = tmp_path / 'out'
    outcome = infer(scans, out)
    assert outcome.exit_code == 3
    assert [r['status'] for r in outcome.cases] == ['failed', 'failed', 'done', 'done']
    assert 'a.nii.gz' in read_report(out, 'a')['error']
    assert '4 channels' in read_report(out, 'b')['error']
    assert not (out / 'a.nii.gz').exists()
    errors = json.loads((out / 'run.json').read_text())['inference']['summary']
    assert set(errors['errors']) == {'a', 'b'}
    (scans / 'a.nii.gz').write_bytes(data)
    assert infer(scans, out).count('done') == 1  # the failed one is tried again


def test_an_error_of_the_network_is_told_with_its_type(
    scans, tmp_path, infer, loaded, fake
) -> None:
    def fail(x):
        raise KeyError('weights')

    networks = dataclasses.replace(loaded, networks=(fake(fail),))
    outcome = infer(scans, tmp_path / 'out', networks)
    assert outcome.count('failed') == 4
    assert read_report(tmp_path / 'out', 'a')['error'] == "KeyError: 'weights'"


@pytest.mark.parametrize('count', [2, 3])
def test_parts_together_make_the_whole(scans, tmp_path, infer, count) -> None:
    infer(scans, tmp_path / 'whole')
    for part in range(count):
        infer(scans, tmp_path / 'parts', num_parts=count, part_id=part)
    assert hash_tree(tmp_path / 'parts') == hash_tree(tmp_path / 'whole')
    names = {path.name for path in (tmp_path / 'parts').glob('run*.json')}
    assert names == {f'run-part{k}of{count}.json' for k in range(count)}


def test_probabilities_are_halves_on_the_same_grid(scans, tmp_path, infer) -> None:
    out = tmp_path / 'out'
    infer(scans, out, save=('seg', 'prob'))
    for name in ('a.nii.gz', 'c.nrrd'):
        scan = read_volume(scans / name)
        prob = read_volume(out / 'prob' / 'lesion' / f'{name[0]}.nii.gz')
        expected = 1 / (1 + np.exp(-scan.array.astype(np.float64)))
        assert prob.array.dtype == np.float32
        np.testing.assert_allclose(prob.array, expected, atol=3e-4)
        assert np.array_equal(prob.array.astype(np.float16).astype('f4'), prob.array)
        np.testing.assert_allclose(prob.grid, scan.grid, atol=1e-5)


def test_votes_have_no_probabilities(scans, tmp_path, infer) -> None:
    with pytest.raises(ValueError, match='no probabilities'):
        infer(scans, tmp_path / 'out', rule='vote', save=('prob',))
    assert not (tmp_path / 'out').exists()


def test_dry_run_writes_nothing(scans, tmp_path, infer) -> None:
    outcome = infer(scans, tmp_path / 'out', dry_run=True)
    assert outcome.count('planned') == 4
    assert not (tmp_path / 'out').exists()
    infer(scans / 'a.nii.gz', tmp_path / 'out')
    assert infer(scans, tmp_path / 'out', dry_run=True).count('skipped') == 1


def test_results_may_lie_within_the_input(scans, infer) -> None:
    assert infer(scans, scans / 'masks').count('done') == 4
    assert infer(scans, scans / 'masks').count('skipped') == 4
    with pytest.raises(ValueError, match='another folder'):
        infer(scans, scans)


def test_hostile_names_come_through(scans, tmp_path, infer) -> None:
    names = [
        'line\nbreak.nii',
        '-rf.nii',
        os.fsdecode(b'bytes\xff.nii'),
        'é' * 120 + '.nii',
    ]
    for name in names:
        shutil.copy(scans / 'b.nii', scans / name)
    (scans / os.fsdecode(b'bad\xfe.nii')).write_bytes(b'junk')
    outcome = infer(scans, tmp_path / 'out')
    assert outcome.count('done') == 8
    assert outcome.count('failed') == 1
    masks = {hash_file(p) for p in (tmp_path / 'out').glob('*.nii.gz')}
    assert len(masks) == 2  # scan a, and copies of scan b
    (tmp_path / 'out' / 'run.json').read_text(encoding='utf-8')
    assert infer(scans, tmp_path / 'out').count('skipped') == 8


def test_dicom_in_dicom_seg_out(tmp_path, infer, write_dicom) -> None:
    hu = write_dicom(tmp_path / 'ct')
    out = tmp_path / 'out'
    outcome = infer(tmp_path / 'ct', out, save=('seg', 'dicom-seg'))
    assert outcome.summarize()['errors'] == {}
    scan = read_volume(tmp_path / 'ct')
    assert np.array_equal(scan.array, hu)
    mask = read_volume(out / 'ct.nii.gz')
    assert np.array_equal(mask.array, hu > 0)
    np.testing.assert_allclose(mask.grid, scan.grid, atol=1e-5)
    seg = read_segmentation(out / 'ct.dcm', like=scan)
    assert np.array_equal(seg.array, hu > 0)
    assert seg.source.header.segments[0].label == 'lesion'


def test_mr_is_not_windowed_like_ct(tmp_path, loaded, infer, write_dicom) -> None:
    write_dicom(tmp_path / 'in' / 'mr', modality='MR')
    write_dicom(tmp_path / 'in' / 'ct')
    rule = Intensity('window', windows_hu=((40, 120),))
    recipe = dataclasses.replace(loaded.recipe, intensity=rule)
    networks = dataclasses.replace(loaded, recipe=recipe)
    outcome = infer(tmp_path / 'in', tmp_path / 'out', networks)
    assert [(r['case_id'], r['status']) for r in outcome.cases] == [
        ('ct', 'done'),
        ('mr', 'failed'),
    ]
    assert 'MR images have no Hounsfield' in outcome.summarize()['errors']['mr']
    assert outcome.cases[0]['warnings'] == []


def test_dicom_seg_of_other_formats_is_refused(scans, tmp_path, infer) -> None:
    outcome = infer(scans, tmp_path / 'out', save=('dicom-seg',))
    assert outcome.count('failed') == 4
    assert 'no DICOM series' in outcome.summarize()['errors']['a']
    with pytest.raises(ValueError, match='save'):
        RunOptions(save=('png',))


def run_until_killed(call, step: int) -> int:
    """Exit code of a process that kills itself at its ``step``-th rename."""

    def child() -> None:
        original, count = os.replace, iter(range(1000))

        def replace(*args):
            if next(count) == step:
                os.kill(os.getpid(), signal.SIGKILL)
            return original(*args)

        os.replace = replace
        call()

    process = multiprocessing.get_context('fork').Process(target=child)
    process.start()
    process.join(60)
    return process.exitcode


def test_a_kill_at_any_write_leaves_nothing_broken(scans, tmp_path, infer) -> None:
    for name in ('c.nrrd', 'd.mha'):
        (scans / name).unlink()
    options = {'save': ('seg', 'prob')}
    infer(scans, tmp_path / 'whole', **options)
    expected = hash_tree(tmp_path / 'whole')
    for step in range(100):
        out = tmp_path / f'killed{step}'
        code = run_until_killed(lambda out=out: infer(scans, out, **options), step)
        if code == 0:
            break
        assert code == -signal.SIGKILL
        for path in out.rglob('*'):
            if path.is_file() and not path.name.startswith('.'):
                # What is there under its name is whole.
                if path.suffix == '.json':
                    json.loads(path.read_text())
                elif path.suffix == '.gz':
                    assert hash_file(path) == expected[str(path.relative_to(out))]
        outcome = infer(scans, out, **options)
        assert outcome.exit_code == 0
        assert hash_tree(out) == expected  # temporary files are gone too
    assert step >= 10  # per case: report, mask, probability, report; record, table


@pytest.mark.data
def test_real_ct_in_dicom_and_nifti(sample_data, tmp_path, infer) -> None:
    """Foreground above 0 HU, on the grid of the scan, as file and as DICOM-SEG."""
    out = tmp_path / 'out'
    source = sample_data / 'abdomen' / 'dcmqi_ct3slice' / 'ct-3slice'
    assert infer(source, out, save=('seg', 'dicom-seg')).exit_code == 0
    scan = read_volume(source)
    seg = read_segmentation(out / 'ct-3slice.dcm', like=scan)
    assert np.array_equal(seg.array, scan.array > 0)
    assert np.array_equal(read_volume(out / 'ct-3slice.nii.gz').array, scan.array > 0)
    source = sample_data / 'abdomen' / 'totalsegmentator' / 'example_ct.nii.gz'
    assert infer(source, tmp_path / 'nifti').exit_code == 0
    image, mask = nib.load(source), nib.load(tmp_path / 'nifti' / source.name)
    assert np.array_equal(image.affine, mask.affine)
    assert np.array_equal(np.asarray(mask.dataobj) > 0, np.asarray(image.dataobj) > 0)


@pytest.mark.data
def test_folders_of_real_scans_never_crash(sample_data, tmp_path, infer) -> None:
    """Corner cases of DICOM: every one is done or named."""
    outcome = infer(sample_data / 'dicom', tmp_path / 'out')
    assert outcome.count('done') > 3
    assert outcome.count('done') + outcome.count('failed') == len(outcome.cases)
    for text in outcome.summarize()['errors'].values():
        assert 'Error:' not in text.split(':')[0]


def test_post_processing_makes_other_results(loaded) -> None:
    inferencer = Inferencer(loaded.networks, loaded.recipe)
    plain = describe_settings(inferencer, loaded, RunOptions())
    inferencer.organ_rule = OrganRule('liver', 'tumor', 10)
    processed = describe_settings(inferencer, loaded, RunOptions())
    # Results of old, which knew no such option, are still finished.
    assert 'keep_near' not in plain
    assert processed == {**plain, 'keep_near': ['liver', 'tumor', 10]}
