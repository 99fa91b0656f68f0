"""The service as clients see it: a real server, a real HTTP client."""

import concurrent.futures
import gzip
import io
import json
import zipfile

import httpx
import nibabel as nib
import numpy as np
import pytest

from mmmed.io import read_volume
from mmmed.serving.jobs import JOB_ID


def test_health_says_what_is_there(service, scan_bytes) -> None:
    service.segment(scan_bytes['.nii'])  # after that the worker is ready
    answer = service.get('/health')
    assert answer.status_code == 200
    health = answer.json()
    assert health['status'] == 'ready'
    assert health['models'] == ['threshold']
    assert health['queue_length'] == 0
    assert health['upload_mib'] == 1.0
    assert set(health['versions']) == {'mmmed', 'python', 'torch'}


@pytest.mark.parametrize('suffix', ['.nii', '.nii.gz', '.nrrd', '.mha'])
def test_the_mask_lies_on_the_scans_grid(
    service, scan, scan_bytes, suffix, tmp_path
) -> None:
    answer = service.post(scan_bytes[suffix], name='whatever.txt')
    assert answer.status_code == 202
    job = answer.json()
    assert JOB_ID.fullmatch(job['job_id'])
    job = service.wait(job['job_id'])
    assert (job['state'], job['progress'], job['error']) == ('done', 1.0, None)
    content = service.get(f'/jobs/{job["job_id"]}/mask').content
    (tmp_path / 'mask.nii.gz').write_bytes(content)
    (tmp_path / f'scan{suffix}').write_bytes(scan_bytes[suffix])
    sent = read_volume(tmp_path / f'scan{suffix}')
    mask = read_volume(tmp_path / 'mask.nii.gz')
    assert mask.array.dtype == np.uint8
    assert np.array_equal(mask.array, scan.array > 100)
    if suffix.startswith('.nii'):
        assert np.abs(mask.grid - sent.grid).max() == 0
    else:  # NIfTI keeps single precision
        assert np.abs(mask.grid - sent.grid).max() < 1e-5


def test_the_report_measures_every_lesion(service, scan, scan_bytes) -> None:
    job = service.segment(scan_bytes['.nii.gz'])
    report = service.get(f'/jobs/{job["job_id"]}/report.json').json()
    assert report == job['report']
    assert report['lesion_count'] == 2
    assert report['volume_ml'] == pytest.approx(28 * 3.0 * 0.75 * 1.25 / 1000)
    large, small = report['lesions']
    assert (large['voxels'], small['voxels']) == (24, 4)
    assert large['volume_ml'] == pytest.approx(24 * 2.8125 / 1000)
    index = np.linalg.inv(scan.grid) @ [*large['center_ras_mm'], 1.0]
    z, y, x = np.rint(index[:3]).astype(int)
    assert scan.array[z, y, x] == 200
    assert report['warnings'][-1] == 'Made by a threshold.'
    assert 'not for clinical use' in report['notice']


def test_the_image_is_canonical(service, scan, scan_bytes, tmp_path) -> None:
    job = service.segment(scan_bytes['.nrrd'])
    content = service.get(f'/jobs/{job["job_id"]}/image').content
    (tmp_path / 'image.nii.gz').write_bytes(content)
    assert ''.join(nib.aff2axcodes(nib.load(tmp_path / 'image.nii.gz').affine)) == 'RAS'
    image = read_volume(tmp_path / 'image.nii.gz')
    assert np.array_equal(image.array, scan.reorient().array)


def test_a_deleted_job_is_gone(service, scan_bytes) -> None:
    job_id = service.segment(scan_bytes['.nii'])['job_id']
    assert httpx.delete(f'{service.url}/jobs/{job_id}').status_code == 204
    assert service.get(f'/jobs/{job_id}').status_code == 404
    assert httpx.delete(f'{service.url}/jobs/{job_id}').status_code == 404
    assert not (service.desk.store.folder / job_id).exists()


@pytest.mark.parametrize(
    'path',
    [
        '/jobs/..%2f..%2fetc%2fpasswd',
        '/jobs/../../etc/passwd',
        '/jobs/' + '0' * 32,
        '/jobs/' + 'G' * 32,
        '/jobs/' + '0' * 32 + '/mask',
        '/static/../app.py',
        '/static/%2e%2e/app.py',
        '/nowhere',
    ],
)
def test_what_is_not_there_is_a_404_in_json(service, path) -> None:
    answer = service.get(path)
    assert answer.status_code == 404
    assert set(answer.json()['error']) == {'code', 'what', 'why', 'remedy'}


def test_files_of_a_job_have_names_of_ours(service, scan_bytes) -> None:
    job_id = service.segment(scan_bytes['.nii'])['job_id']
    for name in ('job.json', 'scan.nii', '%2e%2e', '%2e%2e%2fjob.json'):
        assert service.get(f'/jobs/{job_id}/{name}').status_code == 404


def test_a_file_that_is_not_ready_says_so(service, make_bytes) -> None:
    job = service.wait(service.post(make_bytes(77)).json()['job_id'])
    assert job['state'] == 'failed'
    assert job['error']['code'] == 'internal'
    answer = service.get(f'/jobs/{job["job_id"]}/mask')
    assert answer.status_code == 409
    assert answer.json()['error']['code'] == 'not_ready'


@pytest.mark.parametrize(
    ('content', 'status'),
    [
        (b'', 422),
        (b'hello, I am no scan' * 20, 415),
        (b'\x1f\x8b\x08\x00garbage that is no deflate stream', 415),
        (b'PK\x03\x04' + b'\0' * 400, 422),
        (b'\x5c\x01\x00\x00' + b'\0' * 400, 415),
        (bytes(2 << 20), 413),
    ],
    ids=['empty', 'text', 'gzip', 'zip', 'no magic', 'too large'],
)
def test_bad_uploads_are_refused_and_leave_nothing(service, content, status) -> None:
    before = set(service.desk.store.folder.iterdir())
    answer = service.post(content, name='brain.nii.gz')
    assert answer.status_code == status
    assert set(answer.json()['error']) == {'code', 'what', 'why', 'remedy'}
    assert set(service.desk.store.folder.iterdir()) == before


def test_a_truncated_scan_fails_alone(service, scan_bytes) -> None:
    answer = service.post(scan_bytes['.nii.gz'][:-40])
    assert answer.status_code == 202  # its start is that of a NIfTI
    job = service.wait(answer.json()['job_id'])
    assert job['state'] == 'failed'
    assert 'not a readable NIfTI' in job['error']['why']
    assert str(service.desk.store.folder) not in json.dumps(job)
    assert service.segment(scan_bytes['.nii.gz'])['state'] == 'done'


def test_a_scan_that_kills_the_worker_fails_alone(
    service, make_bytes, scan_bytes
) -> None:
    job = service.segment(make_bytes(66))
    assert job['error']['code'] == 'crashed'
    assert 'exit code 66' in job['error']['why']
    assert service.segment(scan_bytes['.nii.gz'])['state'] == 'done'


def test_names_of_clients_are_never_paths(service, scan_bytes, tmp_path) -> None:
    for name in ('../../../evil.nii', '/etc/evil.nii', 'C:\\evil.nii', 'a\nb.nii'):
        job = service.wait(service.post(scan_bytes['.nii'], name).json()['job_id'])
        assert job['state'] == 'done'
        assert '/' not in job['label']
        assert '\n' not in job['label']
    assert not list(service.desk.store.folder.parent.rglob('*evil*'))


def test_an_unknown_model_is_refused(service, scan_bytes) -> None:
    answer = service.post(scan_bytes['.nii'], model='nothing')
    assert answer.status_code == 422
    assert 'threshold' in answer.json()['error']['remedy']


def test_ten_uploads_at_once(service, scan_bytes) -> None:
    with concurrent.futures.ThreadPoolExecutor(10) as pool:
        answers = list(pool.map(lambda _: service.post(scan_bytes['.nii']), range(10)))
    assert [answer.status_code for answer in answers] == [202] * 10
    jobs = [service.wait(answer.json()['job_id']) for answer in answers]
    assert {job['state'] for job in jobs} == {'done'}
    assert {job['report']['volume_ml'] for job in jobs} == {28 * 2.8125e-3}


def test_the_api_is_described_without_a_page_from_elsewhere(service) -> None:
    assert service.get('/docs').status_code == 404
    assert service.get('/redoc').status_code == 404
    paths = service.get('/openapi.json').json()['paths']
    assert set(paths) == {
        '/jobs', '/jobs/{job_id}', '/jobs/{job_id}/{name}', '/health',
    }  # fmt: skip


@pytest.fixture(scope='module')
def dicom_zip(tmp_path_factory) -> bytes:
    """A CT series of four slices under misleading names, zipped."""
    pydicom = pytest.importorskip('pydicom')
    from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, generate_uid

    stream = io.BytesIO()
    series, study, frame = (generate_uid() for _ in range(3))
    with zipfile.ZipFile(stream, 'w', zipfile.ZIP_DEFLATED) as archive:
        for z in range(4):
            meta = pydicom.dataset.FileMetaDataset()
            meta.TransferSyntaxUID = ExplicitVRLittleEndian
            meta.MediaStorageSOPClassUID = CTImageStorage
            meta.MediaStorageSOPInstanceUID = generate_uid()
            one = pydicom.Dataset()
            one.file_meta = meta
            one.SOPClassUID = CTImageStorage
            one.SOPInstanceUID = meta.MediaStorageSOPInstanceUID
            one.Modality, one.PatientID, one.PatientName = 'CT', 'p1', 'Private^Name'
            one.SeriesInstanceUID, one.StudyInstanceUID = series, study
            one.FrameOfReferenceUID = frame
            one.SeriesDescription, one.SeriesNumber = 'head', 1
            one.Rows, one.Columns = 6, 5
            one.PixelSpacing = [0.75, 1.25]
            one.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
            one.ImagePositionPatient = [-10.0, 5.0, 3.0 * z]
            one.InstanceNumber = 4 - z
            one.SamplesPerPixel, one.PhotometricInterpretation = 1, 'MONOCHROME2'
            one.BitsAllocated, one.BitsStored, one.HighBit = 16, 16, 15
            one.PixelRepresentation = 1
            one.RescaleSlope, one.RescaleIntercept = 1, -1000
            pixels = np.full((6, 5), 1000, dtype=np.int16)
            if z == 2:
                pixels[1:3, 2:5] = 1200
            one.PixelData = pixels.tobytes()
            content = io.BytesIO()
            one.save_as(content, enforce_file_format=True)
            archive.writestr(f'study/{9 - z}.txt', content.getvalue())
    return stream.getvalue()


def test_a_zipped_series_is_segmented_on_its_grid(service, dicom_zip, tmp_path) -> None:
    job = service.segment(dicom_zip)
    assert job['state'] == 'done', job['error']
    report = job['report']
    assert report['shape'] == [4, 6, 5]
    assert report['volume_ml'] == pytest.approx(6 * 3.0 * 0.75 * 1.25 / 1000, abs=1e-6)
    assert 'Private' not in json.dumps(job)
    content = service.get(f'/jobs/{job["job_id"]}/mask').content
    assert b'Private' not in gzip.decompress(content)
    (tmp_path / 'mask.nii.gz').write_bytes(content)
    mask = read_volume(tmp_path / 'mask.nii.gz').reorient('SPL')
    found = np.argwhere(mask.array)
    assert found.min(axis=0).tolist() == [2, 1, 2]
    assert found.max(axis=0).tolist() == [2, 2, 4]


def test_a_zip_without_one_series_says_what_to_do(service) -> None:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, 'w') as archive:
        archive.writestr('a.txt', b'no image')
    job = service.segment(stream.getvalue())
    assert '0 DICOM image series' in job['error']['why']
    assert 'zip the files of one series' in job['error']['why']
