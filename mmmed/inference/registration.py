"""A scan brought to the grid of the training by an affine registration.

SimpleITK does the search; values are resampled as everywhere in this package. Not
here: nonlinear registration, and whether a scan needs any (``training_grid``).
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import util
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmmed.functional.geometry import compute_index_map
from mmmed.functional.resampling import resample_image
from mmmed.inference.training_grid import TrainingGrid
from mmmed.io import read_volume
from mmmed.structures import Volume

# Shipped by nilearn: the T1 of MNI152NLin2009aSym with its head, 1 mm.
_TEMPLATE = 'datasets/data/mni_icbm152_t1_tal_nlin_sym_09a_converted.nii.gz'
_BINS = 32
# Voxels looked at in each step, about: more do not make it more precise.
_SAMPLES = 60_000
# Coarse to fine: shrink factors, smoothing in mm.
_LEVELS = ((4, 4.0), (2, 2.0), (1, 1.0))
_ITERATIONS = 100
_RIM_MM = 6.0
# RAS+ to LPS+ and back; SimpleITK's world is LPS.
_TO_LPS = np.diag([-1.0, -1.0, 1.0, 1.0])


@dataclass(frozen=True)
class Registration:
    """Where points of the template lie in the scan.

    Args:
        matrix: Shape (4, 4), RAS+ mm of the template to RAS+ mm of the scan.
        metric: Mutual information reached, in nats; larger is better.
        grid: The training grid.
    """

    matrix: NDArray[np.float64]
    metric: float
    grid: TrainingGrid

    def bring(self, volume: Volume) -> Volume:
        """A scan on the training grid, linear; 0 outside of it."""
        index_map = np.linalg.solve(volume.grid, self.matrix @ self.grid.matrix)
        array = volume.array if volume.array.ndim == 4 else volume.array[None]
        moved = np.stack(
            [resample_image(one, index_map, self.grid.shape) for one in array]
        )
        if volume.array.ndim == 3:
            moved = moved[0]
        return Volume(moved, self.grid.spacing, self.grid.matrix)

    def take_back(self, values: NDArray, volume: Volume) -> NDArray[np.float32]:
        """Values (Z, Y, X) of the training grid on the grid of the scan, linear."""
        index_map = np.linalg.solve(self.matrix @ self.grid.matrix, volume.grid)
        return resample_image(values, index_map, volume.shape).astype(np.float32)

    def to_dict(self) -> dict[str, Any]:
        """Facts for a report."""
        return {
            'template_to_scan': self.matrix.tolist(),
            'mutual_information': round(self.metric, 6),
        }


def find_template() -> Path:
    """The embedded T1 template of MNI152NLin2009aSym.

    Raises:
        ImportError: nilearn, which ships it, is not installed.
    """
    spec = util.find_spec('nilearn')
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        path = Path(folder) / _TEMPLATE
        if path.is_file():
            return path
    raise ImportError(
        'the MNI template comes with nilearn, which is not installed; install '
        '"mmmed[register]", or give a T1 on the training grid with --template'
    )


def read_template(path: str | Path, grid: TrainingGrid) -> Volume:
    """A template on the training grid, resampled if it has another one.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: It cannot be read, or misses the grid.
    """
    template = read_volume(path, ndim=3)
    index_map = compute_index_map(grid.matrix, template.grid)
    array = resample_image(template.array.astype(np.float32), index_map, grid.shape)
    if not array.any():
        raise ValueError(f'{path} is empty on the grid {grid.name}')
    return Volume(array, grid.spacing, grid.matrix)


def register_affine(
    scan: Volume, template: Volume, grid: TrainingGrid, *, seed: int = 0
) -> Registration:
    """Find the affine map between a scan and a template of the same contrast.

    Mutual information, centres of mass first, then rigid, then affine, both from
    coarse to fine. One thread and a fixed seed: the same scan gives the same bits.

    Args:
        scan: Shape (Z, Y, X), any grid.
        template: On ``grid``.
        grid: The training grid.
        seed: Of the sampled voxels.

    Raises:
        ImportError: SimpleITK is not installed.
        ValueError: The scan has several channels or no contrast, or the images do
            not overlap.

    Source:
        Mattes et al. 2003, doi:10.1109/TMI.2003.809072, as SimpleITK implements it.
    """
    try:
        import SimpleITK as sitk  # noqa: N813
    except ImportError as error:
        raise ImportError(
            '--register needs SimpleITK; install it with "pip install mmmed[register]"'
        ) from error
    if scan.array.ndim != 3:
        raise ValueError(
            'a scan of several channels cannot be registered, expected 3-D'
        )
    if not float(np.ptp(scan.array)) > 0:
        raise ValueError('the scan has one value everywhere, nothing to register')
    fixed, moving = _to_image(sitk, template), _to_image(sitk, scan)
    try:
        with _use_one_thread(sitk):
            affine, metric = _register(sitk, fixed, moving, seed)
    except RuntimeError as error:
        reason = str(error).strip().splitlines()[-1][:200]
        raise ValueError(f'registration failed ({reason})') from error
    return Registration(_to_matrix(affine), -metric, grid)


@contextmanager
def _use_one_thread(sitk: Any) -> Iterator[None]:
    # Only the default of all filters reaches the metric, whose sums otherwise depend
    # on how the voxels are divided among threads.
    before = sitk.ProcessObject.GetGlobalDefaultNumberOfThreads()
    sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(1)
    try:
        yield
    finally:
        sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(before)


def _register(sitk: Any, fixed: Any, moving: Any, seed: int) -> tuple[Any, float]:
    """Affine transform from rigid from centres of mass, and its metric."""
    rigid = sitk.CenteredTransformInitializer(
        fixed,
        moving,
        sitk.Euler3DTransform(),
        sitk.CenteredTransformInitializerFilter.MOMENTS,
    )
    rigid = sitk.Euler3DTransform(rigid)
    _search(sitk, fixed, moving, rigid, seed)
    affine = sitk.AffineTransform(3)
    affine.SetMatrix(rigid.GetMatrix())
    affine.SetTranslation(rigid.GetTranslation())
    affine.SetCenter(rigid.GetCenter())
    return affine, _search(sitk, fixed, moving, affine, seed)


def _search(sitk: Any, fixed: Any, moving: Any, start: Any, seed: int) -> float:
    """Refine a transform in place; returns the metric, smaller is better."""
    method = sitk.ImageRegistrationMethod()
    method.SetMetricAsMattesMutualInformation(numberOfHistogramBins=_BINS)
    method.SetMetricSamplingStrategy(method.REGULAR)
    voxels = float(np.prod(fixed.GetSize()))
    shares = [min(1.0, _SAMPLES * shrink**3 / voxels) for shrink, _ in _LEVELS]
    method.SetMetricSamplingPercentagePerLevel(shares, seed or 1)
    method.SetMetricFixedMask(_dilate_content(sitk, fixed))
    method.SetInterpolator(sitk.sitkLinear)
    method.SetOptimizerAsRegularStepGradientDescent(
        learningRate=1.0,
        minStep=1e-4,
        numberOfIterations=_ITERATIONS,
        gradientMagnitudeTolerance=1e-8,
    )
    method.SetOptimizerScalesFromPhysicalShift()
    method.SetShrinkFactorsPerLevel([shrink for shrink, _ in _LEVELS])
    method.SetSmoothingSigmasPerLevel([sigma for _, sigma in _LEVELS])
    method.SmoothingSigmasAreSpecifiedInPhysicalUnitsOn()
    method.SetInitialTransform(start, inPlace=True)
    method.Execute(fixed, moving)
    return float(method.GetMetricValue())


def _dilate_content(sitk: Any, fixed: Any) -> Any:
    """Where the template has values, and a rim around it.

    The template is a brain; a scan may have a skull, which must not be matched to it.
    """
    radius = [max(1, round(_RIM_MM / mm)) for mm in fixed.GetSpacing()]
    return sitk.BinaryDilate(sitk.Cast(fixed > 0, sitk.sitkUInt8), radius)


def _to_image(sitk: Any, volume: Volume) -> Any:
    """The volume as SimpleITK knows it: x first, LPS+."""
    image = sitk.GetImageFromArray(np.ascontiguousarray(volume.array, np.float32))
    columns = (_TO_LPS @ volume.grid)[:3]
    steps = columns[:, 2::-1] / np.asarray(volume.spacing)[::-1]
    image.SetSpacing([float(mm) for mm in volume.spacing[::-1]])
    image.SetOrigin([float(mm) for mm in columns[:, 3]])
    image.SetDirection([float(v) for v in steps.ravel()])
    return image


def _to_matrix(affine: Any) -> NDArray[np.float64]:
    """RAS+ matrix of a SimpleITK affine, which turns about a center."""
    turn = np.array(affine.GetMatrix()).reshape(3, 3)
    center = np.array(affine.GetCenter())
    matrix = np.eye(4)
    matrix[:3, :3] = turn
    matrix[:3, 3] = np.array(affine.GetTranslation()) + center - turn @ center
    return _TO_LPS @ matrix @ _TO_LPS
