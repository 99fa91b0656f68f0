"""Tiny raw releases, ct-ich and ATLAS, whose counts are known by hand."""

import numpy as np
import pytest

from mmmed.io import encode_image, write_volume
from mmmed.structures import Volume

HEIGHT, WIDTH = 40, 48
HEADER = (
    'PatientNumber,SliceNumber,Intraventricular,Intraparenchymal,Subarachnoid,'
    'Epidural,Subdural,No_Hemorrhage,Fracture_Yes_No'
)
# Positive slices by patient: the lesion is (rows, columns) large, epidural.
LESIONS = {
    '049': {2: (8, 10)},
    '050': {},
    '051': {1: (6, 6), 3: (10, 12)},
    '052': {},
    '053': {3: (5, 8)},
    '054': {1: (9, 9)},
}
SLICES = 3


class RawRelease:
    """The raw folder and the means to break it."""

    def __init__(self, root):
        self.root = root
        self.images = root / 'Patients_CT'

    def brain(self, patient, number, suffix=''):
        return self.images / patient / 'brain' / f'{number}{suffix}.jpg'

    def mask(self, patient, number):
        return self.brain(patient, number, '_HGE_Seg')

    def bone(self, patient, number):
        return self.images / patient / 'bone' / f'{number}.jpg'

    @property
    def csv(self):
        return self.root / 'hemorrhage_diagnosis.csv'

    def write_csv(self, changes=(), drop=()):
        rows = {}
        for patient, lesions in LESIONS.items():
            for number in range(1, SLICES + 1):
                seen = int(number in lesions)
                row = f'{int(patient)},{number},0,0,0,{seen},0,{1 - seen},{seen}'
                rows[patient, number] = row
        rows |= dict(changes)
        lines = [HEADER, *(row for key, row in rows.items() if key not in drop)]
        text = '\ufeff' + '\r\n'.join(lines) + '\r\n'
        self.csv.write_bytes(text.encode())

    def snapshot(self):
        return {
            path.relative_to(self.root).as_posix(): (
                path.read_bytes(),
                path.stat().st_mtime_ns,
            )
            for path in sorted(self.root.rglob('*'))
            if path.is_file()
        }


def make_image(patient, number):
    rng = np.random.default_rng([int(patient), number])
    grey = rng.integers(90, 120, (HEIGHT, WIDTH), dtype=np.uint8)
    return np.dstack([grey] * 3)


def make_mask(shape):
    mask = np.zeros((HEIGHT, WIDTH), np.uint8)
    mask[7 : 7 + shape[0], 9 : 9 + shape[1]] = 255
    return mask


def write(path, array):
    """Not ``write_image``: its care for power cuts takes most of the tests' time."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(encode_image(array, path.suffix))


@pytest.fixture
def raw(tmp_path):
    release = RawRelease(tmp_path / 'raw' / 'download')
    for patient, lesions in LESIONS.items():
        for number in range(1, SLICES + 1):
            write(release.brain(patient, number), make_image(patient, number))
            write(release.bone(patient, number), make_image(patient, number) // 2)
            if number in lesions:
                write(release.mask(patient, number), make_mask(lesions[number]))
    release.write_csv()
    return release


SHAPE = (7, 9, 11)
AFFINE = np.array([[0, 0, 1.0, -5], [0, 1.5, 0, -6], [2, 0, 0, -4], [0, 0, 0, 1]])


class RawAtlas:
    """Twelve subjects of three sites and two without masks, and how to break them."""

    def __init__(self, root):
        self.root = root
        self.rng = np.random.default_rng(0)
        self.sizes = {}
        for index in range(12):
            site = 1 + index % 3
            name = f'sub-r{site:03d}s{1 + index // 3:03d}'
            # Every other lesion is small: 30 and 756 mm3.
            size = (1, 2, 5) if index % 2 else (4, 7, 9)
            self.sizes[name] = int(np.prod(size))
            self.add(name, size)
        for index in range(2):
            self.add(f'sub-r009s{index + 1:03d}', None, part='Testing')

    def folder(self, name, part='Training', session=1):
        return self.root / part / name[4:8].upper() / name / f'ses-{session}' / 'anat'

    def image_path(self, name, part='Training', session=1):
        stem = f'{name}_ses-{session}_space-MNI152NLin2009aSym_T1w.nii.gz'
        return self.folder(name, part, session) / stem

    def mask_path(self, name, session=1):
        stem = f'{name}_ses-{session}_space-MNI152NLin2009aSym'
        folder = self.folder(name, session=session)
        return folder / f'{stem}_label-L_desc-T1lesion_mask.nii.gz'

    def add(self, name, size, part='Training', session=1):
        image = self.rng.integers(100, 900, SHAPE, dtype=np.int16)
        image[0] = 0
        self.write(self.image_path(name, part, session), image)
        if size is not None:
            mask = np.zeros(SHAPE, np.uint8)
            mask[1 : 1 + size[0], 1 : 1 + size[1], 1 : 1 + size[2]] = 1
            self.write(self.mask_path(name, session), mask)

    def write(self, path, array, affine=AFFINE, spacing=(2, 1.5, 1)):
        write_volume(Volume(array, spacing, affine), path)


@pytest.fixture
def raw_atlas(tmp_path):
    return RawAtlas(tmp_path / 'raw')


def read_files(folder):
    """Content of every file below a folder, by relative name."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob('*'))
        if path.is_file()
    }


@pytest.fixture(name='read_files')
def read_files_fixture():
    return read_files
