"""Where lesions lie: how much of each is in the cortex, below it, in which region.

Not here: sizes (``lesion_rows``), making an atlas.
"""

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mmmed.io.base import find_suffix, read_volume
from mmmed.preparation.findings import InputError

OUTSIDE = 'outside'
_COLUMNS = ('label', 'name', 'region')
# Of a label map without a table.
_DEFAULT = {1: ('cortical', 'cortical'), 2: ('subcortical', 'subcortical')}


@dataclass(frozen=True)
class RegionMap:
    """Label map of anatomy in the space of the subjects.

    Args:
        labels: Shape (Z, Y, X), whole numbers >= 0; 0 is outside all regions.
        to_index: 4x4, from mm (RAS+) to array index (z, y, x).
        names: Name and region (``cortical``, ``subcortical`` or another word) of
            each label.
    """

    labels: NDArray[np.int64]
    to_index: NDArray[np.float64]
    names: Mapping[int, tuple[str, str]]

    @classmethod
    def read(cls, path: str | Path) -> 'RegionMap':
        """Label map from an image file and the table beside it.

        The image may have any grid and orientation; each lesion voxel takes the
        label of the nearest voxel. The table has the image's name and the suffix
        ``.csv``, with columns ``label,name,region``, for instance
        ``7,Precentral Gyrus,cortical``. Without one, 1 is cortical and 2 subcortical.

        Raises:
            InputError: The image holds other numbers than labels, a label has no
                row, or the table is not one.
            FileNotFoundError: There is no such image.
        """
        path = Path(path)
        volume = read_volume(path, ndim=3)
        labels = np.rint(volume.array).astype(np.int64)
        if (labels != volume.array).any() or (labels < 0).any():
            raise InputError(
                f'{path}: holds values that are no labels, expected whole numbers '
                '>= 0; give a label map, not a probability map'
            )
        table = path.with_name(path.name.removesuffix(find_suffix(path)) + '.csv')
        names = _read_names(table) if table.is_file() else dict(_DEFAULT)
        unknown = sorted(set(np.unique(labels).tolist()) - {0, *names})
        if unknown:
            raise InputError(
                f'{path}: label {unknown[0]} (of {len(unknown)} such) has no row in '
                f'{table.name}; write one with the columns {",".join(_COLUMNS)}'
            )
        return cls(labels, np.linalg.inv(np.asarray(volume.affine)), names)

    def count(self, mask: NDArray[np.bool_], affine: ArrayLike) -> dict[int, int]:
        """Lesion voxels by label, 0 for those outside all regions or the map.

        Args:
            mask: Shape (Z, Y, X).
            affine: 4x4, from index of the mask (z, y, x) to mm (RAS+).
        """
        places = np.argwhere(mask)
        matrix = self.to_index @ np.asarray(affine, np.float64)
        nearest = np.rint(places @ matrix[:3, :3].T + matrix[:3, 3]).astype(np.int64)
        inside = ((nearest >= 0) & (nearest < self.labels.shape)).all(axis=1)
        found = self.labels[tuple(nearest[inside].T)]
        labels, counts = np.unique(found, return_counts=True)
        result = dict(zip(labels.tolist(), counts.tolist(), strict=True))
        beyond = int((~inside).sum())
        return result | ({0: result.get(0, 0) + beyond} if beyond else {})

    def describe(self, counts: Mapping[int, int], subject: str) -> list[dict[str, Any]]:
        """One tidy row a label that the lesion touches, by label."""
        total = sum(counts.values())
        rows = []
        for label, voxels in sorted(counts.items()):
            name, region = self.names.get(label, (OUTSIDE, OUTSIDE))
            rows.append(
                {
                    'subject_name': subject,
                    'label': label,
                    'name': name,
                    'region': region,
                    'voxels': voxels,
                    'lesion_share': voxels / total,
                }
            )
        return rows


def summarize_regions(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Shares of one subject's lesion by region, and the region that holds most.

    Returns:
        ``cortical_share``, ``subcortical_share`` and ``location``: the region with
        the most lesion voxels inside regions, of equal ones the first by name;
        ``'outside'`` if no voxel lies in one, None without a lesion.
    """
    shares: dict[str, float] = {}
    for row in rows:
        shares[row['region']] = shares.get(row['region'], 0.0) + row['lesion_share']
    inside = sorted((-share, name) for name, share in shares.items() if name != OUTSIDE)
    location = inside[0][1] if inside else (OUTSIDE if rows else None)
    return {
        'cortical_share': shares.get('cortical', 0.0) if rows else None,
        'subcortical_share': shares.get('subcortical', 0.0) if rows else None,
        'location': location,
    }


def _read_names(path: Path) -> dict[int, tuple[str, str]]:
    try:
        with path.open(newline='', encoding='utf-8-sig') as stream:
            rows = list(csv.DictReader(stream))
        return {
            int(row['label']): (str(row['name']), str(row['region'])) for row in rows
        }
    except (KeyError, TypeError, ValueError, csv.Error) as error:
        raise InputError(
            f'{path}: not a table with the columns {",".join(_COLUMNS)} and whole '
            f'numbers as labels ({error})'
        ) from error
