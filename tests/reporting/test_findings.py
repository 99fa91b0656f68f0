"""What a reader is warned of."""

import json

import pytest

from mmmed.files import write_json_atomic
from mmmed.reporting.content import gather_content


def list_findings(run) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {'error': [], 'warning': [], 'note': []}
    for finding in gather_content(run.work_dir).findings:
        found[finding.level].append(finding.text)
    return found


def edit_summary(run, name: str, **changes: object) -> None:
    path = run.work_dir / 'evaluation' / name / 'summary.json'
    write_json_atomic(path, json.loads(path.read_text()) | changes)


def test_clean_run_of_few_patients_has_one_warning(run) -> None:
    found = list_findings(run)
    (warning,) = found['warning']
    assert 'val holds 2 patients, train holds 2 patients' in warning
    assert found['error'] == found['note'] == []


def test_trained_patients_in_a_held_out_set_are_an_error(run) -> None:
    run.log('20240601_000000', [{'lr': 1, 'step': 9}], 'split="train", fold=2')
    (error,) = list_findings(run)['error']
    assert error.startswith('val: 1 of 2 evaluated patients were trained on (d)')


def test_whole_held_out_set_trained_on_is_an_error(run) -> None:
    run.log('20240601_000000', [{'lr': 1, 'step': 9}], 'split=None')
    found = list_findings(run)
    assert '2 of 2 evaluated patients were trained on (c, d)' in found['error'][0]
    assert any('held out' in text for text in found['warning'])


def test_manifest_that_changed_is_an_error(run) -> None:
    text = run.manifest_path.read_text()
    run.manifest_path.write_text(text.replace('cranium', 'skull'))
    errors = list_findings(run)['error']
    assert any('changed since the evaluation' in error for error in errors)


def test_manifest_that_changed_before_the_evaluation_is_an_error(run) -> None:
    record = json.loads((run.work_dir / 'run.json').read_text())
    record['manifest_sha256'] = '0' * 64
    write_json_atomic(run.work_dir / 'run.json', record)
    errors = list_findings(run)['error']
    assert any('prepared again' in error for error in errors)


def test_numbers_that_the_cases_do_not_confirm_are_an_error(run) -> None:
    edit_summary(run, 'val', metrics={'overlap/dice_image_hemorrhage': 0.999})
    (error,) = list_findings(run)['error']
    assert '0.999' in error


def test_cases_left_out_are_an_error(run) -> None:
    path = run.work_dir / 'evaluation' / 'val' / 'cases.csv'
    lines = path.read_text().splitlines(keepends=True)
    path.write_text(''.join(line for line in lines if not line.startswith('c_1')))
    errors = list_findings(run)['error']
    assert any('1 of 6 cases were not evaluated (c_1)' in error for error in errors)


def test_only_seen_patients_is_a_warning(empty_run) -> None:
    empty_run.evaluate('train', 'train')
    found = list_findings(empty_run)
    assert any('nothing in this report' in text for text in found['warning'])


def test_missing_pieces_are_notes(empty_run) -> None:
    folder = empty_run.evaluate('val', 'val')
    (folder / 'run.json').unlink()
    notes = list_findings(empty_run)['note']
    assert any('training log' in note for note in notes)
    assert any('run record' in note for note in notes)


def test_missing_manifest_says_that_nothing_could_be_checked(run) -> None:
    run.manifest_path.unlink()
    found = list_findings(run)
    assert any('could not be checked' in error for error in found['error'])
    assert any('images cannot be shown' in note for note in found['note'])


def test_set_without_the_structure_is_a_warning(empty_run) -> None:
    for case_id in empty_run.targets:
        empty_run.targets[case_id][:] = 0
    empty_run.evaluate('val', 'val')
    warnings = list_findings(empty_run)['warning']
    assert any('no image holds hemorrhage' in warning for warning in warnings)


@pytest.mark.parametrize('damaged', ['{', '[]'])
def test_damaged_training_record_is_named(run, damaged: str) -> None:
    (run.work_dir / 'run.json').write_text(damaged)
    with pytest.raises(ValueError, match=r'run\.json'):
        gather_content(run.work_dir)


def test_held_out_comes_first(run) -> None:
    content = gather_content(run.work_dir)
    assert [e.name for e in content.evaluations] == ['val', 'train']
    assert content.describe(content.evaluations[1]) == 'train · seen in training'
