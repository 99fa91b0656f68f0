"""Which numbers are drawn."""

import pytest

from mmmed.reporting import figures
from mmmed.reporting.content import gather_content
from mmmed.reporting.figures import draw_curves, select_validation_names


def test_dice_per_patient_comes_first() -> None:
    names = [
        'overlap/mIoU',
        'overlap/dice_image_x',
        'overlap/dice_patient_x',
        'overlap/iou_patient_x',
    ]
    assert select_validation_names(names) == [
        'overlap/dice_patient_x',
        'overlap/dice_image_x',
    ]


def collect_curves(run, monkeypatch: pytest.MonkeyPatch) -> dict:
    """Names of the curves by title of their plot."""
    drawn = {}
    draw = figures.plot_curves

    def note(curves, *, title, **options):
        drawn[title] = (list(curves), options)
        return draw(curves, title=title, **options)

    monkeypatch.setattr(figures, 'plot_curves', note)
    list(draw_curves(gather_content(run.work_dir)))
    return drawn


def test_curves_of_a_run(run, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = collect_curves(run, monkeypatch)
    assert drawn['Training loss'][0] == ['loss', 'decode.loss_dice']
    names, options = drawn['Validation during training']
    assert names == ['dice_patient_hemorrhage']
    assert options['highlight'] == (4, pytest.approx(0.4))
    assert drawn['Learning rate'][0] == ['learning rate']


def test_sum_of_a_single_loss_is_drawn_once(
    empty_run, monkeypatch: pytest.MonkeyPatch
) -> None:
    empty_run.evaluate('val', 'val')
    records = [{'loss': 0.5, 'decode.loss_dice': 0.5, 'lr': 0.1, 'step': 1}]
    empty_run.log('20240101_000000', records)
    drawn = collect_curves(empty_run, monkeypatch)
    assert drawn['Training loss'][0] == ['loss']
    assert 'Validation during training' not in drawn
