import logging

import pytest

from mmmed.progress import Progress


def test_without_a_terminal_it_logs_plain_lines(caplog):
    caplog.set_level(logging.INFO, 'mmmed.progress')
    with Progress('Converting', 3, 'slice', interval_s=0) as progress:
        for _ in range(3):
            progress.step()
    assert len(caplog.messages) == 3
    assert caplog.messages[1].startswith('Converting 2 of 3 (')
    assert caplog.messages[1].endswith(' s left)')


def test_lines_keep_their_distance_but_the_last_is_always_shown(caplog):
    caplog.set_level(logging.INFO, 'mmmed.progress')
    with Progress('Checking', 1000, 'file', interval_s=3600) as progress:
        for _ in range(1000):
            progress.step()
    assert [m.split(' (')[0] for m in caplog.messages] == ['Checking 1000 of 1000']


@pytest.mark.parametrize('on_terminal', [True, False])
def test_quiet_shows_nothing(caplog, capsys, monkeypatch, on_terminal):
    monkeypatch.setattr('sys.stderr.isatty', lambda: on_terminal, raising=False)
    caplog.set_level(logging.INFO, 'mmmed.progress')
    with Progress('Converting', 1, 'slice', quiet=True, interval_s=0) as progress:
        progress.step()
    assert caplog.messages == []
    assert capsys.readouterr().err == ''


def test_a_terminal_gets_a_bar_and_no_lines(caplog, capsys, monkeypatch):
    monkeypatch.setattr('sys.stderr.isatty', lambda: True, raising=False)
    caplog.set_level(logging.INFO, 'mmmed.progress')
    with Progress('Converting', 2, 'slice', interval_s=0) as progress:
        progress.step()
        progress.step()
    assert caplog.messages == []
    assert 'Converting: 100%' in capsys.readouterr().err
