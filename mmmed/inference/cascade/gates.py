"""Gates of the cascade: decisions about a series, and which slices show cord.

A series is judged by the mean of its slices' probabilities: the accepted classes
together need the threshold; so do the others to reject it; in between the gate is not
sure. Not here: what follows from a rejection (``cascade``).
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray

from mmmed.inference.cascade.grey import GreyStack
from mmmed.inference.cascade.settings import SpinalCordSettings
from mmmed.inference.cascade.weights import LoadedGate
from mmmed.structures.spine_classes import CORD
from mmmed.structures.stage_record import StageRecord


def predict_slices(
    gate: LoadedGate, grey: GreyStack, slices: Sequence[int] | NDArray, batch_size: int
) -> tuple[tuple[str, ...], NDArray[np.float64]]:
    """Class probabilities of slices.

    Two targets, location and view, are joined: their classes are ``location_view``,
    the probabilities of a slice are products.

    Args:
        gate: Its classifier.
        grey: The series.
        slices: Numbers of slices, at least one.
        batch_size: Slices at a time.

    Returns:
        Class names and probabilities, shape (N, K).
    """
    spacing = grey.stack.spacing[1:]
    device = next(gate.model.parameters()).device
    logits: dict[str, list[torch.Tensor]] = {name: [] for name in gate.targets}
    for start in range(0, len(slices), batch_size):
        img = gate.recipe.apply(grey.take(slices[start : start + batch_size]), spacing)
        # (N, H, W) to (N, S, C, Z, Y, X): one sequence, one channel, one slice.
        inputs = torch.from_numpy(img)[:, None, None, None].to(device)
        with torch.inference_mode():
            found = gate.model(inputs, mode='tensor')
        for name in logits:
            logits[name].append(found[name].float().cpu())
    probs = [
        (torch.cat(parts) / gate.temperatures[name]).double().softmax(1).numpy()
        for name, parts in logits.items()
    ]
    (names, *rest), joined = gate.targets.values(), probs[0]
    for others, prob in zip(rest, probs[1:], strict=True):
        names = tuple(f'{one}_{other}' for one in names for other in others)
        joined = (joined[:, :, None] * prob[:, None]).reshape(len(joined), -1)
    return names, joined


def choose_slices(filled: Sequence[int] | NDArray, most: int) -> NDArray[np.intp]:
    """Slices that stand for a series: the middles of equal parts of it.

    Args:
        filled: Numbers of slices that show something.
        most: How many to choose at most.

    Example:
        >>> choose_slices(range(60), 4)
        array([ 7, 22, 37, 52])
    """
    count = min(most, len(filled))
    places = ((np.arange(count) + 0.5) * len(filled) / max(count, 1)).astype(np.intp)
    return np.asarray(filled, np.intp)[places]


def judge_series(
    gate: LoadedGate,
    grey: GreyStack,
    accepted: Sequence[str],
    threshold: float,
    *,
    max_slices: int = 16,
    batch_size: int = 8,
    clock: Callable[[], float] = time.perf_counter,
) -> StageRecord:
    """Decide whether a series goes on.

    Args:
        gate: Its classifier.
        grey: The series; at least one slice shows something.
        accepted: Class names; joined ones for location and view.
        threshold: Least probability of a decision.
        max_slices: Slices to look at, at most.
        batch_size: Slices at a time.
        clock: Seconds.

    Returns:
        The record; ``accepted`` is False too where the gate is not sure.
    """
    start = clock()
    slices = choose_slices(grey.find_filled(), max_slices)
    names, probs = predict_slices(gate, grey, slices, batch_size)
    mean = probs.mean(axis=0)
    means = dict(zip(names, mean.tolist(), strict=True))
    decision = decide(means, accepted, threshold)
    return StageRecord(
        name=gate.stage,
        model=gate.title,
        checkpoint_sha256=gate.sha256,
        class_map=names,
        probs=means,
        label=decision.label,
        threshold=threshold,
        accepted=decision.decision == 'accept',
        reason=decision.reason,
        n_slices=len(slices),
        seconds=clock() - start,
        details={
            'accepts': list(accepted),
            'accepted_probability': round(decision.mass, 6),
            'decision': decision.decision,
        },
    )


@dataclass(frozen=True)
class Decision:
    """What mean probabilities say.

    Args:
        decision: ``'accept'``, ``'reject'`` or ``'not sure'``.
        mass: Probability of the accepted classes together.
        label: Most probable class; of an accepted series among the accepted ones.
        reason: One sentence.
    """

    decision: str
    mass: float
    label: str
    reason: str


def decide(
    probs: Mapping[str, float], accepted: Sequence[str], threshold: float
) -> Decision:
    """The decision about a series.

    Args:
        probs: Mean probability by class name; they sum to 1.
        accepted: Names of the classes that may go on, at least one of ``probs``.
        threshold: In (0, 1). Below 0.5 a series may pass both tests and is accepted.

    Example:
        >>> decide({'spine': 0.5, 'head': 0.4, 'other': 0.1}, ['spine'], 0.7).decision
        'not sure'
    """
    known = [name for name in probs if name in accepted]
    mass = sum(probs[name] for name in known)
    wanted = known[0] if len(known) == 1 else f'one of {", ".join(known)}'
    reason = f'{wanted}: probability {mass:.2f}, threshold {threshold:g}'
    if mass >= threshold:
        label = max(known, key=lambda name: probs[name])
        return Decision('accept', mass, label, reason)
    label = max(probs, key=lambda name: probs[name])
    most = f'most probable is {label} ({probs[label]:.2f})'
    if 1 - mass >= threshold:
        return Decision('reject', mass, label, f'not {reason}; {most}')
    return Decision('not sure', mass, label, f'not sure whether {reason}; {most}')


def find_cord_slices(
    gate: LoadedGate,
    grey: GreyStack,
    settings: SpinalCordSettings,
    *,
    batch_size: int = 8,
    clock: Callable[[], float] = time.perf_counter,
) -> tuple[StageRecord, NDArray[np.intp]]:
    """Decide which slices show cord.

    Args:
        gate: Its classifier, of the target ``'cord'``.
        grey: The series.
        settings: Thresholds.
        batch_size: Slices at a time.
        clock: Seconds.

    Returns:
        The record, and the numbers of the kept slices in the stack, without gaps;
        none if the series is rejected.
    """
    start = clock()
    present = CORD[1]
    filled = grey.find_filled()
    names, probs = predict_slices(gate, grey, filled, batch_size)
    cord = np.zeros(len(grey.stack.img))
    cord[filled] = probs[:, names.index(present)]
    kept = keep_runs(cord, settings.threshold, settings.low_threshold, settings.max_gap)
    mean = probs.mean(axis=0).tolist()
    record = StageRecord(
        name=gate.stage,
        model=gate.title,
        checkpoint_sha256=gate.sha256,
        class_map=names,
        probs=dict(zip(names, mean, strict=True)),
        label=present if len(kept) else CORD[0],
        threshold=settings.threshold,
        accepted=bool(len(kept)),
        reason=(
            f'cord in {len(kept)} of {len(cord)} slices'
            if len(kept)
            else f'no slice of {len(cord)} shows cord: the most probable has '
            f'{cord.max():.2f}, threshold {settings.threshold:g}'
        ),
        n_slices=len(filled),
        seconds=0.0,
        details={
            'slices': list(grey.stack.number_slices(kept.tolist())),
            'slice_axis': grey.stack.slice_axis,
        },
    )
    return replace(record, seconds=clock() - start), kept


def keep_runs(
    prob: NDArray, threshold: float, low_threshold: float, max_gap: int
) -> NDArray[np.intp]:
    """Neighbouring slices that show cord, without a hole.

    A run starts where the probability reaches ``threshold``, and goes on where it
    reaches ``low_threshold``. A cord does not end between two runs, so everything
    between them is kept; single slices farther than ``max_gap`` from the longest run
    are taken for errors, unless all runs are single slices.

    Args:
        prob: Of each slice, shape (S,).
        threshold: In (0, 1).
        low_threshold: In (0, threshold].
        max_gap: Slices, >= 0.

    Returns:
        Sorted numbers without gaps; empty if no slice reaches ``threshold``.

    Example:
        >>> keep_runs(np.array([0, 0.4, 0.9, 0, 0.6, 0.2]), 0.5, 0.3, 3)
        array([1, 2, 3, 4])
    """
    runs = [
        (first, last)
        for first, last in _find_runs(prob >= low_threshold)
        if prob[first : last + 1].max() >= threshold
    ]
    if not runs:
        return np.empty(0, np.intp)
    longest = max(runs, key=lambda run: run[1] - run[0])
    low, high = longest
    for first, last in runs:
        distance = max(first - longest[1], longest[0] - last) - 1
        if last > first or longest[0] == longest[1] or distance <= max_gap:
            low, high = min(low, first), max(high, last)
    return np.arange(low, high + 1)


def _find_runs(mask: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """First and last index of each run of True."""
    steps = np.diff(np.concatenate([[0], mask.astype(np.int8), [0]]))
    firsts = np.flatnonzero(steps == 1).tolist()
    lasts = (np.flatnonzero(steps == -1) - 1).tolist()
    return list(zip(firsts, lasts, strict=True))
