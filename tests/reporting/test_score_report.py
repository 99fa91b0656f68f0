"""The page about scores of a folder: complete, traceable, harmless, of any size."""

import csv
import html.parser
import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest

from mmmed.evaluation.folder_evaluation import FolderOptions, evaluate_folders
from mmmed.evaluation.score_options import ScoreOptions
from mmmed.io import write_volume
from mmmed.reporting import write_score_report
from mmmed.reporting.score_page import ScoreDrawings
from mmmed.structures import Volume


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


def make_folders(root: Path, names: list[str]) -> Path:
    """Boxes 4 x 6 x 5; predicted one voxel aside by a, two by b.

    Every fourth reference is empty; b misses every fifth.
    """
    for index, name in enumerate(names):
        masks = np.zeros((3, 10, 14, 12), np.uint8)
        if index % 4 != 3:
            for side, shift in enumerate((0, 1, 2)):
                masks[side, 2:6, 3:9, 2 + shift : 7 + shift] = 1
        if index % 5 == 4:
            masks[2] = 0
        for folder, mask in zip(('target', 'a', 'b'), masks, strict=True):
            (root / folder).mkdir(parents=True, exist_ok=True)
            path = root / folder / f'{name}.nii.gz'
            write_volume(Volume(mask, (3.0, 1.0, 0.5)), path)
    return root


def evaluate(
    root: Path,
    *,
    label: str = 'lesion',
    compare: bool = True,
    plane: str | None = 'axial',
) -> Path:
    scoring = ScoreOptions(labels={label: (1,)}, plane=plane)
    options = FolderOptions(compare=root / 'b' if compare else None, quiet=True)
    evaluate_folders(root / 'a', root / 'target', root / 'out', scoring, options)
    return root / 'out'


@pytest.fixture(scope='module')
def folder(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp('scores')
    out = evaluate(make_folders(root, [f'case_{i:02d}' for i in range(15)]))
    write_score_report(out)
    return out


@pytest.fixture
def copy(folder, tmp_path) -> Path:
    return Path(shutil.copytree(folder, tmp_path / 'out'))


@pytest.fixture
def no_plots(monkeypatch) -> None:
    """Drawing takes most of the time, and says nothing about texts."""
    empty = ScoreDrawings((), (), (), ())
    monkeypatch.setattr('mmmed.reporting.score_report._draw', lambda scores: empty)


@pytest.fixture(scope='module')
def page(folder) -> Page:
    return Page(folder / 'report.html')


def read_csv(path: Path) -> list[dict]:
    with open(path, newline='') as stream:
        return list(csv.DictReader(stream))


def test_page_says_what_was_found(page) -> None:
    for words in (
        'Segmentation scores of 15 cases',
        '12 of 12 cases with it found',
        '0 of 3 cases without it raised a false alarm',
        '3 stayed rightly empty (left out of the means)',
        '12 of 12 lesions found; 0 false alarms',
        # One of five columns of the box is lost and one invented.
        '0.800',
        'Surface tolerance',
        '2000 resamples of cases, seed 0',
        'Axial slices whose reference holds the structure',
        'Wilcoxon signed-rank test',
        'a is better',
        'Patients are not known here',
    ):
        assert words in page.text
    assert page.tags.count('h2') == 11


def test_every_mean_of_the_page_is_in_a_table_beside_it(folder, page) -> None:
    rows = read_csv(folder / 'scores.csv')
    main = {row['metric']: row for row in rows if row['part'] == 'all'}
    cases = read_csv(folder / 'cases.csv')
    dice = [float(row['dice']) for row in cases if row['dice']]
    assert float(main['dice']['mean']) == pytest.approx(np.mean(dice), rel=1e-12)
    assert (main['dice']['n'], main['dice']['n_undefined']) == ('12', '3')
    for name in ('dice', 'iou', 'surface_dice'):
        assert f'{float(main[name]["mean"]):.3f}' in page.text
    slices = {r['metric']: r for r in rows if r['part'] == 'lesion_slices'}
    assert float(slices['dice']['mean']) == pytest.approx(0.8)
    strata = read_csv(folder / 'lesion_scores.csv')
    # A box of 120 voxels of 1.5 mm3.
    assert [row['lesions'] for row in strata] == ['12', '0', '12', '0', '0']
    tests = {r['metric']: r for r in read_csv(folder / 'comparison_scores.csv')}
    # b: 0.6, and nothing in the cases 4, 9 and 14.
    expected = (9 * 0.2 + 3 * 0.8) / 12
    assert float(tests['dice']['mean_difference']) == pytest.approx(expected)


def test_links_lead_somewhere(folder, page) -> None:
    links, anchors = page.get_values('href'), page.get_values('id')
    files = [link for link in links if not link.startswith('#')]
    assert len(files) == 9
    for name in files:
        assert (folder / name).is_file()
    assert len(set(anchors)) == len(anchors)
    inner = {link[1:] for link in links if link.startswith('#')}
    assert inner <= set(anchors)
    assert sum(link.startswith('case-') for link in inner) == 10


def test_page_is_one_file_that_loads_nothing(folder, page) -> None:
    sources = page.get_values('src')
    # 4 clouds, 2 volumes, 1 of lesions, 4 clouds of differences and 2 of pairs.
    assert len(sources) == 13
    assert all(source.startswith('data:image/svg+xml;base64,') for source in sources)
    assert not {'script', 'link', 'iframe', 'object'} & set(page.tags)
    assert "default-src 'none'" in (folder / 'report.html').read_text()


def test_same_folder_gives_the_same_bytes(folder, copy) -> None:
    for name in ('report.html', 'scores.csv', 'comparison_scores.csv'):
        (copy / name).unlink()
    assert write_score_report(copy) == copy / 'report.html'
    for name in ('report.html', 'scores.csv', 'comparison_scores.csv'):
        assert (copy / name).read_bytes() == (folder / name).read_bytes()


def test_names_from_data_are_text(tmp_path) -> None:
    attack = '<img src=x onerror=alert(1)>$x_{$&"\''
    label = '<script>alert(1)</script>$\\frac{$'
    names = [attack, 'javascript:alert(1)', 'a b#c?d', 'x' * 200]
    out = evaluate(make_folders(tmp_path, names), label=label)
    page = Page(write_score_report(out))
    assert 'script' not in page.tags
    assert not page.get_values('onerror')
    assert label in page.text
    assert attack in page.text
    links = page.get_values('href')
    assert not [one for one in links if not re.fullmatch(r'#[\w-]+|\w+\.\w+', one)]


def test_single_case(tmp_path) -> None:
    out = evaluate(make_folders(tmp_path, ['only']))
    page = Page(write_score_report(out))
    for words in (
        'scores of 1 case',
        '1 case: no interval can be given',
        'There is only 1 case. Below 10',
        'too few cases to tell: 1',
    ):
        assert words in page.text


def test_nothing_but_one_empty_folder(tmp_path) -> None:
    """No lesion anywhere: tables of lesions are empty and no score is defined."""
    make_folders(tmp_path, [f'{index}' for index in range(4)])
    for side in ('target', 'a', 'b'):
        for index in range(3):
            (tmp_path / side / f'{index}.nii.gz').unlink()
    out = evaluate(tmp_path)
    assert (out / 'lesions.csv').read_text() == ''
    page = Page(write_score_report(out))
    assert 'No reference holds lesion; Dice and recall say nothing of it.' in page.text
    assert 'neither side holds a lesion' in page.text
    assert 'no case in which both are defined' in page.text


def test_without_comparison_and_plane(tmp_path) -> None:
    root = make_folders(tmp_path, [f'{index}' for index in range(5)])
    out = evaluate(root, compare=False, plane=None)
    (out / 'comparison_scores.csv').write_text('of an earlier run\n')
    page = Page(write_score_report(out))
    assert 'Wilcoxon' not in page.text.partition('What the numbers mean')[0]
    assert page.tags.count('h2') == 9
    assert not (out / 'comparison_scores.csv').exists()


def edit_summary(folder: Path, **changes: object) -> None:
    path = folder / 'summary.json'
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def test_many_rows_are_cut_and_the_worst_stay(copy, monkeypatch, no_plots) -> None:
    monkeypatch.setattr('mmmed.reporting.case_blocks.MAX_ROWS', 2)
    page = Page(write_score_report(copy))
    assert '15 rows: the first ones and the worst' in page.text
    links = {one[1:] for one in page.get_values('href') if one.startswith('#case-')}
    assert links <= set(page.get_values('id'))


def test_changed_table_is_told(copy, no_plots) -> None:
    path = copy / 'cases.csv'
    path.write_text(path.read_text().replace('0.8,', '0.9,', 1))
    page = Page(write_score_report(copy))
    assert 'Do not trust:' in page.text
    assert 'dice of lesion is 0.8' in page.text


def test_failed_and_missing_cases_are_told(copy, no_plots) -> None:
    edit_summary(
        copy,
        failed=[{'case_id': '<b>', 'side': 'a', 'error': 'truncated'}],
        missing_predictions=['one', 'two'],
        notes={'PNG masks have no geometry.': 2},
    )
    page = Page(write_score_report(copy))
    assert '1 case could not be scored and stand in no number here: <b>' in page.text
    assert '2 cases had no prediction and counted as missed (one, two)' in page.text
    assert '2 cases: PNG masks have no geometry.' in page.text


@pytest.mark.parametrize(
    ('name', 'text', 'message'),
    [
        ('summary.json', '{', r'summary\.json: not readable'),
        ('summary.json', '{"schema_version": 1}', r'summary\.json: kind and version'),
        ('cases.csv', '', r'cases\.csv: holds no case'),
        ('cases.csv', 'case_id,label\n', r'cases\.csv: lacks the columns'),
        (
            'cases.csv',
            'case_id,label,outcome,dice\na,lesion,hit,good\n',
            r"cases\.csv: line 2: dice is 'good'",
        ),
        (
            'cases.csv',
            'case_id,label,outcome,dice\na,lesion,hit\n',
            r'cases\.csv: line 2 has more or fewer cells',
        ),
        ('run.json', '[]', r'run\.json: holds list'),
    ],
)
def test_damage_names_the_file(copy, name, text, message) -> None:
    (copy / name).write_text(text)
    with pytest.raises(ValueError, match=message):
        write_score_report(copy)


@pytest.mark.parametrize('name', ['options', 'structures', 'bootstrap', 'metrics'])
def test_incomplete_summary_is_refused(copy, name) -> None:
    before = (copy / 'report.html').read_bytes()
    edit_summary(copy, **{name: None})
    with pytest.raises(ValueError, match='evaluate again'):
        write_score_report(copy)
    assert (copy / 'report.html').read_bytes() == before


def test_missing_folder_is_told(tmp_path) -> None:
    with pytest.raises(FileNotFoundError, match=r'tools/evaluate\.py'):
        write_score_report(tmp_path / 'nowhere')
