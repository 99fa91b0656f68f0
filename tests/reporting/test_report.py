"""The whole report of a phantom run: complete, honest, repeatable, harmless."""

import csv
import html.parser
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from mmmed.files import write_json_atomic
from mmmed.reporting import write_report


class Page(html.parser.HTMLParser):
    """Tags, attributes and text of a page; fails on tags that do not nest."""

    VOID = frozenset({'meta', 'img', 'br'})

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.tags, self.attributes, self.texts = [], [], []
        self.stack: list[str] = []
        self.feed(path.read_text(encoding='utf-8'))
        assert self.stack == []

    def handle_starttag(self, tag, attributes) -> None:
        self.tags.append(tag)
        self.attributes += attributes
        if tag not in self.VOID:
            self.stack.append(tag)

    def handle_endtag(self, tag) -> None:
        assert self.stack.pop() == tag

    def handle_data(self, data) -> None:
        self.texts.append(data)

    @property
    def text(self) -> str:
        return ' '.join(self.texts)


def read_csv(path: Path) -> list[dict]:
    with open(path, newline='') as stream:
        return list(csv.DictReader(stream))


@pytest.fixture(scope='module')
def page(shared_run) -> Page:
    return Page(write_report(shared_run.work_dir).html)


def test_page_says_who_was_seen_and_what_was_found(page: Page) -> None:
    for words in (
        'held out',
        'seen in training',
        'this is memory, not skill',
        '3 of 3 images with hemorrhage found',
        '0 of 3 images without it raised a false alarm',
        'A missed structure scores 0',
        'not meaningful',
        'resampling patients',
        'config_sha256',
        '2.13.0',
    ):
        assert words in page.text
    # Patient c: 156 / 204, patient d: 0.75; their mean is the headline.
    assert '0.757' in page.text
    headings = [tag for tag in page.tags if tag == 'h2']
    assert len(headings) == 9


def test_page_is_one_file_that_loads_nothing(page: Page) -> None:
    sources = [value for name, value in page.attributes if name == 'src']
    # 4 distributions, 3 curves; 3 cases with hemorrhage in either set.
    assert len(sources) == 4 + 3 + 3 + 3
    assert all(source.startswith('data:image/') for source in sources)
    links = [value for name, value in page.attributes if name == 'href']
    assert not any(re.match(r'[a-z]+:|//', link) for link in links)
    assert not {'script', 'link', 'iframe', 'object'} & set(page.tags)


def test_every_linked_file_exists(shared_run, page: Page) -> None:
    links = [value for name, value in page.attributes if name == 'href']
    files = [link for link in links if not link.startswith('#')]
    assert len(files) == 8
    for file in files:
        assert (shared_run.work_dir / 'report' / file).is_file()
    anchors = {value for name, value in page.attributes if name == 'id'}
    assert {link[1:] for link in links if link.startswith('#')} <= anchors


def test_numbers_of_the_page_stand_in_the_csv_files(shared_run, page: Page) -> None:
    folder = shared_run.work_dir / 'report'
    scores = read_csv(folder / 'scores.csv')
    (row,) = [
        row
        for row in scores
        if (row['evaluation'], row['level'], row['score']) == ('val', 'patient', 'dice')
    ]
    assert f'{float(row["value"]):.3f}' in page.text
    patients = read_csv(folder / 'val' / 'patients.csv')
    mean = sum(float(row['dice']) for row in patients) / len(patients)
    assert float(row['value']) == pytest.approx(mean, rel=1e-12)
    assert row['exposure'] == 'held_out'
    assert {row['phase'] for row in read_csv(folder / 'curves.csv')} == {'train', 'val'}


def test_json_says_the_same(shared_run, page: Page) -> None:
    folder = shared_run.work_dir / 'report'
    value = json.loads((folder / 'report.json').read_text())
    assert value['schema_version'] == 1
    val, train = value['evaluations']
    assert (val['name'], val['exposure']['kind']) == ('val', 'held_out')
    assert train['exposure']['seen_patients'] == ['a', 'b']
    scores = val['structures']['hemorrhage']['scores']
    assert scores['patient']['dice']['value'] == pytest.approx(0.757353, abs=1e-6)
    assert value['findings'][0]['level'] == 'warning'
    assert json.loads((folder / 'run.json').read_text())['finished']


def test_same_run_gives_the_same_bytes(run, tmp_path: Path) -> None:
    first = write_report(run.work_dir, tmp_path / 'one', max_cases=1)
    second = write_report(run.work_dir, tmp_path / 'two', max_cases=1)
    for name in ('report.html', 'report.json', 'scores.csv', 'val/cases.csv'):
        assert (first.html.parent / name).read_bytes() == (
            second.html.parent / name
        ).read_bytes()


def test_moved_folder_gives_the_same_page(run, tmp_path: Path) -> None:
    before = write_report(run.work_dir, max_cases=1).html.read_bytes()
    target = tmp_path / 'elsewhere'
    target.mkdir()
    for name in ('work', 'data'):
        shutil.move(tmp_path / name, target / name)
    after = write_report(target / 'work', max_cases=1).html.read_bytes()
    assert after == before


def test_names_from_data_are_text(run) -> None:
    """Ids in a hand-made table of cases are neither markup, formulas nor paths."""
    folder = run.work_dir / 'evaluation' / 'val'
    attack = '<script>alert(1)</script>$x_{$../../../etc/passwd'
    text = (folder / 'cases.csv').read_text()
    (folder / 'cases.csv').write_text(text.replace('c_1', attack))
    summary = json.loads((folder / 'summary.json').read_text())
    write_json_atomic(folder / 'summary.json', summary | {'dataset': attack})
    page = Page(write_report(run.work_dir).html)
    assert 'script' not in page.tags
    assert attack in page.text
    assert 'the manifest does not list this case' in page.text


def test_leak_is_red(run) -> None:
    run.log('20240601_000000', [{'lr': 1, 'step': 9}], 'split="train", fold=2')
    page = Page(write_report(run.work_dir, max_cases=0).html)
    assert ('class', 'error') in page.attributes
    assert 'Do not trust:' in page.text
    assert 'partly seen in training' in page.text


def test_missing_pieces_are_said(empty_run) -> None:
    folder = empty_run.evaluate('val', 'val')
    shutil.rmtree(folder / 'pred')
    page = Page(write_report(empty_run.work_dir).html)
    assert 'There is no training log' in page.text
    assert 'Cannot be shown: no image at' in page.text
    assert 'assumed' in page.text
    assert not (empty_run.work_dir / 'report' / 'curves.csv').exists()


def test_one_patient_has_no_interval(empty_run) -> None:
    empty_run.evaluate('val-fold1', 'val', fold=1)
    page = Page(write_report(empty_run.work_dir, max_cases=0).html)
    assert '1 patient: no interval can be given' in page.text
    assert 'val-fold1 holds 1 patient.' in page.text


def test_folds_stand_side_by_side(empty_run) -> None:
    for fold in range(3):
        empty_run.evaluate(f'val-fold{fold}', 'val', fold=fold)
    report = write_report(empty_run.work_dir, max_cases=0)
    names = [e.name for e in report.content.evaluations]
    assert names == ['val-fold0', 'val-fold1', 'val-fold2']


def test_known_spacing_gives_areas_in_mm2(empty_run) -> None:
    empty_run.evaluate('val', 'val', spacing=(0.5, 0.4))
    report = write_report(empty_run.work_dir, max_cases=0)
    rows = read_csv(report.html.parent / 'val' / 'cases.csv')
    assert float(rows[0]['pixel_area_mm2']) == pytest.approx(0.2)


def test_negative_number_of_cases_is_refused(run) -> None:
    with pytest.raises(ValueError, match='max_cases'):
        write_report(run.work_dir, max_cases=-1)


def test_two_structures(run) -> None:
    """Every section names the structure once there are two."""
    for name in ('val', 'train'):
        path = run.work_dir / 'evaluation' / name / 'cases.csv'
        lines = path.read_text().splitlines()
        lines += [line.replace('hemorrhage', 'edema <1') for line in lines[1:]]
        path.write_text('\n'.join(lines) + '\n')
    page = Page(write_report(run.work_dir, max_cases=1).html)
    assert 'Hemorrhage and edema <1 segmentation' in page.text
    assert page.text.count('val · edema <1') == 1


def test_reports_need_no_host() -> None:
    code = (
        'import sys\n'
        "for name in ('mmseg', 'mmcv', 'mmengine'): sys.modules[name] = None\n"
        'import mmmed.reporting\n'
    )
    subprocess.run([sys.executable, '-c', code], check=True)
