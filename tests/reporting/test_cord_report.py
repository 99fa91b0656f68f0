"""The report of a spinal cord run: what it says, whatever the folder holds."""

import json
import re
from dataclasses import replace

import numpy as np
import pytest

from mmmed.files import write_json_atomic
from mmmed.inference.cascade.lesion_analysis import analyze_lesions
from mmmed.reporting.cord_decisions import render_stages
from mmmed.reporting.cord_findings import collect_series_findings
from mmmed.reporting.cord_folder import CordSeries, read_cord_folder
from mmmed.reporting.cord_lesion_tables import render_lesions
from mmmed.reporting.cord_previews import write_previews
from mmmed.reporting.cord_report import write_cord_report
from mmmed.structures import Volume
from mmmed.structures.stage_record import StageRecord

NASTY = '<script>alert(1)</script>'


def make_gate(prob, *, accepted=True, decision='accept', n_slices=12):
    return StageRecord(
        name='anatomy', model='efficientvit_m5', checkpoint_sha256='0' * 64,
        class_map=('spine', 'head'), probs={'spine': prob, 'head': 1 - prob},
        label='spine', threshold=0.7, accepted=accepted,
        reason=f'spine: probability {prob:.2f}, threshold 0.7', n_slices=n_slices,
        seconds=0.25,
        details={
            'accepts': ['spine'], 'accepted_probability': prob, 'decision': decision
        },
    )  # fmt: skip


def write_series(out, patient, series, stages, *, status='accepted', **log):
    write_json_atomic(
        out / patient / series / 'processing_log.json',
        {
            'schema_version': 1, 'status': status, 'reason': '', 'warnings': [],
            'input': {'place': 'a.nii.gz', 'shape': [20, 24, 10],
                      'spacing_mm': [1.0, 0.5, 0.5], 'axcodes': 'SAR'},
            'stages': [stage.to_json() for stage in stages],
            'software': {'mmmed': '9.9'}, 'device': 'cpu', 'total_seconds': 3.25, **log,
        },
    )  # fmt: skip
    return out / patient / series


@pytest.fixture(scope='module')
def run(tmp_path_factory):
    """One analysed series, one rejected, one unreadable that left no folder."""
    out = tmp_path_factory.mktemp('run')
    cord, lesion = np.zeros((2, 20, 24, 10), bool)
    cord[:, 8:16, 3:8] = True
    lesion[5:9, 10:13, 4:6] = True
    lesion[2, 0:2, 0] = True
    volume = Volume(100.0 + 80 * cord, (1.0, 0.5, 0.5))
    folder = write_series(out, 'p1', 'T2w', [make_gate(0.95)])
    analysis = analyze_lesions(lesion, cord, volume, confidence=lesion * 0.55)
    write_json_atomic(folder / 'lesion_analysis.json', analysis.to_json())
    analysis.write_csv(folder / 'lesion_analysis.csv')
    write_previews(folder / 'preview', volume, cord, lesion, slices=[4])
    refused = make_gate(0.1, accepted=False, decision='reject')
    write_series(
        out, 'p2', NASTY.replace('/', '_'), [refused], status='rejected',
        reason=f'not spine {NASTY}',
    )  # fmt: skip
    entry = {'patient': 'p3', 'series': 'dwi', 'status': 'unreadable', 'reason': '4-D'}
    left = {'place': 'notes.txt', 'reason': 'no image', 'is_damaged': False}
    write_json_atomic(out / 'batch_report.json', {'rejected': [entry],
                                                  'left_out': [left]})  # fmt: skip
    return out


def test_the_page_stands_alone_and_names_are_text(run):
    path = write_cord_report(run)
    page = path.read_text()
    assert path == run / 'report.html'
    assert write_cord_report(run).read_text() == page
    assert NASTY not in page
    assert '&lt;script&gt;alert(1)&lt;/script&gt;' in page
    assert re.findall(r'<script|javascript:|src="(?!data:)', page) == []
    # Both mosaics, image and overlay each.
    assert page.count('src="data:image/jpeg;base64,') == 4
    assert page.count('class="over"') == 2
    # Image data and folders of this machine are no part of it.
    assert str(run) not in page
    assert len(page) < 600_000


def test_what_was_rejected_comes_first(run):
    series = read_cord_folder(run).series
    assert [s.status for s in series] == ['unreadable', 'rejected', 'accepted']
    assert series[0].reason == '4-D'
    page = write_cord_report(run).read_text()
    assert '1 of 3 series was rejected' in page
    assert '1 of 3 series could not be read' in page
    assert page.index('4-D') < page.index('not spine') < page.index('T2w</a></td>')
    assert 'notes.txt' in page


def test_findings_of_a_series(run):
    series = read_cord_folder(run).series[-1]
    told = {f.text: f.level for f in collect_series_findings(series)}
    assert told == {
        '1 lesion outside the cord was removed (0.5 mm³).': 'warning',
        'faint lesions (mean probability below 0.6): no. 1.': 'warning',
    }


@pytest.mark.parametrize(
    ('gate', 'status', 'words', 'level'),
    [
        (make_gate(0.72), 'accepted', 'accepted narrowly, with 0.72', 'warning'),
        (
            make_gate(0.2, accepted=False, decision='reject'), 'accepted',
            'rejected the series, and the analysis went on', 'error',
        ),
        (
            make_gate(0.5, accepted=False, decision='not sure'), 'rejected',
            'was not sure', 'warning',
        ),
        (make_gate(0.9, n_slices=2), 'accepted', 'saw 2 slices only', 'warning'),
    ],
    ids=['narrow', 'overruled', 'not sure', 'few slices'],
)  # fmt: skip
def test_findings_about_gates(gate, status, words, level, tmp_path):
    write_series(tmp_path, 'p', 's', [gate], status=status)
    (series,) = read_cord_folder(tmp_path).series
    found = [f for f in collect_series_findings(series) if words in f.text]
    assert [f.level for f in found] == [level]


def test_bars_are_as_long_as_probabilities_say(run):
    rejected, accepted = read_cord_folder(run).series[1:]
    page = render_stages(accepted.stages)
    assert '<i class="main" style="width:95.0%"></i>' in page
    assert '<u style="left:calc(70.0% - 1px)"></u>' in page
    assert '<i class="less" style="width:10.0%"></i>' in render_stages(rejected.stages)
    # A gate without weights accepted nothing.
    absent = replace(accepted.stages[0], model='', probs={}, threshold=None)
    page = render_stages([absent])
    assert 'left out' in page
    assert '>accepted<' not in page


def test_lesions_are_where_and_as_large_as_measured(run):
    series = read_cord_folder(run).series[-1]
    page = ''.join(str(block) for block in render_lesions(series))
    # 4 x 3 x 2 voxels of 0.25 mm3 in a cord of 20 mm; its top 11 mm below the cord's.
    assert '1 lesion, 6.0 mm³ together' in page
    assert 'left:55.0%;width:20.0%' in page
    assert '11.0 to 15.0 mm' in page
    assert '<th scope="row">length along the cord (mm)</th><td>4.0</td>' in page
    rows = json.loads((run / 'p1' / 'T2w' / 'lesion_analysis.json').read_text())
    table = (run / 'p1' / 'T2w' / 'lesion_analysis.csv').read_text()
    assert list(rows['lesions'][0]) == table.split('\n')[0].split(',')


def test_pictures_beyond_the_budget_are_links(run, monkeypatch):
    monkeypatch.setattr('mmmed.reporting.cord_report.MAX_PICTURES', 100)
    page = write_cord_report(run).read_text()
    assert 'data:image' not in page
    assert 'href="p1/T2w/preview/mosaic_axial_overlay.jpg"' in page


@pytest.mark.parametrize(
    'content', ['{', '[]', '{"stages": 3, "status": [], "warnings": {"a": 1}}',
                '{"stages": [{"probs": {"a": "b", "c": 7}, "threshold": "x"}]}'],
)  # fmt: skip
def test_a_folder_of_strangers_is_read_without_a_crash(content, tmp_path):
    folder = tmp_path / 'javascript:x' / 's#?'
    (folder / 'preview').mkdir(parents=True)
    (folder / 'processing_log.json').write_text(content)
    (folder / 'lesion_analysis.json').write_text('{"lesions": [{"label": "x"}, 4]}')
    (folder / 'preview' / 'mosaic_axial_image.jpg').write_bytes(b'GIF89a')
    (folder / 'preview' / 'mosaic_axial_overlay.jpg').symlink_to('/etc/hostname')
    page = write_cord_report(tmp_path).read_text()
    assert 'mosaic_axial_image.jpg is damaged' in page
    assert 'mosaic_axial_overlay.jpg is no picture' in page
    assert 'href="javascript%3Ax/s%23%3F/lesion_analysis.json"' in page
    assert 'data:image' not in page


def test_no_folder_and_no_results(tmp_path):
    with pytest.raises(FileNotFoundError, match='no such folder'):
        write_cord_report(tmp_path / 'absent')
    with pytest.raises(ValueError, match=r'no batch_report\.json'):
        write_cord_report(tmp_path)
    assert CordSeries('p', 's', '', 'failed').lesions == []


@pytest.mark.data
def test_the_painted_lesion_is_shown_and_small(sample_data, tmp_path):
    from mmmed.io import read_volume

    image, cord, lesion = (
        read_volume(sample_data / 'spinal_cord' / 't2' / f't2_fake_lesion{name}.nii.gz')
        for name in ('', '_sc_seg', '_lesion_seg')
    )
    folder = write_series(tmp_path, 'sub-01', 'T2w', [make_gate(0.95)])
    analysis = analyze_lesions(lesion.array, cord.array, image)
    write_json_atomic(folder / 'lesion_analysis.json', analysis.to_json())
    write_previews(folder / 'preview', image, cord.array, lesion.array)
    index = json.loads((folder / 'preview' / 'previews.json').read_text())
    # The lesion lies in sagittal slices 12 to 16, most of it in the middle ones.
    pixels = {row['slice']: row['lesion_pixels'] for row in index['slices']}
    assert index['plane'] == 'sagittal'
    assert {13, 14, 15} < set(pixels)
    assert pixels[14] == int((lesion.array[14] > 0).sum())
    page = write_cord_report(tmp_path).read_text()
    assert '1 lesion, 83.5 mm³ together, 2.2 % of the visible cord' in page
    # Five such series stay below 3 MB.
    assert len(page) < 600_000
