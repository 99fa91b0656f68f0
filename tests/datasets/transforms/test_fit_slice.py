import numpy as np
import pytest

from mmmed.datasets.transforms import FitSlice


@pytest.fixture
def loaded(make_sample):
    return make_sample() | {'img_padding_size': (0, 0, 0, 0)}


def test_image_and_labels_move_together(loaded):
    out = FitSlice(size=(30, 20), pixel_mm=0.4)(dict(loaded))
    # (24, 16) pixels of 0.5 x 0.8 mm are (30, 32) of 0.4 mm; 12 columns are cut.
    assert out['img'].shape == (30, 20, 1)
    assert out['gt_seg_map'].shape == out['img_shape'] == out['pad_shape'] == (30, 20)
    assert out['img_padding_size'] == (-6, -6, 0, 0)
    assert out['img_spacing'] == pytest.approx([0.4, 0.4])
    assert out['scale_factor'] == (2.0, 1.25)
    assert out['ori_shape'] == (24, 16)
    # Rows 5..11 and columns 3..8 of the label: 6.25..15 and 6..18 less 6.
    rows, columns = np.nonzero(out['gt_seg_map'] == 1)
    assert (rows.min(), rows.max()) == (6, 14)
    assert (columns.min(), columns.max()) == (0, 11)


def test_test_pipelines_keep_the_label_map(loaded):
    out = FitSlice(size=(8, 8), resize_seg=False)(dict(loaded))
    assert out['gt_seg_map'] is loaded['gt_seg_map']
    assert out['seg_fields'] == []
    assert out['img'].shape == (8, 8, 1)


def test_host_brings_cut_predictions_back(loaded):
    """A perfect prediction on what is shown is perfect there, background beyond."""
    import torch
    from mmseg.structures import SegDataSample

    from mmmed.models.segmentors.med_encoder_decoder import MedEncoderDecoder

    seg = np.zeros((24, 16), np.uint8)
    seg[6:20, 2:12] = 1
    sample = loaded | {'img': seg[..., None] * np.uint8(200), 'spacing': [0.5, 0.5]}
    sample['img_spacing'] = [0.5, 0.5]
    out = FitSlice(size=(30, 8), pixel_mm=0.5)(sample)
    logits = torch.from_numpy(out['img']).permute(2, 0, 1)[None].float() / 100 - 1
    meta = SegDataSample(
        metainfo={k: out[k] for k in ('ori_shape', 'img_padding_size')}
    )
    whole = MedEncoderDecoder._restore(None, logits, meta.metainfo)
    expected = seg.copy()
    expected[:, :4] = expected[:, 12:] = 0
    assert np.array_equal((whole[0, 0] > 0).numpy(), expected == 1)


def test_refuses_what_it_cannot_turn_back(make_sample, loaded):
    with pytest.raises(ValueError, match=r'049_0: the slice has margins'):
        FitSlice(size=(8, 8))(make_sample())
    with pytest.raises(ValueError, match='expected uint8 or float32'):
        FitSlice(size=(8, 8))(loaded | {'img': loaded['img'].astype(float)})
    with pytest.raises(ValueError, match='no spacing'):
        FitSlice(pixel_mm=1.0)(loaded | {'img_spacing': None, 'spacing': None})
    with pytest.raises(ValueError, match='size is'):
        FitSlice(size=(0, 8))
    with pytest.raises(ValueError, match='pixel_mm is'):
        FitSlice(pixel_mm=-1.0)
