from mmmed.preparation.split_report import count_balance, format_audit, format_balance
from mmmed.preparation.split_rows import Audit, AuditFinding
from mmmed.preparation.split_strata import Stratum
from mmmed.structures.split_manifest import SplitCase, SplitManifest

CASES = (
    SplitCase('a1', 'a', 'train', 0),
    SplitCase('a2', 'a', 'train', 0),
    SplitCase('b1', 'b', 'val', 1),
)
SITE = Stratum('site', 'values', ('X', 'Y', 'X'))


def test_counts_by_hand():
    assert count_balance(CASES, [SITE], 2) == {
        'cases': {'total': 3, 'val': 1, 'folds': [2, 1]},
        'patients': {'total': 2, 'val': 1, 'folds': [1, 1]},
        'levels': {
            'site': {
                'X': {'total': 2, 'val': 1, 'folds': [1, 1]},
                'Y': {'total': 1, 'val': 0, 'folds': [1, 0]},
            }
        },
        'scarce': ['site Y: 1 patient(s)'],
    }


def test_the_table_is_aligned_and_the_rare_level_named():
    split = SplitManifest({'num_folds': 2}, CASES, count_balance(CASES, [SITE], 2))
    assert format_balance(split) == [
        '          all  val  fold 0  fold 1',
        'cases       3    1       2       1',
        'patients    2    1       1       1',
        'site X      2    1       1       1',
        'site Y      1    0       1       0',
        'note: too rare to be in every fold: site Y: 1 patient(s)',
    ]


def test_an_audit_ends_with_its_verdict():
    findings = (AuditFinding('overlap', 'a is in both'), AuditFinding('note', 'blank'))
    lines = format_audit(Audit('s.json', ('split',), 3, 2, 0, findings))
    assert lines[0] == 'overlap: a is in both'
    assert lines[-1] == (
        's.json: THE SPLIT LEAKS in split (3 cases of 2 patients; 1 note(s); '
        '1 overlap(s))'
    )
    clean = Audit('s.json', ('split', 'fold'), 3, 2, 3, ())
    assert format_audit(clean) == [
        's.json: no overlap in split, fold (3 cases of 2 patients, 3 images)'
    ]
