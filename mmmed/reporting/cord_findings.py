"""What a reader must know before believing the masks of a spinal cord.

Not here: how a finding is shown (``frame``).
"""

from collections.abc import Iterator

from mmmed.reporting.cord_folder import (
    ACCEPTED,
    FAILED,
    REJECTED,
    UNREADABLE,
    CordRun,
    CordSeries,
    take_list,
    take_map,
    take_number,
)
from mmmed.reporting.findings import ERROR, NOTE, WARNING, Finding
from mmmed.reporting.wording import format_count

# Gates that saw fewer slices decide by chance.
FEW_SLICES = 3
# A probability so little above its threshold is a narrow decision.
NARROW = 0.05
# Mean probability in a lesion below this is a faint one.
FAINT = 0.6
# Share of the cord that a lesion seldom takes.
LARGE_SHARE = 0.25
# Remarks about series at the top of the page.
MAX_TOLD = 20

# Of one series, and of several.
_WORDS = {
    FAILED: ('failed', 'failed'),
    UNREADABLE: ('could not be read', 'could not be read'),
    REJECTED: (
        'was rejected: nothing was segmented in it',
        'were rejected: nothing was segmented in them',
    ),
}


def collect_run_findings(run: CordRun) -> list[Finding]:
    """What to know about a run, the gravest first."""
    findings = []
    for status, (one, several) in _WORDS.items():
        count = sum(s.status == status for s in run.series)
        if count:
            words = one if count == 1 else several
            text = f'{count} of {len(run.series)} series {words}.'
            findings.append(Finding(WARNING, text))
    told = [
        Finding(f.level, f'{s.patient} / {s.series}: {f.text}')
        for s in run.series
        for f in collect_series_findings(s)
        if f.level != NOTE
    ]
    order = {ERROR: 0, WARNING: 1, NOTE: 2}
    told.sort(key=lambda f: order[f.level])
    findings += told[:MAX_TOLD]
    if len(told) > MAX_TOLD:
        text = f'{len(told) - MAX_TOLD} more remarks stand at their series.'
        findings.append(Finding(WARNING, text))
    findings += [Finding(ERROR, problem) for problem in run.problems]
    if run.left_out:
        count = len(run.left_out)
        text = f'{format_count(count, "file")} of the input held no series, see below.'
        findings.append(Finding(NOTE, text))
    return sorted(findings, key=lambda f: order[f.level])


def collect_series_findings(series: CordSeries) -> list[Finding]:
    """What to know about one series."""
    return [
        *(Finding(ERROR, problem) for problem in series.problems),
        *_judge_gates(series),
        *_judge_masks(series),
        *(Finding(WARNING, _end(text)) for text in series.warnings),
        *_judge_pictures(series),
    ]


def _judge_gates(series: CordSeries) -> Iterator[Finding]:
    for stage in series.stages:
        name = stage.name.replace('_', ' ')
        if series.status == ACCEPTED and not stage.accepted:
            words = 'rejected the series' if stage.is_sure else 'was not sure'
            text = (
                f'stage {name} {words}, and the analysis went on as it was told to; '
                'masks of such a series mean little.'
            )
            yield Finding(ERROR, text)
        elif not stage.is_sure:
            text = f'stage {name} was not sure: neither accepted nor excluded.'
            yield Finding(WARNING, text)
        prob, threshold = stage.accepted_prob, stage.threshold
        if prob is None or threshold is None or not stage.accepted:
            continue
        if threshold <= prob < threshold + NARROW:
            text = (
                f'stage {name} accepted narrowly, with {prob:.2f} at a threshold of '
                f'{threshold:g}.'
            )
            yield Finding(WARNING, text)
    counts = [s.n_slices for s in series.stages if s.n_slices]
    if counts and max(counts) < FEW_SLICES:
        number = format_count(max(counts), 'slice')
        text = f'the stages saw {number} only; their decisions rest on little.'
        yield Finding(WARNING, text)


def _judge_masks(series: CordSeries) -> Iterator[Finding]:
    analysis = series.analysis
    if analysis is None:
        if series.status == ACCEPTED:
            yield Finding(WARNING, 'no measures of lesions were found.')
        return
    cord = take_map(analysis.get('cord'))
    if not take_number(cord.get('voxels')):
        yield Finding(ERROR, 'no spinal cord was found, so no lesion was counted.')
    outside = take_map(analysis.get('outside_cord'))
    count = take_number(outside.get('count'))
    if count:
        size = take_number(outside.get('volume_mm3')) or 0
        # Singular and plural.
        was = 'was' if count == 1 else 'were'
        text = (
            f'{format_count(int(count), "lesion")} outside the cord {was} removed '
            f'({size:,.1f} mm³).'
        )
        yield Finding(WARNING, text)
    cut = take_map(analysis.get('cut_at_cord'))
    if take_number(cut.get('voxels')):
        size = take_number(cut.get('volume_mm3')) or 0
        text = f'lesions reach out of the cord; {size:,.1f} mm³ are not counted.'
        yield Finding(WARNING, text)
    faint = [
        f'no. {take_number(row.get("label")):g}'
        for row in series.lesions
        if (take_number(row.get('confidence_mean')) or 1) < FAINT
        and take_number(row.get('label')) is not None
    ]
    if faint:
        text = f'faint lesions (mean probability below {FAINT:g}): {", ".join(faint)}.'
        yield Finding(WARNING, text)
    share = take_number(analysis.get('lesion_share_of_cord'))
    if share is not None and share > LARGE_SHARE:
        text = f'lesions take {share:.0%} of the visible cord; look at the contours.'
        yield Finding(WARNING, text)


def _judge_pictures(series: CordSeries) -> Iterator[Finding]:
    if not series.pictures and series.link:
        yield Finding(NOTE, 'mosaics; the run wrote no previews of this series.')
    absent = take_list((series.previews or {}).get('absent_slices'))
    if absent:
        numbers = ', '.join(str(n) for n in absent if isinstance(n, int))
        yield Finding(NOTE, f'preview slices {numbers}; the series does not have them.')


def _end(text: str) -> str:
    """A sentence with its full stop."""
    return text if text.endswith(('.', '!', '?')) else f'{text}.'
