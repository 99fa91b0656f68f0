"""Which checkpoint of which folder."""

import json

import pytest

from mmmed.inference.classifier_models import find_classifiers, read_calibration


def touch(folder, *names):
    folder.mkdir(parents=True)
    for name in names:
        (folder / name).write_bytes(b'')


def test_one_model_a_folder_wherever_it_lies(tmp_path):
    touch(tmp_path / 'cv/fold1', 'epoch_9.pth', 'epoch_10.pth')
    touch(tmp_path / 'cv/fold0', 'best_cls_composite_epoch_3.pth', 'epoch_10.pth')
    touch(tmp_path / 'single', 'epoch_2.pth')
    roots = [tmp_path / 'cv', tmp_path / 'single']
    best = find_classifiers(roots)
    assert {name: path.name for name, path in best.items()} == {
        'fold0': 'best_cls_composite_epoch_3.pth',
        'fold1': 'epoch_10.pth',
        'single': 'epoch_2.pth',
    }
    assert list(best) == sorted(best)
    last = find_classifiers(roots, choice='last')
    assert last['fold0'].name == 'epoch_10.pth'


def test_equal_names_stay_apart_and_a_model_counts_once(tmp_path):
    touch(tmp_path / 'a/fold0', 'epoch_1.pth')
    touch(tmp_path / 'b/fold0', 'epoch_1.pth')
    roots = [tmp_path / 'a', tmp_path / 'b', tmp_path / 'a']
    assert sorted(find_classifiers(roots)) == ['fold0', 'fold0-2']
    (only,) = find_classifiers([tmp_path / 'a/fold0/epoch_1.pth']).values()
    assert only.name == 'epoch_1.pth'


def test_nothing_to_find_is_an_error(tmp_path):
    with pytest.raises(FileNotFoundError, match='no folder or checkpoint'):
        find_classifiers([tmp_path / 'absent'])
    with pytest.raises(ValueError, match='no checkpoint'):
        find_classifiers([tmp_path])
    touch(tmp_path / 'a', 'epoch_1.pth')
    with pytest.raises(ValueError, match="checkpoint 'first'"):
        find_classifiers([tmp_path], choice='first')


def test_calibration_belongs_to_an_iteration(tmp_path):
    path = tmp_path / 'calibration.json'
    assert read_calibration(path, 4) == {}
    entry = {'type': {'temperature': 2.0, 'thresholds': [None, 0.3]}}
    path.write_text(json.dumps({'by_iteration': {'4': entry}}))
    assert read_calibration(path, 4) == entry
    assert read_calibration(path, 6) == {}
    for bad in ('{', '[]', '{"by_iteration": {"4": {"type": {"temperature": -1}}}}'):
        path.write_text(bad)
        with pytest.raises(ValueError, match='is damaged'):
            read_calibration(path, 4)
