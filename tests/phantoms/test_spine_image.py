import pytest

from mmmed.phantoms.abdomen_grid import make_body_grid
from mmmed.phantoms.spine_anatomy import draw_anatomy
from mmmed.phantoms.spine_image import SEQUENCES, render_spine

GRID = make_body_grid((4.0, 0.8, 1.0), (24, 50, 40))


@pytest.mark.parametrize('sequence', SEQUENCES)
def test_tissue_lies_where_the_masks_say(sequence):
    shown = render_spine(draw_anatomy('cervical', (0,)), GRID, sequence, noise=0.0)
    cord, canal = shown.masks['cord'] > 0, shown.masks['canal'] > 0
    assert not (cord & ~canal).any()
    assert not (shown.masks['grey'].astype(bool) & ~cord).any()
    # The grey matter is the less part of a cord, and is there on every slice.
    assert 0.1 < shown.masks['grey'].sum() / cord.sum() < 0.5
    assert shown.masks['grey'].any(axis=(1, 2)).all()
    assert shown.image.min() >= 0
    assert not shown.masks['lesion'].any()


def test_noise_is_what_was_asked_for():
    anatomy = draw_anatomy('cervical', (0,))
    clean = render_spine(anatomy, GRID, 'T2w', noise=0.0).image.astype(float)
    noisy = render_spine(anatomy, GRID, 'T2w', noise=0.02).image
    bright = clean > 500  # far above the noise, where it is normal
    assert (noisy - clean)[bright].std() == pytest.approx(20, rel=0.1)


def test_an_unknown_sequence_is_refused():
    with pytest.raises(ValueError, match='flair'):
        render_spine(draw_anatomy('cervical', (0,)), GRID, 'flair')
