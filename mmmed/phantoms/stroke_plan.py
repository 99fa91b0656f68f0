"""Who gets which lesion: site, size and raw material of every subject of a cohort.

Sizes follow the strata of the ATLAS v2.0 training set. Not here: shapes and images
(``stroke_lesions``, ``stroke_head``).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mmmed.functional.lesion_strata import STRATUM_EDGES

# Upper edges of 3-D lesion volume in voxels of 1 mm3, and subjects of ATLAS v2.0
# training data in each stratum (of 655).
EDGES_MM3 = STRATUM_EDGES['volume']
SUBJECTS = (319, 154, 64, 49, 44, 25)
_SMALLEST_MM3, _LARGEST_MM3 = 40.0, 330_000.0
_GOLDEN = (5**0.5 - 1) / 2
# One to three lesions a subject, as many are in the sample masks' literature.
_PARTS = (0.58, 0.3, 0.12)
_SAME_SIDE = 0.8


@dataclass(frozen=True)
class Part:
    """One lesion of a subject.

    Args:
        kind: ``'whole'`` (a mask, moved and slightly scaled), ``'piece'`` (a part of
            one), ``'small'`` (one scaled down, elsewhere) or ``'generated'``.
        mask: Index of the raw material, -1 without one.
        volume_mm3: Wanted volume.
        mirror: Whether it goes to the right hemisphere (raw masks are on the left).
    """

    kind: str
    mask: int
    volume_mm3: float
    mirror: bool


@dataclass(frozen=True)
class SubjectPlan:
    """One subject before it is drawn.

    Args:
        subject: Number in the cohort, from 0; decides the random numbers.
        site: Site number, from 1.
        number: Number within the site, from 1.
        parts: Lesions; none for a subject whose mask is never shown.
        labelled: Whether the mask is published.
    """

    subject: int
    site: int
    number: int
    parts: tuple[Part, ...]
    labelled: bool = True

    @property
    def name(self) -> str:
        """``sub-r001s001``."""
        return f'sub-r{self.site:03d}s{self.number:03d}'


def plan_cohort(
    subjects: int,
    *,
    unlabelled: int = 0,
    sites: int = 8,
    seed: int = 0,
    mask_volumes_mm3: Sequence[float] = (),
) -> list[SubjectPlan]:
    """Subjects with masks, then those without, which come from sites of their own.

    Args:
        subjects: With masks, >= 1.
        unlabelled: Without, >= 0.
        sites: Of the subjects with masks, 1 to 900; large and small ones.
        seed: >= 0.
        mask_volumes_mm3: Raw material; empty generates every lesion.

    Raises:
        ValueError: A number is out of range.
    """
    for name, value, low, high in (
        ('subjects', subjects, 1, 99_999),
        ('unlabelled', unlabelled, 0, 99_999),
        ('sites', sites, 1, 900),
        ('seed', seed, 0, 2**63),
    ):
        if not low <= value <= high:
            raise ValueError(f'{name} is {value}, expected {low} to {high}')
    rng = np.random.default_rng(np.random.SeedSequence([seed, 0]))
    library = _Library(mask_volumes_mm3, rng)
    offset = rng.random()
    total = subjects + unlabelled
    counts: dict[int, int] = {}
    plans = []
    for index in range(total):
        labelled = index < subjects
        site = (
            _draw_site(rng, index, sites)
            if labelled
            else sites + 1 + (index - subjects) % 3
        )
        counts[site] = counts.get(site, 0) + 1
        volume = _draw_volume(rng, (offset + (index + 1) * _GOLDEN) % 1)
        parts = _draw_parts(rng, volume, library)
        plans.append(SubjectPlan(index, site, counts[site], parts, labelled))
    return plans


def _draw_site(rng: np.random.Generator, index: int, sites: int) -> int:
    """Every site once, then the first ones more often than the last."""
    if index < sites:
        return index + 1
    weights = 1 / np.arange(1, sites + 1)
    return int(rng.choice(sites, p=weights / weights.sum())) + 1


def _draw_volume(rng: np.random.Generator, share: float) -> float:
    """Volume in mm3 whose stratum follows an evenly spread share in [0, 1)."""
    bounds = np.cumsum(SUBJECTS) / sum(SUBJECTS)
    stratum = int(np.searchsorted(bounds, share, side='right'))
    edges = [_SMALLEST_MM3, *EDGES_MM3, _LARGEST_MM3]
    # A little off the edges: shape and brain border cost some voxels.
    low, high = 1.08 * edges[stratum], 0.94 * edges[stratum + 1]
    return float(np.exp(rng.uniform(np.log(low), np.log(high))))


def _draw_parts(
    rng: np.random.Generator, volume_mm3: float, library: '_Library'
) -> tuple[Part, ...]:
    most = 1 if volume_mm3 < 150 else 2 if volume_mm3 > EDGES_MM3[-1] else 3
    number = min(int(rng.choice(3, p=_PARTS)) + 1, most)
    shares = np.sort(rng.dirichlet(np.full(number, 1.2)))[::-1]
    shares = np.maximum(shares, 0.06)
    side = bool(rng.random() < 0.5)
    parts = []
    for share in shares / shares.sum():
        wanted = float(share * volume_mm3)
        kind, mask = library.choose(wanted)
        mirror = side if rng.random() < _SAME_SIDE else not side
        parts.append(Part(kind, mask, wanted, mirror))
    return tuple(parts)


class _Library:
    """Raw masks, handed out so that none is used twice while others wait."""

    def __init__(self, volumes_mm3: Sequence[float], rng: np.random.Generator) -> None:
        self.volumes = np.asarray(volumes_mm3, dtype=np.float64)
        self.used = np.zeros(len(self.volumes), dtype=int)
        self.rng = rng

    def choose(self, wanted_mm3: float) -> tuple[str, int]:
        """Kind of lesion and raw mask for a wanted volume."""
        if not len(self.volumes):
            return 'generated', -1
        draw = self.rng.random()
        if wanted_mm3 < EDGES_MM3[0] and draw < 0.3:
            return 'generated', -1
        if wanted_mm3 < 2 * EDGES_MM3[0]:
            kind = 'piece' if draw < 0.65 else 'small'
        else:
            kind = 'whole' if draw < 0.75 else 'piece'
        ratio = np.abs(np.log(self.volumes / wanted_mm3))
        if kind == 'whole':
            # Near in size, and better a factor of two off than used once more.
            cost = ratio + np.log(2) * self.used
        else:
            # Any mask large enough will do: one that waits longest.
            luck = self.rng.random(len(self.volumes))
            cost = self.used + luck + 1e3 * (self.volumes < 1.2 * wanted_mm3)
        mask = int(np.argmin(cost))
        if kind == 'whole' and self.volumes[mask] > 1.9 * wanted_mm3:
            kind = 'piece'
        self.used[mask] += 1
        return kind, mask
