import numpy as np
import pytest

SPACING = (2.0, 1.0, 1.5)


@pytest.fixture(scope='session')
def organ_phantom():
    """A CT-like block with an ellipsoidal organ, anisotropic: image, mask, spacing."""
    shape = (40, 96, 60)
    grid = np.ogrid[tuple(slice(0, size) for size in shape)]
    semi = [0.42 * size for size in shape]
    mask = sum(
        ((g - (s - 1) / 2) / r) ** 2 for g, s, r in zip(grid, shape, semi, strict=True)
    )
    mask = (mask <= 1).astype(np.uint8)
    rng = np.random.default_rng(0)
    image = np.where(mask, 110, -40) + 12 * rng.standard_normal(shape)
    return image.astype(np.float32), mask, SPACING
