"""Why a classifier decided as it did about one case: pictures, plots, sentences.

Not here: computing it (``mmmed.inference``), the page around it (``explanation_page``).
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from mmmed.functional.roi_crop import make_box_mask
from mmmed.functional.saliency import enlarge_map, spread_blocks
from mmmed.functional.signal_relay import compute_relay, list_interventions
from mmmed.reporting.figures import Plot
from mmmed.structures.region_explanation import RegionExplanation
from mmmed.visualization.classification_plots import plot_matrix, plot_routing
from mmmed.visualization.figure import encode_figure
from mmmed.visualization.saliency_plots import (
    SequenceImage,
    choose_slice,
    plot_sequence_maps,
    plot_sequence_montage,
    plot_target_maps,
)

_UNKNOWN_MM = 25.0
_DPI = 130
# Strongest colour of changes of probability at least.
_FAINT = 0.1
# Maps below this share of the greatest do not choose the slice.
_WEAK = 0.05


def list_images(case: RegionExplanation) -> list[SequenceImage]:
    """Every sequence as pictures want it."""
    box = None
    if case.size_mm:
        box = make_box_mask(case.image.shape[1:], case.size_mm, case.spacing) > 0
    return [
        SequenceImage(
            name, image, case.spacing, case.orientation, box, bool(is_available)
        )
        for name, image, is_available in zip(
            case.sequences, case.image, case.available, strict=True
        )
    ]


def draw_montage(case: RegionExplanation) -> Plot:
    """All sequences with the box of the lesion."""
    count = int(case.available.sum())
    title = f'{case.case_id}: {count} of {len(case.sequences)} sequences, middle slice'
    figure = plot_sequence_montage(list_images(case), title=title)
    box = (
        f'Blue box: the lesion, {case.size_mm:g} mm about the middle.'
        if case.size_mm
        else 'The diameter of the lesion is not known, so there is no box.'
    )
    caption = f'{box} Grey values as the network reads them, 1st to 99th percentile.'
    if case.orientation != 'SAR':
        caption += ' As stored: which side is which is not known.'
    return Plot(encode_figure(figure, 'jpg', dpi=_DPI), title, caption)


def draw_sequence_maps(case: RegionExplanation, target: str) -> Iterator[Plot]:
    """Grad-CAM and occlusion of every sequence that the case has.

    Colours of one method are on one scale in all sequences.
    """
    row = case.shown.index(target)
    shape = case.image.shape[1:]
    cams, hidden = _list_maps(case, row)
    if not cams and not hidden:
        return
    tops = [max((_find_top(m) for m in maps.values()), default=0)
            for maps in (cams, hidden)]  # fmt: skip
    for index, image in enumerate(list_images(case)):
        if not image.is_available:
            continue
        maps = {}
        if index in cams:
            # Relative: the unit of an activation means nothing.
            scaled = cams[index] / tops[0] if tops[0] else cams[index]
            shared = case.sequence_maps is None
            words = 'Grad-CAM (all)' if shared else 'Grad-CAM (relative)'
            maps[words] = scaled, 1.0, False
        if index in hidden:
            maps['change when hidden'] = hidden[index], tops[1], True
        if not maps:
            continue
        # Padding has nothing to show, and a weak map no slice of its own.
        seen = np.ptp(image.image, axis=(1, 2)) > 0
        strong = [
            values[index] * seen[:, None, None]
            for values, top in zip((cams, hidden), tops, strict=True)
            if index in values and _find_top(values[index]) > _WEAK * top
        ]
        depth = choose_slice(shape[0], *strong)
        figure = plot_sequence_maps(image, maps, depth=depth)
        words = _describe_change(case, target, index)
        yield Plot(encode_figure(figure, 'jpg', dpi=_DPI), image.name, words)


def draw_target_maps(case: RegionExplanation) -> Plot | None:
    """The last maps of every target, over the first sequence that it reads."""
    if case.target_maps is None:
        return None
    images = {image.name: image for image in list_images(case)}
    present = [s for s, has in zip(case.sequences, case.available, strict=True) if has]
    items: list[tuple[str, SequenceImage, NDArray | None]] = []
    for name, cam in zip(case.classes, case.target_maps, strict=True):
        routed = [s for s in case.routing.get(name, present) if s in present]
        label = case.classes[name][case.get_label(name)]
        title = f'{name}: {label}'
        if not routed or not np.isfinite(cam).all():
            first = next(iter(case.routing.get(name, case.sequences)))
            items.append((title, images.get(first, next(iter(images.values()))), None))
            continue
        large = enlarge_map(cam, case.image.shape[1:])
        items.append((f'{title}\n({routed[0]})', images[routed[0]], large))
    figure = plot_target_maps(items)
    caption = (
        'Grad-CAM of the layer that each target is read from, for the class that was '
        'predicted, each on its own scale; in brackets the sequence below it, the '
        'first that the target reads.'
    )
    alt = f'Activation maps of the targets of {case.case_id}'
    return Plot(encode_figure(figure, 'jpg', dpi=_DPI), alt, caption)


def draw_ablation(case: RegionExplanation) -> Plot:
    """What the predicted classes lose without a sequence."""
    names = list(case.classes)
    values = np.stack(
        [case.ablation[name][:, case.get_label(name)] for name in names], axis=1
    )
    values = np.where(case.available[:, None], values, np.nan)
    figure = plot_matrix(
        values, case.sequences, names, title='Without a sequence',
        ylabel='left out', xlabel='target', limit=_choose_limit(values),
    )  # fmt: skip
    caption = (
        'Change of the probability of each predicted class when one sequence is '
        'missing. Orange: the prediction needs it. A dash: the case does not have it.'
    )
    return Plot(encode_figure(figure, 'svg'), 'Change without each sequence', caption)


def draw_interventions(case: RegionExplanation) -> Plot | None:
    """What the main target would be if a sign were another; None without a relay."""
    relay = case.relay
    if relay is None or relay.main_target not in case.classes:
        return None
    found = list_interventions(relay)
    rows, marked = [], []
    for place, (sign, label, _) in enumerate(found):
        rows.append(f'{sign} = {case.classes[sign][label]}')
        if label == case.get_label(sign):
            marked.append(place)
    values = np.stack([change for _, _, change in found])
    figure = plot_matrix(
        values, rows, case.classes[relay.main_target],
        title=f'What if? Change of {relay.main_target}',
        ylabel='sign set to', xlabel=relay.main_target, marked=marked,
        limit=_choose_limit(values),
    )  # fmt: skip
    caption = (
        'Change of the probabilities if one sign were certainly this; bold: what the '
        'network believes. The first class of a sign is its absence where classes are '
        'ordered so. The relay alone is asked again, the image is not.'
    )
    return Plot(encode_figure(figure, 'svg'), 'Interventions on signs', caption)


def describe_absences(case: RegionExplanation) -> list[tuple[str, str, NDArray]]:
    """Each sign that is believed to be there, set to its first class.

    Returns:
        Sign, class that it had, and probabilities (K,) of the main target without it.
    """
    relay = case.relay
    if relay is None or relay.main_target not in case.classes:
        return []
    own = compute_relay(relay)
    return [
        (sign, case.classes[sign][case.get_label(sign)], own + change)
        for sign, label, change in list_interventions(relay)
        if label == 0 < case.get_label(sign)
    ]


def draw_attention(case: RegionExplanation) -> Plot | None:
    """Which target looks at which, or how much each sequence counts."""
    if case.attention is None:
        return None
    if case.attention.ndim == 2:
        figure = plot_matrix(
            case.attention, case.attention_names, case.attention_names,
            title='Attention among targets', ylabel='looks', xlabel='at',
            is_share=True, limit=max(2 / len(case.attention), case.attention.max()),
        )  # fmt: skip
        caption = 'Mean over heads; each row adds up to 1.'
    else:
        figure = plot_matrix(
            case.attention[None], ['weight'], case.attention_names,
            title='Weight of each sequence', xlabel='sequence', is_share=True,
        )  # fmt: skip
        caption = 'Share that each sequence has in what the targets are read from.'
    return Plot(encode_figure(figure, 'svg'), 'Attention', caption)


def draw_model(case: RegionExplanation) -> Iterator[Plot]:
    """What holds for every case of the model: routing and weights of the relay."""
    if case.routing:
        figure = plot_routing(case.routing, case.sequences, title='Routing')
        caption = (
            'Sequences that the branch of each target reads. Attention and relay pass '
            'on what others have read.'
        )
        yield Plot(encode_figure(figure, 'svg'), 'Routing of the network', caption)
    relay = case.relay
    if relay is not None and {name for name, _ in relay.order} <= set(case.classes):
        rows = [f'{name} = {case.classes[name][k]}' for name, k in relay.order]
        figure = plot_matrix(
            relay.weight.T, rows, case.classes[relay.main_target],
            title=f'Relay: weights for {relay.main_target}', xlabel=relay.main_target,
            ylabel='signal',
        )  # fmt: skip
        caption = (
            'Which sign speaks for which class (purple) and against it (orange), in '
            f'logits; the last rows are the own opinion of {relay.main_target}.'
        )
        yield Plot(encode_figure(figure, 'svg'), 'Weights of the relay', caption)


def _list_maps(
    case: RegionExplanation, row: int
) -> tuple[dict[int, NDArray], dict[int, NDArray]]:
    """Grad-CAM and occlusion on the voxels of the image, by index of the sequence.

    A network without encoders of sequences has one activation map for all of them.
    """
    shape = case.image.shape[1:]
    single = None
    if case.sequence_maps is None and case.target_maps is not None:
        single = case.target_maps[list(case.classes).index(case.shown[row])]
    cams, hidden = {}, {}
    for index in np.flatnonzero(case.available).tolist():
        cam = single if case.sequence_maps is None else case.sequence_maps[row, index]
        if cam is not None and np.isfinite(cam).all():
            cams[index] = enlarge_map(cam, shape)
        if case.occlusion is not None:
            values = case.occlusion[row, index]
            if np.isfinite(values).all():
                hidden[index] = spread_blocks(values, case.blocks, shape)
    return cams, hidden


def _choose_limit(values: NDArray) -> float:
    """Of the colours of changes: what is next to nothing shall look like it."""
    return max(_find_top(values), _FAINT)


def _find_top(values: NDArray) -> float:
    finite = np.abs(values[np.isfinite(values)])
    return float(finite.max(initial=0))


def _describe_change(case: RegionExplanation, target: str, index: int) -> str:
    label = case.get_label(target)
    change = float(case.ablation[target][index, label])
    prob = float(case.prob[target][label])
    return (
        f'{case.sequences[index]}. Without it {case.classes[target][label]} has '
        f'{prob + change:.3f} instead of {prob:.3f}.'
    )
