import pytest

from mmmed.preparation import AtlasPreparer, InputError
from mmmed.preparation.shards import Shard


@pytest.mark.parametrize(
    ('call', 'message'),
    [
        ((0, None, False), '--num-parts is 0'),
        ((3, 3, False), '--part-id is 3, expected 0 to 2'),
        ((3, None, False), 'say which part'),
        ((3, 1, True), 'leave --part-id away'),
    ],
)
def test_a_wrong_call_is_refused(call, message):
    num_parts, part_id, merge = call
    with pytest.raises(InputError, match=message):
        Shard.check(num_parts, part_id, merge=merge)


def test_parts_divide_the_work(tmp_path):
    tasks = list(range(7))
    chosen = [Shard(3, k).choose(tasks) for k in range(3)]
    assert chosen == [[0, 3, 6], [1, 4], [2, 5]]
    assert Shard(3, 1).name_folder(tmp_path / 'a').name == 'a.part-1-of-3'


def test_a_missing_part_is_named_and_a_repeated_one_reused(raw_atlas, tmp_path):
    out = tmp_path / 'out'
    preparer = AtlasPreparer(num_folds=2)
    run = {'num_parts': 2, 'part_id': 0, 'quiet': True}
    assert preparer.prepare(raw_atlas.root, out, **run).reused == 0
    assert preparer.prepare(raw_atlas.root, out, **run).reused == 7
    with pytest.raises(InputError, match=r'out\.part-1-of-2: no such part'):
        preparer.prepare(raw_atlas.root, out, num_parts=2, merge=True, quiet=True)
    assert (tmp_path / 'out.part-0-of-2/journal.jsonl').is_file()
    assert not out.exists()


def test_a_part_is_converted_again_if_its_source_changed(raw_atlas, tmp_path):
    out = tmp_path / 'out'
    preparer = AtlasPreparer(num_folds=2)
    for part_id in range(2):
        run = {'num_parts': 2, 'part_id': part_id, 'quiet': True}
        preparer.prepare(raw_atlas.root, out, **run)
    raw_atlas.add('sub-r001s001', (2, 2, 2))
    outcome = preparer.prepare(raw_atlas.root, out, num_parts=2, merge=True, quiet=True)
    assert outcome.reused == 13
