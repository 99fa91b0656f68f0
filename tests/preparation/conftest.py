"""A tiny raw ct-ich release whose counts are known by hand."""

import numpy as np
import pytest

from mmmed.io import encode_image

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
