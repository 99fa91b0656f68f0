"""WindowSlice: grey values of a slice between its own percentiles.

Not here: the maths (``mmmed.functional.slice_window``), random changes (``slice_*``).
"""

from mmcv.transforms import BaseTransform

from mmmed.functional.slice_window import check_percentiles, window_slice
from mmmed.registry import TRANSFORMS


@TRANSFORMS.register_module()
class WindowSlice(BaseTransform):
    """Map each channel of a slice linearly between two percentiles, to 0 to 255.

    Slices of a scan differ in brightness along its coils, and files of other formats
    carry no unit; this makes them alike. A slice without contrast becomes 0.

    Required keys: ``img`` (H, W, C), any real type.

    Modified keys: ``img``, float32 from 0 to 255.

    Args:
        low: Lower percentile, in [0, 100), < ``high``.
        high: Upper percentile, in (0, 100].
        nonzero: Whether pixels that are exactly 0 surround the scan: they do not
            count, and stay 0.

    Raises:
        ValueError: The percentiles are impossible, or a value is NaN or infinite.
    """

    def __init__(
        self, low: float = 1.0, high: float = 99.0, nonzero: bool = True
    ) -> None:
        check_percentiles(low, high)
        self.low = low
        self.high = high
        self.nonzero = nonzero

    def transform(self, results: dict) -> dict:
        """Window one slice; the host calls this."""
        try:
            results['img'] = window_slice(
                results['img'], self.low, self.high, nonzero=self.nonzero
            )
        except ValueError as error:
            raise ValueError(f'{results.get("case_id")}: {error}') from error
        return results

    def __repr__(self) -> str:
        return (
            f'{type(self).__name__}(low={self.low}, high={self.high}, '
            f'nonzero={self.nonzero})'
        )
