"""The flow that preparers share, on a preparer of numbers in text files."""

import errno
import json
import threading
from pathlib import Path

import numpy as np
import pytest

from mmmed.files import hash_file
from mmmed.preparation import BasePreparer, Finding, InputError
from mmmed.preparation.findings import SourceError
from mmmed.preparation.parts import Plan, Slice, Task
from mmmed.structures import Manifest


class NumberPreparer(BasePreparer):
    """Each ``<patient>_<index>.txt`` holds the number of foreground pixels."""

    name = 'numbers'
    classes = ('background', 'number')

    def __init__(self, *, shade=7, **options):
        super().__init__(**({'num_folds': 2} | options))
        self.shade = shade
        self.converted = []

    def conversion_options(self):
        return {'shade': self.shade}

    def discover(self, raw):
        tasks = []
        for path in sorted(raw.glob('*.txt')):
            patient, index = path.stem.split('_')
            tasks.append(Task(path.stem, patient, int(index), {'text': path}))
        return Plan(raw, tasks, [])

    def describe(self, plan):
        return {'channels': 1, 'shade': self.shade}

    def convert(self, task):
        self.converted.append(task.name)
        path = task.sources['text']
        text = path.read_text()
        if not text.isdigit():
            raise SourceError(path, 'no number', 'write one')
        label = np.zeros((4, 6), np.uint8)
        label.ravel()[: int(text)] = 1
        image = np.full((4, 6), self.shade, np.uint8)
        return [
            Slice(task.name, task.patient_id, task.number, image, label, (1.0, 2.0))
        ]

    def accept(self, record, plan):
        if record.foreground_pixels == 24:
            return Finding(f'{record.case_id}.txt', 'all foreground', 'look at it')
        return {'note': record.case_id}


@pytest.fixture
def raw(tmp_path):
    folder = tmp_path / 'raw'
    folder.mkdir()
    for patient in 'abcd':
        for index in range(3):
            count = 5 if (patient in 'ab' and index == 1) else 0
            (folder / f'{patient}_{index}.txt').write_text(str(count))
    return folder


@pytest.fixture
def out(tmp_path):
    return tmp_path / 'data' / 'numbers'


def snapshot(folder):
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob('*'))
        if path.is_file()
    }


def siblings(out):
    return sorted(path.name for path in out.parent.iterdir())


def prepare(raw, out, *, run=None, **options):
    preparer = NumberPreparer(**options)
    return preparer, preparer.prepare(raw, out, quiet=True, **(run or {}))


def test_a_second_run_changes_nothing_and_converts_nothing(raw, out):
    prepare(raw, out)
    before = {p: p.stat().st_mtime_ns for p in out.rglob('*')}
    preparer, outcome = prepare(raw, out)
    assert outcome.status == 'unchanged'
    assert preparer.converted == []
    assert {p: p.stat().st_mtime_ns for p in out.rglob('*')} == before
    assert outcome.summary == json.loads((out / 'summary.json').read_text())


def test_two_folders_from_the_same_raw_data_are_byte_identical(raw, out, tmp_path):
    prepare(raw, out, run={'workers': 1})
    prepare(raw, tmp_path / 'other', run={'workers': 7})
    assert snapshot(out) == snapshot(tmp_path / 'other')


def test_results_keep_their_order_whatever_thread_is_first(raw, out, monkeypatch):
    """The first task waits for the last: order comes from the plan, not from luck."""
    last = threading.Event()
    convert = NumberPreparer.convert

    def slow(self, task):
        if task.name == 'a_0':
            assert last.wait(10)
        if task.name == 'd_2':
            last.set()
        return convert(self, task)

    monkeypatch.setattr(NumberPreparer, 'convert', slow)
    prepare(raw, out, run={'workers': 12})
    cases = Manifest.read(out / 'manifest.json').cases
    assert [case.case_id for case in cases] == sorted(p.stem for p in raw.iterdir())


def test_spacing_and_extra_columns_reach_the_manifest(raw, out):
    prepare(raw, out)
    case = Manifest.read(out / 'manifest.json').cases[0]
    assert case.spacing == (1.0, 2.0)
    assert case.extra == {'note': 'a_0'}


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        ({'seed': 1}, 'seed was 0, now 1'),
        ({'shade': 9}, 'shade was 7, now 9'),
        ({'num_folds': 3}, 'num_folds was 2, now 3'),
        ({'val_patients': ['a']}, 'val_patients was'),
    ],
)
def test_other_options_need_overwrite(raw, out, options, message):
    prepare(raw, out)
    before = snapshot(out)
    with pytest.raises(InputError, match=f'{message}.*--overwrite'):
        prepare(raw, out, **options)
    assert snapshot(out) == before
    _, outcome = prepare(raw, out, run={'overwrite': True}, **options)
    assert outcome.status == 'written'
    assert snapshot(out) != before
    assert siblings(out) == ['numbers']


def test_changed_raw_data_needs_overwrite(raw, out):
    prepare(raw, out)
    (raw / 'c_0.txt').write_text('3')
    with pytest.raises(InputError, match='the raw data has changed'):
        prepare(raw, out)
    prepare(raw, out, run={'overwrite': True})
    cases = {c.case_id: c for c in Manifest.read(out / 'manifest.json').cases}
    assert cases['c_0'].foreground_pixels == 3


@pytest.mark.parametrize('harm', ['remove', 'change', 'summary'])
def test_a_damaged_output_is_noticed_and_repaired_on_demand(raw, out, harm):
    prepare(raw, out)
    before = snapshot(out)
    path = sorted((out / 'masks').rglob('*.png'))[2]
    if harm == 'summary':
        path = out / 'summary.json'
    if harm == 'change':
        path.write_bytes(path.read_bytes() + b'x')
    else:
        path.unlink()
    with pytest.raises(InputError, match=f'{path.name} is missing or was changed'):
        prepare(raw, out)
    prepare(raw, out, run={'overwrite': True})
    assert snapshot(out) == before


@pytest.mark.parametrize('overwrite', [True, False])
@pytest.mark.parametrize('kind', ['photos', 'file', 'other', 'guest', 'broken'])
def test_what_we_did_not_write_is_never_replaced(raw, out, overwrite, kind):
    if kind == 'photos':
        out.mkdir(parents=True)
        (out / 'holiday.jpg').write_bytes(b'precious')
    elif kind == 'file':
        out.parent.mkdir()
        out.write_bytes(b'precious')
    else:
        prepare(raw, out)
        if kind == 'other':
            text = (out / 'manifest.json').read_text()
            (out / 'manifest.json').write_text(text.replace('"numbers"', '"letters"'))
        elif kind == 'guest':
            (out / 'thesis.tex').write_bytes(b'precious')
        else:
            (out / 'manifest.json').write_bytes(b'{')
    before = snapshot(out.parent)
    with pytest.raises(InputError, match='--out'):
        prepare(raw, out, seed=5, run={'overwrite': overwrite})
    assert snapshot(out.parent) == before


def test_an_empty_folder_is_free(raw, out):
    out.mkdir(parents=True)
    assert prepare(raw, out)[1].status == 'written'


def test_an_output_behind_a_link_is_replaced_behind_the_link(raw, out, tmp_path):
    (tmp_path / 'disk' / 'numbers').mkdir(parents=True)
    out.parent.mkdir()
    out.symlink_to(tmp_path / 'disk' / 'numbers')
    prepare(raw, out)
    prepare(raw, out, seed=1, run={'overwrite': True})
    assert out.is_symlink()
    assert (tmp_path / 'disk/numbers/manifest.json').is_file()


@pytest.mark.parametrize('place', ['raw', 'raw/out', '.', 'raw/../raw/x'])
def test_output_and_raw_never_overlap(raw, tmp_path, place):
    before = snapshot(tmp_path)
    with pytest.raises(InputError, match='raw data is never'):
        prepare(raw, tmp_path / place)
    assert snapshot(tmp_path) == before


def test_a_dry_run_checks_everything_and_writes_nothing(raw, out):
    (raw / 'd_1.txt').write_text('five')
    preparer, outcome = prepare(raw, out, run={'dry_run': True})
    assert outcome.status == 'checked'
    assert len(preparer.converted) == 12
    assert outcome.exit_code == 3
    assert outcome.summary['splits']['all']['slices'] == 11
    assert not out.parent.exists()
    assert prepare(raw, out)[1].summary == outcome.summary


def test_findings_of_all_steps_meet_in_the_summary(raw, out):
    (raw / 'd_1.txt').write_text('five')
    (raw / 'c_2.txt').write_text('24')
    _, outcome = prepare(raw, out)
    assert outcome.exit_code == 3
    assert outcome.summary['findings'] == [
        {
            'path': 'd_1.txt',
            'problem': 'no number',
            'remedy': 'write one',
            'skipped': True,
        },
        {
            'path': 'c_2.txt',
            'problem': 'all foreground',
            'remedy': 'look at it',
            'skipped': True,
        },
    ]
    assert prepare(raw, out)[1].exit_code == 3


@pytest.mark.parametrize('name', ['d_1', 'c_2'])
def test_strict_stops_and_leaves_nothing(raw, out, name):
    (raw / f'{name}.txt').write_text('five' if name == 'd_1' else '24')
    with pytest.raises(InputError, match=rf'{name}\.txt: .*without --strict'):
        prepare(raw, out, run={'strict': True, 'workers': 4})
    assert siblings(out) == []


class Interrupt:
    """Stops the run, as Ctrl-C or a full disk does, after some converted tasks."""

    def __init__(self, monkeypatch, after, error):
        self.calls, self.after, self.error = 0, after, error
        self.active = True
        from mmmed.preparation import workspace

        append = workspace.Workspace.append

        def stop(space, entry):
            if self.active and self.calls == self.after:
                raise self.error
            self.calls += 1
            append(space, entry)

        monkeypatch.setattr(workspace.Workspace, 'append', stop)


def test_an_interrupted_run_goes_on_where_it_stopped(raw, out, tmp_path, monkeypatch):
    interrupt = Interrupt(monkeypatch, 5, KeyboardInterrupt())
    with pytest.raises(KeyboardInterrupt):
        prepare(raw, out)
    assert siblings(out) == ['.numbers.partial']
    interrupt.active = False
    preparer, outcome = prepare(raw, out)
    assert outcome.reused == 5
    assert preparer.converted == [p.stem for p in sorted(raw.iterdir())][5:]
    assert siblings(out) == ['numbers']
    prepare(raw, tmp_path / 'whole')
    assert snapshot(out) == snapshot(tmp_path / 'whole')


@pytest.mark.parametrize(
    ('harm', 'reused'),
    [
        ('half a file', 4),
        ('no file', 4),
        ('half a line', 4),
        ('rubbish line', 5),
        ('changed source', 4),
        ('other pixels', 0),
        ('other split', 5),
        ('foreign record', 4),
    ],
)
def test_only_what_is_whole_and_still_right_is_reused(
    raw, out, tmp_path, monkeypatch, harm, reused
):
    interrupt = Interrupt(monkeypatch, 5, KeyboardInterrupt())
    with pytest.raises(KeyboardInterrupt):
        prepare(raw, out)
    interrupt.active = False
    partial = out.parent / '.numbers.partial'
    journal, options = partial / 'journal.jsonl', {}
    if harm == 'half a file':
        path = partial / 'files/b_0.seg.png'
        path.write_bytes(path.read_bytes()[:30])
    elif harm == 'no file':
        (partial / 'files/b_0.img.png').unlink()
    elif harm == 'half a line':
        journal.write_bytes(journal.read_bytes()[:-20])
    elif harm == 'rubbish line':
        journal.write_bytes(journal.read_bytes() + b'{"task": 3}\n[1]\n\xff\n"x"\n')
    elif harm == 'foreign record':
        journal.write_bytes(journal.read_bytes().replace(b'"width": 6', b'"w": 6', 1))
    elif harm == 'changed source':
        (raw / 'b_0.txt').write_text('2')
    elif harm == 'other pixels':
        options = {'shade': 8}
    else:
        options = {'seed': 3}
    _, outcome = prepare(raw, out, **options)
    assert outcome.reused == reused
    prepare(raw, tmp_path / 'whole', **options)
    assert snapshot(out) == snapshot(tmp_path / 'whole')


@pytest.mark.parametrize('place', ['write', 'assemble', 'manifest'])
@pytest.mark.parametrize(
    ('number', 'message'),
    [
        (errno.ENOSPC, 'no space left on its disk'),
        (errno.EDQUOT, 'no space left on its disk'),
        (errno.EROFS, 'cannot be written'),
    ],
)
def test_a_failing_disk_leaves_the_old_output_and_nothing_else(
    raw, out, monkeypatch, place, number, message
):
    prepare(raw, out)
    before = snapshot(out)

    def fail(*args, **kwargs):
        raise OSError(number, 'broken')

    target = {
        'write': 'mmmed.preparation.workspace.Workspace.write',
        'assemble': 'mmmed.preparation.workspace.Workspace.assemble',
        'manifest': 'mmmed.structures.Manifest.write',
    }[place]
    monkeypatch.setattr(target, fail)
    with pytest.raises(InputError, match=f'numbers: {message}'):
        prepare(raw, out, seed=1, run={'overwrite': True, 'workers': 3})
    assert snapshot(out) == before
    assert siblings(out) == ['numbers']


def test_a_kill_between_the_two_renames_loses_nothing(raw, out, monkeypatch):
    prepare(raw, out)
    before = snapshot(out)
    rename = Path.rename

    def die(self, target):
        if self.name == 'dataset':
            raise KeyboardInterrupt
        return rename(self, target)

    monkeypatch.setattr(Path, 'rename', die)
    with pytest.raises(KeyboardInterrupt):
        prepare(raw, out, seed=1, run={'overwrite': True})
    assert not out.exists()
    monkeypatch.undo()
    assert prepare(raw, out)[1].status == 'unchanged'
    assert snapshot(out) == before


def test_a_failing_last_rename_puts_the_old_output_back(raw, out, monkeypatch):
    prepare(raw, out)
    before = snapshot(out)
    rename = Path.rename

    def fail(self, target):
        if self.name == 'dataset':
            raise OSError(errno.EIO, 'broken')
        return rename(self, target)

    monkeypatch.setattr(Path, 'rename', fail)
    with pytest.raises(InputError, match='cannot be written'):
        prepare(raw, out, seed=1, run={'overwrite': True})
    assert snapshot(out) == before
    assert siblings(out) == ['numbers']


def test_a_kill_after_the_last_rename_leaves_nothing_for_long(raw, out, monkeypatch):
    def die(self, *, remove):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr('mmmed.preparation.workspace.Workspace.close', die)
        with pytest.raises(KeyboardInterrupt):
            prepare(raw, out)
    assert siblings(out) == ['.numbers.partial', 'numbers']
    assert prepare(raw, out)[1].status == 'unchanged'
    assert siblings(out) == ['numbers']


def test_two_runs_at_once_are_refused(raw, out, monkeypatch):
    convert = NumberPreparer.convert
    messages = []

    def run_another(self, task):
        if task.name == 'a_0' and not messages:
            messages.append('')
            with pytest.raises(InputError, match='another run') as stop:
                prepare(raw, out)
            messages.append(str(stop.value))
        return convert(self, task)

    monkeypatch.setattr(NumberPreparer, 'convert', run_another)
    assert prepare(raw, out)[1].status == 'written'
    assert 'wait until it ends' in messages[1]


def test_links_are_not_needed(raw, out, tmp_path, monkeypatch):
    def refuse(*args):
        raise OSError(errno.EPERM, 'no links here')

    prepare(raw, tmp_path / 'linked')
    monkeypatch.setattr('mmmed.preparation.workspace.os.link', refuse)
    prepare(raw, out)
    assert snapshot(out) == snapshot(tmp_path / 'linked')


def test_files_are_readable_by_others_and_not_shared_links(raw, out):
    prepare(raw, out)
    path = next((out / 'images').rglob('*.png'))
    assert path.stat().st_nlink == 1
    assert path.stat().st_mode & 0o044 == 0o044


def test_no_worker_is_refused(raw, out):
    with pytest.raises(InputError, match='--workers is 0'):
        prepare(raw, out, run={'workers': 0})


def test_an_unlistable_raw_folder_is_one_error(raw, out, monkeypatch):
    def fail(self, folder):
        raise PermissionError(13, 'Permission denied')

    monkeypatch.setattr(NumberPreparer, 'discover', fail)
    with pytest.raises(InputError, match=r'cannot be read .*check its permissions'):
        prepare(raw, out)


def test_raw_data_stays_as_it_was(raw, out):
    before = {p: (hash_file(p), p.stat().st_mtime_ns) for p in raw.iterdir()}
    prepare(raw, out)
    assert {p: (hash_file(p), p.stat().st_mtime_ns) for p in raw.iterdir()} == before
