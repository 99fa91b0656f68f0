"""LesionPrior: where lesions of real patients lie in the box around their organ.

A Gaussian mixture over positions in [0, 1]^3 (Z, Y, X) of the box, with full
covariances, so that the directions of the cloud are kept. One component is an
ellipsoid. Not here: which samples lie in the organ (``placement``).
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mmmed.functional.mixture import fit_mixture
from mmmed.structures.json_file import load_json

_MAX_COMPONENTS = 50
_SCHEMA = 1


@dataclass(frozen=True)
class LesionPrior:
    """A mixture of normal distributions over relative positions.

    Args:
        weights: (K,), sum 1.
        means: (K, 3) in Z, Y, X.
        covariances: (K, 3, 3).
        kind: ``normal``, or ``ellipsoid``: uniform in the ellipsoid of the same
            covariance, which ends at the square root of 5 deviations.

    Raises:
        ValueError: Shapes do not match or a covariance is none.
    """

    weights: tuple[float, ...]
    means: tuple[tuple[float, ...], ...]
    covariances: tuple[tuple[tuple[float, ...], ...], ...]
    kind: str = 'normal'

    def __post_init__(self) -> None:
        count = len(self.weights)
        means, covariances = np.array(self.means), np.array(self.covariances)
        if not 1 <= count <= _MAX_COMPONENTS or means.shape != (count, 3):
            raise ValueError(f'prior has {count} weights and means {means.shape}')
        if covariances.shape != (count, 3, 3) or self.kind not in _KINDS:
            raise ValueError(
                f'prior has covariances {covariances.shape} and kind {self.kind!r}'
            )
        values = np.concatenate([self.weights, means.ravel(), covariances.ravel()])
        if not np.isfinite(values).all() or min(self.weights) < 0:
            raise ValueError('prior holds a number that is not finite, or a weight < 0')
        if abs(sum(self.weights) - 1) > 1e-6:
            raise ValueError(f'weights of the prior add up to {sum(self.weights)}')
        symmetric = np.allclose(covariances, covariances.transpose(0, 2, 1))
        if not symmetric or np.linalg.eigvalsh(covariances).min() <= 0:
            raise ValueError('a covariance of the prior is not positive definite')

    def sample(self, rng: np.random.Generator, count: int) -> NDArray[np.float64]:
        """Relative positions, (count, 3); some may lie outside [0, 1]."""
        chosen = rng.choice(len(self.weights), size=count, p=self.weights)
        normal = rng.standard_normal((count, 3))
        if self.kind == 'ellipsoid':
            # Uniform in a ball of radius sqrt(5), whose covariance is the identity.
            radius = math.sqrt(5) * rng.random((count, 1)) ** (1 / 3)
            normal *= radius / np.linalg.norm(normal, axis=1, keepdims=True)
        # The root of the covariance turns and scales; scaling alone would lose the
        # directions of the cloud.
        roots = np.linalg.cholesky(np.array(self.covariances))
        return np.array(self.means)[chosen] + np.einsum(
            'nij,nj->ni', roots[chosen], normal
        )

    def to_json(self) -> dict[str, Any]:
        """Plain numbers and lists."""
        return {
            'schema_version': _SCHEMA,
            'axes': 'ZYX',
            'kind': self.kind,
            'weights': list(self.weights),
            'means': [list(mean) for mean in self.means],
            'covariances': [[list(row) for row in c] for c in self.covariances],
        }

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> 'LesionPrior':
        """Read :meth:`to_json` back.

        Raises:
            ValueError: It is something else.
        """
        if not isinstance(values, Mapping) or values.get('schema_version') != _SCHEMA:
            raise ValueError('not a lesion prior of this version')
        try:
            return cls(
                tuple(float(w) for w in values['weights']),
                tuple(tuple(float(v) for v in mean) for mean in values['means']),
                tuple(
                    tuple(tuple(float(v) for v in row) for row in c)
                    for c in values['covariances']
                ),
                str(values['kind']),
            )
        except (KeyError, TypeError) as error:
            raise ValueError(f'not a lesion prior: {error!r}') from error


_KINDS = ('normal', 'ellipsoid')


def read_prior(path: str | Path) -> LesionPrior:
    """Read a prior.

    Raises:
        ValueError: The file is no prior; the message names it.
    """
    try:
        return LesionPrior.from_json(load_json(path))
    except ValueError as error:
        raise ValueError(f'{path}: {error}') from error


def normalize_centers(
    centers: ArrayLike, box_start: Sequence[float], box_size: Sequence[float]
) -> NDArray[np.float64]:
    """Voxel indices as relative positions in the box of their organ, (L, 3).

    The box runs from the outer side of its first voxel to that of its last.
    """
    places = np.asarray(centers, float).reshape(-1, 3)
    return (places + 0.5 - np.asarray(box_start)) / np.asarray(box_size)


def fit_prior(
    positions: ArrayLike,
    *,
    components: int = 1,
    kind: str = 'normal',
    outlier_share: float = 0.02,
    seed: int = 0,
) -> LesionPrior:
    """Fit a prior to relative positions of real lesions.

    Args:
        positions: (L, 3) from :func:`normalize_centers`, of all patients.
        components: Of the mixture, >= 1.
        kind: ``normal`` or ``ellipsoid``.
        outlier_share: Of positions with the largest Mahalanobis distance that are
            left out, as published.
        seed: Of the start of the mixture's fit.

    Raises:
        ValueError: Fewer than 10 positions for a component, or they are flat.
    """
    points = np.asarray(positions, float)
    if points.ndim != 2 or points.shape[1] != 3 or len(points) < 10 * components:
        raise ValueError(
            f'positions have shape {points.shape}, expected (L, 3) with at least '
            f'{10 * components} lesions for {components} components'
        )
    spread = np.atleast_2d(np.cov(points.T))
    if np.linalg.eigvalsh(spread).min() <= 1e-9:
        raise ValueError('all positions lie in one plane, expected a cloud')
    away = points - points.mean(axis=0)
    distance = np.einsum('ni,ij,nj->n', away, np.linalg.inv(spread), away)
    kept = points[distance <= np.quantile(distance, 1 - outlier_share)]
    weights, means, covariances = fit_mixture(kept, components, seed=seed)
    return LesionPrior(
        tuple(weights.tolist()),
        tuple(tuple(mean) for mean in means.tolist()),
        tuple(tuple(tuple(row) for row in c) for c in covariances.tolist()),
        kind,
    )
