"""Post-processing by anatomy: one organ, and lesions only where it is.

Not here: finding components (``components``), where labels come from.
"""

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from mmmed.functional.components import label_components
from mmmed.functional.masks import check_spacing, find_box
from mmmed.functional.nearest_sites import compute_nearest_distances


def keep_near_organ(
    labels: NDArray,
    spacing: Sequence[float],
    *,
    organ: Collection[int],
    lesion: Collection[int],
    within_mm: float,
    connectivity: int | None = None,
) -> NDArray:
    """A label map with one piece of an organ, and lesions only near it.

    Pieces are looked for in organ and lesions together, because a lesion may divide
    the organ; the one with the most organ stays. Of other pieces the organ becomes
    background, and so does a lesion of which no voxel lies within ``within_mm`` of the
    piece that stays. Without any organ nothing is near it, and no lesion stays.

    Args:
        labels: Label map, shape (Z, Y, X) or (Y, X), integers; not changed.
        spacing: In mm, one per array axis.
        organ: Its labels, without those of lesions.
        lesion: Labels of lesions.
        within_mm: Largest distance between voxel centres, >= 0; infinite keeps every
            lesion where there is an organ.
        connectivity: As in :func:`mmmed.functional.components.label_components`.

    Returns:
        A new array of the same type; other labels are as they were.

    Raises:
        ValueError: A label is organ and lesion, or background, or the distance is
            negative.

    Source:
        SyntheticTumors (Hu et al. 2023, arXiv:2303.14869). Differs: mm, not steps of
        voxels; whole lesions, not parts of them; a lesion may divide the organ.
    """
    lengths = check_spacing(spacing, labels.ndim)
    if set(organ) & set(lesion) or 0 in {*organ, *lesion} or not within_mm >= 0:
        raise ValueError(
            f'organ {sorted(organ)}, lesion {sorted(lesion)} and within_mm {within_mm}'
            ', expected different labels without 0, and a distance >= 0'
        )
    result = labels.copy()
    is_organ, is_lesion = np.isin(labels, list(organ)), np.isin(labels, list(lesion))
    if not is_organ.any():
        result[is_lesion] = 0
        return result
    pieces, _ = label_components(is_organ | is_lesion, connectivity=connectivity)
    main = pieces == np.bincount(pieces[is_organ]).argmax()
    result[is_organ & ~main] = 0
    others = is_lesion & ~main
    if others.any():
        result[others & ~_find_near(others, main, lengths, within_mm, connectivity)] = 0
    return result


def _find_near(
    lesions: NDArray[np.bool_],
    main: NDArray[np.bool_],
    spacing: tuple[float, ...],
    within_mm: float,
    connectivity: int | None,
) -> NDArray[np.bool_]:
    """Lesions with a voxel near the main piece."""
    numbers, count = label_components(lesions, connectivity=connectivity)
    box = find_box(main)
    assert box is not None
    rim = np.zeros_like(main)
    # From outside, the nearest voxel of the piece is one of its rim.
    rim[box] = main[box] & ~ndimage.binary_erosion(main[box])
    places = np.nonzero(lesions)
    distances = compute_nearest_distances(
        np.stack(places), np.stack(np.nonzero(rim)), spacing
    )
    nearest = np.full(count + 1, math.inf)
    np.minimum.at(nearest, numbers[places], distances)
    return np.asarray(lesions & (nearest <= within_mm)[numbers], np.bool_)


@dataclass(frozen=True)
class OrganRule:
    """:func:`keep_near_organ` by the names of structures, as options say it.

    Args:
        organ: Name of the organ.
        lesion: Name of what may only lie near it.
        within_mm: See :func:`keep_near_organ`.

    Raises:
        ValueError: One name for both, or the distance is no number >= 0.
    """

    organ: str
    lesion: str
    within_mm: float

    def __post_init__(self) -> None:
        if self.organ == self.lesion or not self.within_mm >= 0:
            raise ValueError(
                f'keep-near {self.organ} {self.lesion} {self.within_mm:g}, expected '
                'two structures and a distance >= 0 in mm'
            )

    @classmethod
    def parse(cls, texts: Sequence[str]) -> 'OrganRule':
        """From the words of a command line: ``('liver', 'tumor', '10')``."""
        try:
            organ, lesion, distance = texts
            within_mm = float(distance)
        except ValueError as error:
            raise ValueError(
                f'keep-near {" ".join(texts)!r}, expected ORGAN LESION MM, such as '
                'liver tumor 10'
            ) from error
        return cls(organ, lesion, within_mm)

    def check(self, names: Collection[str]) -> None:
        """Whether both structures are there.

        Raises:
            ValueError: One of them is not.
        """
        for name in (self.organ, self.lesion):
            if name not in names:
                raise ValueError(
                    f'keep-near names {name!r}, expected one of {", ".join(names)}'
                )

    def apply(
        self,
        labels: NDArray,
        spacing: Sequence[float],
        values: Mapping[str, Collection[int]],
    ) -> NDArray:
        """A new label map.

        Args:
            labels: As in :func:`keep_near_organ`.
            spacing: Likewise.
            values: Labels of each structure; where the organ includes its lesions, the
                organ alone is meant.
        """
        lesion = set(values[self.lesion])
        return keep_near_organ(
            labels,
            spacing,
            organ=set(values[self.organ]) - lesion,
            lesion=lesion,
            within_mm=self.within_mm,
        )

    def as_list(self) -> list[str | float]:
        """Plain values, ready for JSON."""
        return [self.organ, self.lesion, self.within_mm]
