"""Records say what their schemas say; numbers of a batch are what they should be."""

import json
from pathlib import Path

import jsonschema
import pytest

from mmmed.inference.cascade import records

LOG = {
    'status': 'accepted', 'reason': '', 'patient': 'p', 'series': 's', 'stages': [],
    'input': {'place': 'p/s', 'format': 'nii.gz'}, 'lesions': None, 'warnings': [],
    'total_seconds': 2.0,
}  # fmt: skip


def make_stage(name, accepted):
    return {'name': name, 'accepted': accepted, 'label': 'spine'}


@pytest.mark.parametrize('kind', records.KINDS)
def test_every_schema_is_one_and_is_shipped(kind):
    schema = records.read_schema(kind)
    jsonschema.Draft202012Validator.check_schema(schema)
    assert schema['title'] == kind
    manifest = Path(__file__).resolve().parents[3] / 'MANIFEST.in'
    assert 'mmmed/inference/cascade/schemas *.json' in manifest.read_text()


def test_a_wrong_record_is_not_written(tmp_path):
    summary = records.summarize_patient('p', [LOG])
    path = tmp_path / 'analysis_summary.json'
    written = records.write_record(path, 'analysis_summary', summary)
    assert json.loads(path.read_text()) == written
    path.unlink()
    summary['series'][0]['lesion_count'] = -1
    with pytest.raises(ValueError, match=r'analysis_summary: series/0/lesion_count: '):
        records.write_record(path, 'analysis_summary', summary)
    assert not path.exists()
    with pytest.raises(ValueError, match="no schema of 'other'"):
        records.read_schema('other')


def test_flags_of_a_series():
    lesions = {'count': 2, 'volume_mm3': 5.0, 'outside_count': 1, 'cord_volume_mm3': 9}
    log = {
        **LOG,
        'lesions': lesions,
        'stages': [make_stage('anatomy', False)],
        'input': {'place': 'p', 'format': 'pictures'},
        'warnings': ['w'],
    }
    assert records.find_flags(log) == [
        'lesion', 'lesion_outside_cord', 'gate_overruled', 'no_geometry', 'warnings',
    ]  # fmt: skip
    assert records.find_flags(LOG) == ['no_cord']
    rejected = {**log, 'status': 'rejected', 'lesions': None, 'warnings': []}
    assert records.find_flags(rejected) == ['no_geometry']


def test_a_batch_is_counted_and_timed():
    rows = [
        {**LOG, 'total_seconds': seconds, 'lesions': {'count': 1}}
        for seconds in (1.0, 2.0, 3.0, 4.0)
    ]
    stages = [make_stage('anatomy', True), make_stage('spine_sequence', False)]
    rows += [
        {**LOG, 'status': 'rejected', 'reason': 'r', 'stages': stages},
        {**LOG, 'status': 'unreadable', 'reason': 'u', 'total_seconds': None},
        {**LOG, 'status': 'failed', 'reason': 'f', 'total_seconds': None},
    ]
    facts = {
        'settings_sha256': 'a' * 64,
        'resumed': 2,
        'part': {'number': 0, 'of': 1},
        'exit_code': 1,
    }
    report = records.summarize_batch(rows, [], facts)
    records.check_record('batch_report', report)
    assert report['counts'] == {
        'series': 7, 'accepted': 4, 'rejected': 1, 'unreadable': 1, 'failed': 1,
    }  # fmt: skip
    assert report['lesion_count'] == 4
    assert [row['stage'] for row in report['rejected']] == [
        'spine_sequence', 'input', None,
    ]  # fmt: skip
    # Of 1, 2, 2, 3, 4: linear between ranks.
    assert report['seconds_per_series'] == {
        'n': 5, 'mean': 2.4, 'p50': 2.0, 'p90': 3.6, 'p95': 3.8, 'max': 4.0,
    }  # fmt: skip
    assert records.summarize_seconds([])['p50'] is None
