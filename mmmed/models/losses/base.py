"""What every segmentation loss shares: the host's call, the checks, the scaling."""

from abc import ABCMeta, abstractmethod
from collections.abc import Sequence
from typing import Any

from torch import Tensor, nn

from mmmed.functional.labelled_logits import LabelledLogits, prepare_labelled_logits
from mmmed.functional.soft_overlap import (
    SoftCounts,
    average_class_errors,
    compute_soft_counts,
)


class SegmentationLoss(nn.Module, metaclass=ABCMeta):
    """A loss of raw logits against labels, in any number of dimensions.

    Logits have shape (N, K, *space). K = 1: sigmoid, the channel scores label 1
    (foreground) and label 0 is background. K > 1: softmax over labels 0..K-1. Half
    precision is raised to float32. Pixels of ``ignore_index`` take no part, neither
    above nor below a fraction line; if every pixel is ignored the loss is 0 with zero
    gradient. The mean is the only reduction. Sums run over all processes of a
    distributed training, so W processes train exactly like one with W times the batch.

    Args:
        loss_name: Key in the training log; must start with ``loss_`` or MMEngine
            leaves it out of the gradient.
        loss_weight: Factor on the result.
        class_weight: One weight >= 0 a label, background first (two for K = 1);
            None for equal weights.

    Raises:
        ValueError: ``loss_name`` does not start with ``loss_``, or a weight is < 0.
    """

    def __init__(
        self,
        *,
        loss_name: str,
        loss_weight: float = 1.0,
        class_weight: Sequence[float] | None = None,
    ) -> None:
        super().__init__()
        if not loss_name.startswith('loss_'):
            raise ValueError(
                f"loss_name must start with 'loss_' to be trained on, got {loss_name!r}"
            )
        if class_weight is not None and (
            min(class_weight) < 0 or not sum(class_weight)
        ):
            raise ValueError(
                f'class_weight must be >= 0 and not all 0, got {list(class_weight)}'
            )
        self._loss_name = loss_name
        self.loss_weight = loss_weight
        self.class_weight = None if class_weight is None else tuple(class_weight)

    @property
    def loss_name(self) -> str:
        """Key of this loss in the training log."""
        return self._loss_name

    def forward(
        self,
        pred: Tensor,
        target: Tensor,
        weight: Tensor | None = None,
        ignore_index: int | None = 255,
        **kwargs: Any,
    ) -> Tensor:
        """Compute the loss.

        Args:
            pred: Raw logits, shape (N, K, *space).
            target: Labels, shape (N, *space), integer.
            weight: Optional pixel weights >= 0, shape (N, *space).
            ignore_index: Label of pixels to leave out.
            **kwargs: Accepted for the host's callers; must be None
                (``avg_factor``, ``reduction_override``).

        Returns:
            Scalar >= 0, float32 (float64 for float64 logits).

        Raises:
            ValueError: Shapes, dtypes, labels or the number of class weights do not
                fit, or the caller asks for another reduction.
        """
        unknown = {key: value for key, value in kwargs.items() if value is not None}
        if unknown:
            raise ValueError(
                f'{type(self).__name__} knows no {sorted(unknown)}, got {unknown}; '
                f'its only reduction is the mean over valid pixels'
            )
        data = prepare_labelled_logits(pred, target, weight, ignore_index)
        self._check_class_weight(data.num_classes)
        return self.loss_weight * self.compute(data)

    @abstractmethod
    def compute(self, data: LabelledLogits) -> Tensor:
        """The unscaled loss, a scalar."""

    def _check_class_weight(self, num_classes: int) -> None:
        if self.class_weight is not None and len(self.class_weight) != num_classes:
            raise ValueError(
                f'class_weight of {type(self).__name__} has {len(self.class_weight)} '
                f'entries, expected {num_classes} (background first)'
            )

    def extra_repr(self) -> str:
        """Settings shown by ``print(model)``."""
        return f'loss_weight={self.loss_weight}, class_weight={self.class_weight}'


class OverlapLoss(SegmentationLoss, metaclass=ABCMeta):
    """A loss that averages one error per class and image (or per class and batch).

    The published stroke segmentation codes sum over the whole batch and smooth by one
    pixel: ``batch_dice=True, smooth=1.0``.

    Args:
        batch_dice: Sum pixel counts over the batch (of all processes) before forming
            the score. False gives every image the same say; an image without lesion
            then pushes all probabilities to 0, harder than one with a lesion pulls,
            so that slices of which most show none are better trained with True.
        include_background: Whether class 0 counts like the others.
        smooth: Pixels added above and below the fraction line, >= 0.
        square_errors: Whether errors p and 1 - p are squared before they are summed,
            see :func:`mmmed.functional.soft_overlap.compute_soft_counts`.
        **kwargs: See :class:`SegmentationLoss`.

    Raises:
        ValueError: ``smooth`` is negative.
    """

    def __init__(
        self,
        *,
        batch_dice: bool = False,
        include_background: bool = False,
        smooth: float = 1.0,
        square_errors: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if smooth < 0:
            raise ValueError(f'smooth must be >= 0 pixels, got {smooth}')
        self.batch_dice = batch_dice
        self.include_background = include_background
        self.smooth = smooth
        self.square_errors = square_errors
        if self.class_weight is not None and not sum(self._select_class_weight() or ()):
            raise ValueError(
                f'class_weight leaves no class to learn, got {self.class_weight} with '
                f'include_background={include_background}'
            )

    @abstractmethod
    def compute_error(self, counts: SoftCounts) -> Tensor:
        """Error >= 0 of each row and class, shape (R, C), 0 at the best."""

    def compute(self, data: LabelledLogits) -> Tensor:
        """Mean error over images (or the batch) and classes, a scalar >= 0."""
        counts = compute_soft_counts(
            data,
            include_background=self.include_background,
            pool_batch=self.batch_dice,
            square_errors=self.square_errors,
        )
        return average_class_errors(
            self.compute_error(counts), counts.is_counted, self._select_class_weight()
        )

    def _select_class_weight(self) -> Sequence[float] | None:
        if self.class_weight is None or self.include_background:
            return self.class_weight
        return self.class_weight[1:]

    def extra_repr(self) -> str:
        """Settings shown by ``print(model)``."""
        return (
            f'batch_dice={self.batch_dice}, smooth={self.smooth}, '
            f'include_background={self.include_background}, {super().extra_repr()}'
        )
