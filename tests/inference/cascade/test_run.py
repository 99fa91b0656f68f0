"""A tree of series to a tree of results, by a cascade of known answers."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mmmed.inference.cascade import CascadeResult, CascadeSettings, WeightsError
from mmmed.inference.cascade.outputs import OutputSettings
from mmmed.inference.cascade.records import check_record
from mmmed.inference.cascade.request import CascadeCall
from mmmed.inference.cascade.run import run_cascade
from mmmed.inference.case_store import ConflictError
from mmmed.io import read_segmentation, read_volume, write_image, write_volume
from mmmed.reporting.cord_folder import read_cord_folder
from mmmed.structures import Volume
from mmmed.structures.stage_record import StageRecord

GREY = np.arange(24, dtype=np.int16).reshape(2, 3, 4)
TILT = np.array([[0, -0.48, 0.4, 5], [0, 0.64, 0.3, 6], [3.0, 0, 0, 7], [0, 0, 0, 1]])


class FakeCascade:
    """Voxels above half of the brightest are cord, above 3/4 lesion; dark is no."""

    def __init__(self) -> None:
        self.calls = 0

    def analyze(self, volume):
        self.calls += 1
        top = volume.array.max()
        if top == 13:
            raise RuntimeError('a bug')
        is_bright = bool(top >= 10)
        stage = StageRecord(
            name='anatomy',
            model='fake',
            checkpoint_sha256='a' * 64,
            class_map=('spine', 'head'),
            probs={'spine': 0.9 if is_bright else 0.2},
            label='spine' if is_bright else 'head',
            threshold=0.7,
            accepted=is_bright,
            reason='' if is_bright else 'spine has probability 0.20 < 0.70',
            n_slices=len(volume.array),
            seconds=0.0,
        )
        if not is_bright:
            return CascadeResult('rejected', (stage,), None, None, None)
        prob = (volume.array / np.float32(top)).clip(0, 1).astype(np.float32)
        return CascadeResult(
            'accepted',
            (stage,),
            (prob > 0.5).astype(np.uint8),
            (prob > 0.75).astype(np.uint8),
            prob,
            ('a warning',),
            plane='axial',
        )


@pytest.fixture
def fake_cascade():
    return FakeCascade()


@pytest.fixture
def call(tmp_path):
    (tmp_path / 'in').mkdir()
    (tmp_path / 'weights').mkdir()
    (tmp_path / 'weights' / 'anatomy.pth').write_bytes(b'x')
    return CascadeCall(
        tmp_path / 'in',
        tmp_path / 'out',
        tmp_path / 'weights',
        CascadeSettings(),
        OutputSettings(),
    )


def write_nifti(call, name, array=GREY):
    spacing = np.linalg.norm(TILT[:3, :3], axis=0)
    write_volume(Volume(array, tuple(spacing), TILT), call.source / f'{name}.nii.gz')


def read_json(path) -> dict:
    record = json.loads(Path(path).read_text())
    if path.stem.split('-')[0] in (
        'processing_log',
        'analysis_summary',
        'batch_report',
        'lesion_analysis',
    ):
        check_record(path.stem.split('-')[0], record)
    return record


def test_masks_lie_on_the_files_own_grid(call, fake_cascade):
    nibabel = pytest.importorskip('nibabel')
    image = nibabel.Nifti1Image(
        GREY.transpose(2, 1, 0).astype(np.int16), TILT[:, [2, 1, 0, 3]]
    )
    image.set_qform(TILT[:, [2, 1, 0, 3]], code=2, strip_shears=True)
    image.set_sform(TILT[:, [2, 1, 0, 3]], code=3)
    image.header.set_slope_inter(2.0, 1.0)
    nibabel.save(image, call.source / 'scan.nii')
    seen = []
    outcome = run_cascade(call, lambda: fake_cascade, lambda *args: seen.append(args))
    assert outcome.exit_code == 0
    folder = call.out / 'scan' / 'scan'
    before = nibabel.load(call.source / 'scan.nii')
    for name, dtype in (
        ('segmentation_mask', np.uint8),
        ('spinal_cord_mask', np.uint8),
        ('confidence_map', np.float32),
    ):
        mask = nibabel.load(folder / f'{name}.nii.gz')
        assert mask.get_data_dtype() == dtype
        assert np.abs(mask.affine - before.affine).max() == 0
        for field in (
            'qform_code',
            'sform_code',
            'pixdim',
            'quatern_b',
            'quatern_c',
            'quatern_d',
            'qoffset_x',
            'srow_x',
            'srow_y',
            'srow_z',
            'xyzt_units',
        ):
            np.testing.assert_array_equal(mask.header[field], before.header[field])
        sidecar = read_json(folder / f'{name}.json')
        assert sidecar['Sources'] == ['scan.nii']
        assert sidecar['GeneratedBy'][0]['Name'] == 'mmmed spine inference'
    values = np.asarray(before.dataobj) / 47.0
    lesion = np.asarray(nibabel.load(folder / 'segmentation_mask.nii.gz').dataobj)
    np.testing.assert_array_equal(lesion, values > 0.75)
    prob = np.asarray(nibabel.load(folder / 'confidence_map.nii.gz').dataobj)
    np.testing.assert_allclose(prob, values, rtol=1e-6)
    log = read_json(folder / 'processing_log.json')
    assert log['lesions']['count'] == 1
    volume = np.abs(np.linalg.det(TILT[:3, :3])) * (values > 0.75).sum()
    assert log['lesions']['volume_mm3'] == pytest.approx(volume)
    assert log['input']['shape'] == [2, 3, 4]
    assert log['warnings'] == ['a warning']
    assert seen[0][0] == folder / 'preview'
    assert seen[0][2].plane == 'axial'
    measures = read_json(folder / 'lesion_analysis.json')
    assert measures['lesion_volume_mm3'] == pytest.approx(volume)
    assert len((folder / 'lesion_analysis.csv').read_text().splitlines()) == 2


def test_rejected_and_broken_series_leave_their_reasons(call, fake_cascade):
    write_nifti(call, 'p1/good')
    write_nifti(call, 'p1/dark', GREY // 4)
    write_nifti(call, 'p2/bug', GREY.clip(0, 13))
    write_nifti(call, 'p3/dti', np.stack([GREY, GREY]))
    write_nifti(call, 'p3/nan', np.where(GREY > 5, np.nan, GREY).astype(np.float32))
    (call.source / 'cut.nii.gz').write_bytes(b'\x1f\x8b\x08')
    outcome = run_cascade(call, lambda: fake_cascade)
    assert outcome.exit_code == 1
    report = read_json(call.out / 'batch_report.json')
    assert report['counts'] == {
        'series': 6,
        'accepted': 1,
        'rejected': 2,
        'unreadable': 2,
        'failed': 1,
    }
    assert {(r['place'], r['status'], r['stage']) for r in report['rejected']} == {
        ('cut.nii.gz', 'unreadable', 'input'),
        ('p1/dark.nii.gz', 'rejected', 'anatomy'),
        ('p2/bug.nii.gz', 'failed', None),
        ('p3/dti.nii.gz', 'rejected', 'input'),
        ('p3/nan.nii.gz', 'unreadable', 'input'),
    }
    assert report['seconds_per_series']['n'] == 6
    log = read_json(call.out / 'p1' / 'dark' / 'processing_log.json')
    assert log['reason'] == 'anatomy: spine has probability 0.20 < 0.70'
    assert log['stages'][0]['probs'] == {'spine': 0.2}
    assert log['outputs'] == {}
    log = read_json(call.out / 'p2' / 'bug' / 'processing_log.json')
    assert log['reason'] == 'RuntimeError: a bug'
    summary = read_json(call.out / 'p1' / 'analysis_summary.json')
    assert [row['flags'] for row in summary['series']] == [[], ['lesion', 'warnings']]
    assert any('NaN' in line for line in outcome.list_reasons())
    assert not any(str(call.source) in line for line in outcome.list_reasons())
    run = json.loads((call.out / 'run.json').read_text())
    assert run['cascade']['counts']['accepted'] == 1
    assert run['finished'] is not None


def test_all_rejected_is_3_and_unreadable_beside_others_is_1(call, fake_cascade):
    write_nifti(call, 'dark', GREY // 4)
    write_nifti(call, 'dti', np.stack([GREY, GREY]))
    assert run_cascade(call, lambda: fake_cascade).exit_code == 3
    write_nifti(call, 'good')
    assert run_cascade(call, lambda: fake_cascade).exit_code == 0
    (call.source / 'cut.nii.gz').write_bytes(b'')
    assert run_cascade(call, lambda: fake_cascade).exit_code == 1
    assert fake_cascade.calls == 2  # finished ones are not asked again


def test_a_killed_run_goes_on_and_nothing_foreign_is_replaced(call, fake_cascade):
    write_nifti(call, 'a')
    write_nifti(call, 'b')

    def stop(folder, *rest):
        if folder.parent.name == 'b':
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_cascade(call, lambda: fake_cascade, stop)
    left = call.out / 'b' / 'b'
    assert (left / 'segmentation_mask.nii.gz').exists()
    assert not (left / 'processing_log.json').exists()
    outcome = run_cascade(call, lambda: fake_cascade)
    assert (outcome.report['resumed'], fake_cascade.calls) == (1, 3)
    mask = left / 'segmentation_mask.nii.gz'
    original = mask.read_bytes()
    mask.write_bytes(b'edited by hand')
    outcome = run_cascade(call, lambda: fake_cascade)
    assert outcome.exit_code == 1
    assert 'was changed since it was made' in outcome.list_reasons()[0]
    assert mask.read_bytes() == b'edited by hand'
    (call.weights / 'anatomy.pth').write_bytes(b'other')
    with pytest.raises(ConflictError, match='other weights or settings'):
        run_cascade(call, lambda: fake_cascade)
    again = CascadeCall(**{**vars(call), 'overwrite': True})
    assert run_cascade(again, lambda: fake_cascade).exit_code == 0
    assert mask.read_bytes() == original
    foreign = CascadeCall(**{**vars(call), 'out': call.weights})
    with pytest.raises(ValueError, match=r"holds 'anatomy.pth' and no run of ours"):
        run_cascade(foreign, lambda: fake_cascade)


def test_parts_divide_patients_and_weights_errors_end_the_run(call, fake_cascade):
    for name in ('p1/a', 'p1/b', 'p2/a'):
        write_nifti(call, name)
    for part in (0, 1):
        half = CascadeCall(**{**vars(call), 'num_parts': 2, 'part_id': part})
        assert run_cascade(half, lambda: fake_cascade).exit_code == 0
    first, second = (
        read_json(call.out / f'batch_report-part{k}of2.json') for k in (0, 1)
    )
    assert (first['counts']['series'], second['counts']['series']) == (2, 1)
    assert (
        read_json(call.out / 'p1' / 'analysis_summary.json')['counts']['accepted'] == 2
    )

    def load():
        raise WeightsError('anatomy.pth: other classes')

    other = CascadeCall(**{**vars(call), 'out': call.out.with_name('o2')})
    with pytest.raises(WeightsError, match='other classes'):
        run_cascade(other, load)


def test_previews_that_fail_are_a_warning_and_outputs_can_be_chosen(call, fake_cascade):
    write_nifti(call, 'a')

    def fail(*_):
        raise RuntimeError('no font')

    few = OutputSettings(save_confidence_maps=False, save_intermediate_results=True)
    chosen = CascadeCall(**{**vars(call), 'output': few})
    assert run_cascade(chosen, lambda: fake_cascade, fail).exit_code == 0
    log = read_json(call.out / 'a' / 'a' / 'processing_log.json')
    assert log['warnings'][-1] == 'No previews: RuntimeError: no font'
    assert 'confidence_map.nii.gz' not in log['outputs']
    copy = read_volume(call.out / 'a' / 'a' / 'input.nii.gz')
    np.testing.assert_array_equal(copy.array, GREY)


def test_dicom_gets_a_segmentation_that_names_its_source(call, make_mr, fake_cascade):
    pytest.importorskip('highdicom', reason='DICOM-SEG is an optional extra')
    import pydicom

    make_mr('in/exam', uid='1.2.3', patient='Secret-77')
    assert run_cascade(call, lambda: fake_cascade).exit_code == 0
    (folder,) = call.out.glob('patient-*/exam')
    scan = read_volume(call.source / 'exam')
    seg = read_segmentation(folder / 'segmentation.dcm', like=scan)
    for channel, name in enumerate(('spinal_cord_mask', 'segmentation_mask')):
        mask = read_volume(folder / f'{name}.nii.gz').reorient(scan.orientation)
        np.testing.assert_array_equal(seg.array[channel], mask.array)
        np.testing.assert_allclose(mask.grid, scan.grid, atol=1e-6)
    dataset = pydicom.dcmread(folder / 'segmentation.dcm', stop_before_pixels=True)
    assert dataset.ReferencedSeriesSequence[0].SeriesInstanceUID == '1.2.3'
    texts = [
        path.read_text() for path in call.out.rglob('*.json') if path.name != 'run.json'
    ]
    assert not [text for text in texts if 'Secret' in text]


def test_pictures_get_pictures_and_claim_no_geometry(call, fake_cascade):
    nibabel = pytest.importorskip('nibabel')
    for k in range(2):
        path = call.source / 'p' / 't2' / f's{k}.png'
        write_image(path, GREY[k].astype(np.uint8))
    assert run_cascade(call, lambda: fake_cascade).exit_code == 0
    folder = call.out / 'p' / 't2'
    mask = nibabel.load(folder / 'segmentation_mask.nii.gz')
    assert (mask.header['qform_code'], mask.header['sform_code']) == (0, 0)
    from mmmed.io import read_label

    for k in range(2):
        picture = read_label(folder / 'segmentation_mask' / f's{k}.png')
        np.testing.assert_array_equal(picture, 255 * (GREY[k] / 23 > 0.75))
    sidecar = json.loads((folder / 'segmentation_mask.json').read_text())
    assert sidecar['SpatialReference'] is None
    log = json.loads((folder / 'processing_log.json').read_text())
    assert 'segmentation_mask/s1.png' in log['outputs']


def test_pictures_in_another_order_are_another_series(call, fake_cascade):
    for k in range(2):
        write_image(call.source / 'p' / f's{k}.png', GREY[k].astype(np.uint8))
    run_cascade(call, lambda: fake_cascade)
    (call.source / 'p' / 's0.png').rename(call.source / 'p' / 's2.png')
    outcome = run_cascade(call, lambda: fake_cascade)
    assert (outcome.report['resumed'], fake_cascade.calls) == (0, 2)
    (folder,) = call.out.rglob('segmentation_mask')
    assert sorted(path.name for path in folder.iterdir()) == ['s1.png', 's2.png']


def test_refused_weights_cost_no_results(call, fake_cascade):
    write_nifti(call, 'a')
    run_cascade(call, lambda: fake_cascade)
    before = sorted(path.name for path in (call.out / 'a' / 'a').iterdir())

    def load():
        raise WeightsError('damaged')

    with pytest.raises(WeightsError):
        run_cascade(replace(call, overwrite=True), load)
    assert sorted(path.name for path in (call.out / 'a' / 'a').iterdir()) == before


def test_lesions_that_a_stage_removed_are_counted(call, fake_cascade):
    write_nifti(call, 'a')

    class Removing:
        def analyze(self, volume):
            result = fake_cascade.analyze(volume)
            stage = replace(result.stages[0], details={'outside_lesions': 2})
            return replace(result, stages=(stage,))

    run_cascade(call, Removing)
    log = read_json(call.out / 'a' / 'a' / 'processing_log.json')
    assert log['lesions']['outside_count'] == 2
    summary = read_json(call.out / 'a' / 'analysis_summary.json')
    assert 'lesion_outside_cord' in summary['series'][0]['flags']


def test_the_page_names_changed_results_and_parts_without_a_patient(call, fake_cascade):
    write_nifti(call, 'a')
    empty = replace(call, num_parts=2, part_id=1, out=call.out.with_name('o2'))
    assert run_cascade(empty, lambda: fake_cascade).exit_code == 0
    assert read_cord_folder(empty.out).series == ()
    run_cascade(call, lambda: fake_cascade)
    mask = call.out / 'a' / 'a' / 'segmentation_mask.nii.gz'
    mask.write_bytes(b'edited by hand')
    assert run_cascade(call, lambda: fake_cascade).exit_code == 1
    (series,) = read_cord_folder(call.out).series
    assert 'was changed since it was made' in series.problems[0]


@pytest.mark.data
def test_real_headers_survive_and_a_time_series_is_rejected(
    call, fake_cascade, sample_data
):
    nibabel = pytest.importorskip('nibabel')
    names = {'t2/t2': (2, 1), 't2/t2_fake_lesion': (1, 1), 't2s/t2s_uncropped': (2, 1)}
    for name in (*names, 'dmri/dmri', 't2/t2_seg-manual'):
        source = sample_data / 'spinal_cord' / f'{name}.nii.gz'
        target = call.source / f'{name}.nii.gz'
        target.parent.mkdir(exist_ok=True)
        target.write_bytes(source.read_bytes())
    assert run_cascade(call, lambda: fake_cascade).exit_code == 0
    for name, codes in names.items():
        before = nibabel.load(call.source / f'{name}.nii.gz')
        after = nibabel.load(call.out / name / 'segmentation_mask.nii.gz')
        assert after.shape == before.shape
        assert np.abs(after.affine - before.affine).max() == 0
        header = after.header
        assert (int(header['qform_code']), int(header['sform_code'])) == codes
        np.testing.assert_array_equal(after.get_qform(), before.get_qform())
    report = read_json(call.out / 'batch_report.json')
    assert {row['place']: row['stage'] for row in report['rejected']} == {
        'dmri/dmri.nii.gz': 'input',
        't2/t2_seg-manual.nii.gz': 'input',
    }
