"""Small scans with awkward geometry, networks that compute something known."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
import torch
from mmengine.config import Config

from mmmed.inference.loading import LoadedNetworks, build_model
from mmmed.inference.recipe import ScanRecipe
from mmmed.io import write_volume
from mmmed.structures import Volume

RECIPE = 'unet-s4-c16_fcn_1xb4-crop-dicece-adamw-1200i_cranium-256x256.py'
ROOT = Path(__file__).resolve().parents[2]
SPACING = (3.0, 0.75, 1.25)


def make_affine(
    letters: str = 'SAR', spacing: Sequence[float] = SPACING, tilt_deg: float = 0.0
) -> np.ndarray:
    """RAS+ affine of array axes that point where the letters say, then turned."""
    world = {'R': 0, 'L': 0, 'A': 1, 'P': 1, 'S': 2, 'I': 2}
    affine = np.eye(4)
    affine[:3, :3] = 0
    for axis, letter in enumerate(letters):
        sign = 1 if letter in 'RAS' else -1
        affine[world[letter], axis] = sign * spacing[axis]
    angle = np.deg2rad(tilt_deg)
    turn = np.eye(3)
    turn[1:, 1:] = [
        [np.cos(angle), -np.sin(angle)],
        [np.sin(angle), np.cos(angle)],
    ]
    affine[:3, :3] = turn @ affine[:3, :3]
    affine[:3, 3] = [-31.0, 12.5, 7.0]
    return affine


@pytest.fixture
def make_volume() -> Callable[..., Volume]:
    """A volume of 3.0 x 0.75 x 1.25 mm whose axes point where letters say."""

    def make(array: np.ndarray, letters: str = 'SAR', tilt_deg: float = 0.0) -> Volume:
        return Volume(array, SPACING, make_affine(letters, tilt_deg=tilt_deg))

    return make


class Trained(NamedTuple):
    """What a training leaves behind."""

    config: Path
    weights: tuple[Path, ...]


class FakeNetwork:
    """Calls a function; remembers the shapes it was given."""

    device = torch.device('cpu')

    def __init__(self, function: Callable[[torch.Tensor], torch.Tensor]) -> None:
        self.function = function
        self.shapes: list[tuple[int, ...]] = []

    def __call__(self, inputs: torch.Tensor) -> torch.Tensor:
        self.shapes.append(tuple(inputs.shape))
        return self.function(inputs)


@pytest.fixture
def fake() -> type[FakeNetwork]:
    return FakeNetwork


@pytest.fixture
def identity() -> FakeNetwork:
    """Logits are the first channel: foreground where the scan is above 0."""
    return FakeNetwork(lambda x: x[:, :1])


@pytest.fixture
def convolution() -> Callable[..., FakeNetwork]:
    """A random convolution of any dimension: depends on neighbours, never on place."""

    def make(dimension: int, out_channels: int, in_channels: int = 1, seed: int = 0):
        torch.manual_seed(seed)
        kind = torch.nn.Conv3d if dimension == 3 else torch.nn.Conv2d
        layer = kind(in_channels, out_channels, 3, padding=1)
        return FakeNetwork(torch.no_grad()(lambda x: 3 * layer(x)))

    return make


@pytest.fixture
def recipe2d() -> ScanRecipe:
    return ScanRecipe(classes=('background', 'lesion'))


@pytest.fixture
def recipe3d() -> ScanRecipe:
    return ScanRecipe(
        classes=('background', 'a', 'b', 'c'),
        out_channels=4,
        dimension=3,
        orientation='SAR',
        crop_size=(6, 8, 10),
        stride=(3, 4, 5),
    )


@pytest.fixture
def write_dicom() -> Callable[..., np.ndarray]:
    """Writes a small CT series with names in the wrong order; returns its HU."""
    pydicom = pytest.importorskip('pydicom')
    from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, generate_uid

    def write(
        folder: Path, slices: int = 5, number: int = 1, modality: str = 'CT'
    ) -> np.ndarray:
        folder.mkdir(parents=True, exist_ok=True)
        rng = np.random.default_rng(number)
        hu = rng.integers(-1000, 1000, (slices, 8, 6)).astype(np.int16)
        study, series, frame = generate_uid(), generate_uid(), generate_uid()
        for index, plane in enumerate(hu):
            file = pydicom.Dataset()
            file.file_meta = pydicom.dataset.FileMetaDataset()
            file.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
            file.file_meta.MediaStorageSOPClassUID = CTImageStorage
            file.SOPClassUID = CTImageStorage
            file.SOPInstanceUID = generate_uid()
            file.file_meta.MediaStorageSOPInstanceUID = file.SOPInstanceUID
            file.StudyInstanceUID, file.SeriesInstanceUID = study, series
            file.FrameOfReferenceUID = frame
            file.Modality, file.SeriesNumber = modality, number
            file.InstanceNumber = index + 1
            file.PatientID = file.PatientName = 'phantom'
            file.PatientBirthDate = file.StudyDate = file.StudyTime = ''
            file.PatientSex = file.StudyID = file.AccessionNumber = ''
            file.ReferringPhysicianName = file.Manufacturer = ''
            file.SamplesPerPixel, file.PhotometricInterpretation = 1, 'MONOCHROME2'
            file.Rows, file.Columns = plane.shape
            file.BitsAllocated = file.BitsStored = 16
            file.HighBit, file.PixelRepresentation = 15, 0
            file.RescaleSlope, file.RescaleIntercept = '1', '-1024'
            file.PixelSpacing = ['0.75', '1.25']
            file.SliceThickness = '3'
            file.ImageOrientationPatient = ['1', '0', '0', '0', '1', '0']
            file.ImagePositionPatient = ['-20', '-30', str(5 + 3 * index)]
            file.PixelData = (plane + 1024).astype('<u2').tobytes()
            name = f'{number}_{(index * 7) % 10}{index}.dcm'
            file.save_as(folder / name, enforce_file_format=True)
        return hu

    return write


@pytest.fixture
def loaded(recipe2d, identity) -> LoadedNetworks:
    """The identity as if it came from a file."""
    return LoadedNetworks((identity,), recipe2d, (('identity.pth', 'ab' * 32),))


@pytest.fixture
def scans(tmp_path, make_volume, rng) -> Path:
    """A folder of four small scans in several formats and orientations."""
    folder = tmp_path / 'scans'
    folder.mkdir()
    for name, letters in (
        ('a.nii.gz', 'LAS'),
        ('b.nii', 'PSR'),
        ('c.nrrd', 'SAR'),
        ('d.mha', 'SPL'),
    ):
        scan = rng.normal(size=(5, 6, 7)).astype(np.float32)
        write_volume(make_volume(scan, letters, 9.0), folder / name)
    return folder


@pytest.fixture(scope='session')
def trained(tmp_path_factory) -> Trained:
    """The CPU recipe at a width that takes milliseconds, with drawn weights."""
    folder = tmp_path_factory.mktemp('trained')
    (folder / 'tiny.py').write_text(
        f"""
_base_ = {str(ROOT / 'configs/unet' / RECIPE)!r}
model = dict(
    backbone=dict(base_channels=4),
    decode_head=dict(in_channels=4, channels=4),
    test_cfg=dict(crop_size=(32, 32), stride=(16, 16)),
)
test_pipeline = [
    dict(type='mmmed.LoadSlice', size=(48, 48), resize_seg=False),
    dict(type='mmmed.PackMedInputs'),
]
test_dataloader = dict(dataset=dict(pipeline=test_pipeline))
"""
    )
    config = Config.fromfile(folder / 'tiny.py')
    meta = {
        'classes': ['background', 'hemorrhage'],
        'channels': 1,
        'channel_names': ['brain'],
        'window_hu': {'brain': [40.0, 120.0]},
    }
    weights = []
    for seed in range(2):
        torch.manual_seed(seed)
        model = build_model(config)
        model.init_weights()
        # Otherwise everything is background, which would prove little.
        weight = model.decode_head.conv_seg.weight.data.normal_()
        weight -= weight.mean()
        torch.nn.init.zeros_(model.decode_head.conv_seg.bias)
        weights.append(folder / f'fold{seed}.pth')
        state = {'meta': {'dataset_meta': meta}, 'state_dict': model.state_dict()}
        torch.save(state, weights[-1])
    return Trained(folder / 'tiny.py', tuple(weights))


@pytest.fixture
def make_mr(tmp_path: Path) -> Callable[..., Path]:
    """A function that writes a small MR series as DICOM and returns its folder."""
    pydicom = pytest.importorskip('pydicom', reason='DICOM is an optional extra')
    from mmmed.io.dicom_writing import write_series

    def make(
        folder: str,
        *,
        uid: str = '1.2.3',
        patient: str = 'P1',
        heights: Sequence[float] = (0, 3, 6),
        names: str = '',
    ) -> Path:
        """Files are called ``<names>0.dcm`` and so on."""
        array = np.arange(24 * len(heights), dtype=np.int16).reshape(-1, 4, 6)
        volume = Volume(array, (3.0, 0.75, 0.5))
        target = tmp_path / folder
        files = write_series(volume, target / 'new', patient_id=patient, series=uid)
        for index, (path, height) in enumerate(zip(files, heights, strict=True)):
            dataset = pydicom.dcmread(path)
            dataset.SeriesInstanceUID = uid
            dataset.ImagePositionPatient[2] = height
            dataset.save_as(target / f'{names}{index}.dcm')
            path.unlink()
        (target / 'new').rmdir()
        return target

    return make
