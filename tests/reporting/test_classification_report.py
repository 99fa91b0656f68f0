"""Pages about a classification: complete, traceable, harmless, always the same."""

import html.parser
import json
from pathlib import Path

import numpy as np
import pytest

from mmmed.files import write_csv_atomic, write_json_atomic
from mmmed.functional.classification_tables import (
    Resampling,
    TargetAnswers,
    list_case_rows,
    summarize_target,
)
from mmmed.functional.signal_relay import Relay
from mmmed.reporting import write_classification_report
from mmmed.structures.region_explanation import RegionExplanation, write_explanation

EVIL = '<img src=x onerror=alert(1)>&"\''


class Page(html.parser.HTMLParser):
    """Tags, attributes and text of a page; fails on tags that do not nest."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.tags, self.attributes, self.stack, self.text = [], [], [], ''
        self.feed(path.read_text(encoding='utf-8'))
        assert self.stack == []

    def handle_starttag(self, tag, attributes) -> None:
        self.tags.append(tag)
        self.attributes += attributes
        if tag not in ('meta', 'img', 'br'):
            self.stack.append(tag)

    def handle_endtag(self, tag) -> None:
        assert self.stack.pop() == tag

    def handle_data(self, data) -> None:
        self.text += data

    def get_values(self, name: str) -> list[str]:
        return [value for key, value in self.attributes if key == name]


def make_explanation(rng, name, *, mark=''):
    """Two sequences, the second missing; wash and type; one relay."""
    classes = {
        f'wash{mark}': ('no', f'yes{mark}'),
        'type': (f'hcc{mark}', 'cyst', 'fnh'),
    }
    wash = next(iter(classes))
    order = ((wash, 0), (wash, 1), *(('type', k) for k in range(3)))
    # Present, wash speaks for cyst with 2; absent, nothing does.
    weight = np.zeros((3, 5))
    weight[1, 1] = 2
    signals = np.array([0.0, 1, 0, 0, 0])
    prob = np.exp([0, 2, 0]) / np.exp([0, 2, 0]).sum()
    return RegionExplanation(
        case_id=name,
        patient_id=f'p1{mark}',
        size_mm=9.0,
        spacing=(3.0, 1.5, 1.0),
        orientation='SAR',
        model=f'crn{mark}',
        seen_in_training=bool(mark),
        sequences=(f't2{mark}', 'adc'),
        available=np.array([True, False]),
        classes=classes,
        truth={wash: -1, 'type': 2},
        prob={wash: np.array([0.3, 0.7]), 'type': prob},
        image=rng.normal(size=(2, 3, 8, 10)).astype(np.float32),
        main_target='type',
        shown=('type',),
        fill='mean',
        ablation={
            wash: np.zeros((2, 2)),
            'type': np.array([[0.2, -0.25, 0.05], [0, 0, 0]]),
        },
        blocks=(((0, 3), (0, 8), (0, 5)), ((0, 3), (0, 8), (5, 10))),
        occlusion=np.array([[[0.1, -0.2], [np.nan, np.nan]]], np.float32),
        sequence_maps=np.array(
            [[np.full((1, 2, 2), v) for v in (1, np.nan)]], np.float32
        ),
        target_maps=np.ones((2, 1, 2, 2), np.float32),
        routing={wash: ('adc',), 'type': (f't2{mark}', 'adc')},
        attention=np.full((2, 2), 0.5),
        attention_names=tuple(classes),
        relay=Relay(order, weight, np.zeros(3), signals, 'type'),
    )


def write_folder(folder, rng, name, *, mark=''):
    """Six lesions of six patients, five right; one of them explained."""
    classes = (f'hcc{mark}', 'cyst', 'fnh')
    truth = np.array([0, 0, 1, 1, 1, -1])
    logits = np.log(np.full((6, 3), 0.1) + 0.7 * np.eye(3)[[0, 0, 1, 1, 0, 2]])
    answer = TargetAnswers('type', classes, truth, logits)
    names = [name, *(f'{name}{k}' for k in range(5))]
    cases = [{'case_id': n, 'patient_id': f'p{n}'} for n in names]
    write_csv_atomic(folder / 'predictions.csv', list_case_rows(cases, [answer]))
    summary = summarize_target(answer, names, Resampling(20))
    metrics = {
        'schema_version': 1, 'rule': 'mean', 'num_cases': 6, 'num_patients': 6,
        'ensemble': {'type': summary},
    }  # fmt: skip
    write_json_atomic(folder / 'metrics.json', metrics)
    path = folder / 'explanations' / f'{name}.json'
    path.parent.mkdir()
    write_explanation(make_explanation(rng, name, mark=mark), path)
    return path.with_suffix('.html')


def read_folder(folder):
    return {p.name: p.read_bytes() for p in folder.rglob('*') if p.is_file()}


def test_pages_tell_what_is_known(rng, tmp_path):
    case_path = write_folder(tmp_path, rng, 'p1_lesion0')
    report = write_classification_report(tmp_path)
    page, case = Page(report), Page(case_path)
    assert '0.800 [' in page.text  # 4 of 5 labelled lesions
    assert '5 (1 unlabelled)' in page.text
    assert '6 patients are too few' in page.text
    assert 'no case has the class fnh (type)' in page.text
    assert 'explanations/p1_lesion0.html' in page.get_values('href')
    assert 't2 (-0.25)' in page.text  # needed most
    assert 'In truth it is fnh' in case.text
    assert 'the case has no adc' in case.text
    assert 'Without it cyst has 0.537 instead of 0.787.' in case.text
    # Without the sign all types are alike: 1 / 3.
    assert '0.79 → 0.33' in case.text
    for one in (page, case):
        sources = one.get_values('src')
        assert sources
        assert all(source.startswith('data:image/') for source in sources)
    first = read_folder(tmp_path)
    write_classification_report(tmp_path)
    assert read_folder(tmp_path) == first


def test_names_are_text(rng, tmp_path):
    case_path = write_folder(tmp_path, rng, EVIL, mark=EVIL)
    page, case = Page(write_classification_report(tmp_path)), Page(case_path)
    for one in (page, case):
        assert EVIL in one.text
        assert 'script' not in one.tags
        assert not one.get_values('onerror')
        assert all(source.startswith('data:') for source in one.get_values('src'))
    assert 'trained or chosen on this case' in case.text


def test_only_explanations(rng, tmp_path):
    (tmp_path / 'explanations').mkdir()
    case = make_explanation(rng, 'a')
    write_explanation(case, tmp_path / 'explanations' / 'a.json')
    page = Page(write_classification_report(tmp_path))
    assert 'Classification of 1 lesion' in page.text
    assert 'no label is known' in page.text


def test_a_file_does_not_choose_the_name_of_its_page(rng, tmp_path):
    (tmp_path / 'explanations').mkdir()
    path = tmp_path / 'explanations' / 'a.json'
    write_explanation(make_explanation(rng, 'a'), path)
    facts = json.loads(path.read_text()) | {'case_id': '../../b'}
    path.write_text(json.dumps(facts))
    with pytest.raises(ValueError, match='expected the name of the file'):
        write_classification_report(tmp_path)
    assert not (tmp_path / 'report.html').exists()


def test_damaged_and_absent_folders_are_named(rng, tmp_path):
    with pytest.raises(FileNotFoundError, match='classify'):
        write_classification_report(tmp_path)
    write_folder(tmp_path, rng, 'a')
    metrics = json.loads((tmp_path / 'metrics.json').read_text())
    del metrics['ensemble']['type']['scores']
    (tmp_path / 'metrics.json').write_text(json.dumps(metrics))
    with pytest.raises(ValueError, match='classify and explain again'):
        write_classification_report(tmp_path)
