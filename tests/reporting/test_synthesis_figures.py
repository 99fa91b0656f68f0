import csv
import json

import numpy as np
import pytest

from mmmed.reporting.synthesis_figures import (
    choose_window,
    write_montage,
    write_tumor_files,
)
from mmmed.visualization.lesion_montage import MontageItem


def make_item(level):
    label = np.ones((6, 12, 14), np.uint8)
    label[2:4, 3:6, 3:6] = 2
    image = np.where(label == 2, level - 50, level).astype(np.float32)
    return MontageItem('tiny', image, label, (3.0, 1.0, 1.0))


def test_the_window_follows_the_organ(tmp_path):
    assert choose_window([make_item(110), make_item(60)]) == (75, 240)
    assert choose_window([]) == (50, 240)
    path = write_montage([make_item(110)], tmp_path / 'a.png', title='T')
    assert path.read_bytes()[:4] == b'\x89PNG'
    with pytest.raises(ValueError, match=r'ends in \.png'):
        write_montage([make_item(110)], tmp_path / 'a.pdf', title='T')


@pytest.mark.parametrize('count', [0, 1, 12])
def test_tables_and_figures_of_any_number_of_tumors(tmp_path, count):
    rows = [
        {'scan': 's', 'radius_mm': 3.0 + k, 'size_class': 'tiny', 'contrast_hu': -40.0,
         'z': 0.5, 'y': 0.5, 'x': 0.1 + 0.05 * k}
        for k in range(count)
    ]  # fmt: skip
    strata = {'0-5': count, '5-10': 0, '10-20': 0, '20-': 0}
    summary = {'tumors': count, 'radius_mm_strata': strata,
               'size_classes': {'tiny': count, 'large': 0}}  # fmt: skip
    files = write_tumor_files(rows, summary, tmp_path)
    assert len(files) == 5
    assert all(path.is_file() for path in files)
    assert json.loads((tmp_path / 'summary.json').read_text()) == summary
    with open(tmp_path / 'tumors.csv', newline='') as stream:
        assert len(list(csv.DictReader(stream))) == count
