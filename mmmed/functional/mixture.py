"""Gaussian mixtures with full covariances, fitted by scikit-learn.

Not here: what is sampled from them.
"""

import numpy as np
from numpy.typing import NDArray


def fit_mixture(
    points: NDArray[np.float64], components: int, *, seed: int = 0
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Weights (K,), means (K, D) and covariances (K, D, D) of a mixture.

    Args:
        points: (N, D), N > K.
        components: K, >= 1. One is the sample mean and covariance, exactly.
        seed: Of the k-means++ start.

    Raises:
        ValueError: More components than points, or none.
    """
    if not 1 <= components < len(points):
        raise ValueError(
            f'{components} components for {len(points)} points, expected 1 or more and '
            'fewer than the points'
        )
    if components == 1:
        covariance = np.cov(points.T, bias=True)
        return np.ones(1), points.mean(axis=0)[None], covariance[None]
    # Only a fit needs scikit-learn; whoever samples a prior does not load it.
    from sklearn.mixture import GaussianMixture

    model = GaussianMixture(
        components, tol=1e-5, max_iter=500, init_params='k-means++', random_state=seed
    ).fit(points)
    return model.weights_, model.means_, model.covariances_
