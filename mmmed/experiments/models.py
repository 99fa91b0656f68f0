"""The model of an experiment: base file, changes to it, and its loss.

Not here: how it is trained (``training``).
"""

from dataclasses import dataclass, field
from typing import Any

from mmmed.experiments.section import Report, Section, simplify_name

Config = dict[str, Any]
# Networks of masks: base file, and names of the keys that mean the width.
_NETWORKS = {
    'unet': ('spinal_unet', {'depth': 5, 'features': 32}),
    'stampunet': ('spinal_unet', {'depth': 5, 'features': 32}),
    'improvestampunet': ('spinal_unet', {'depth': 4, 'init_features': 16}),
    'attentionunet': ('spinal_attention_unet', {'depth': 4, 'features': 16}),
    'ducknet': ('duck_net', {'depth': 3, 'init_features': 8}),
}
# Beginnings of names of classifiers, and the network of timm.
_ENCODERS = (
    ('efficientvit', 'efficientvit_m5', True),
    ('resnet', 'resnet18', False),
    ('repvit', 'repvit_m1_0', True),
    ('mobilenetv4', 'mobilenetv4_hybrid_medium', False),
)
# Targets by their usual number of classes, where no name tells.
_TARGETS = {165: 'class', 10: 'location_view', 4: 'sequence', 2: 'cord'}
_WORDS = (
    ('foundation', 'class'),
    ('sequence', 'sequence'),
    ('location', 'location_view'),
    ('anatomy', 'anatomy'),
    ('spinal_cord_classification', 'cord'),
    ('cord', 'cord'),
    ('radimagenet', 'class'),
)


@dataclass
class ModelPart:
    """What the rest of the config has to know of the model.

    Args:
        is_classifier: Whether it answers classes; else masks.
        base: Name of the base file, without suffix.
        model: Changes to the base file's model.
        target: What is answered: target of classes, ``'cord'`` or ``'lesion'``.
        size: Pixels a side; None as the data.
        pruning: Options of pruning that the model itself has.
    """

    is_classifier: bool
    base: str
    model: Config
    target: str
    size: int | None = None
    pruning: Config = field(default_factory=dict)


def convert_model(
    section: Section, *, hint: str, target: str | None, report: Report
) -> ModelPart:
    """The model.

    Args:
        section: ``model`` of the experiment.
        hint: Names of the experiment and its data, which tell what is answered.
        target: What is answered, where the user says it.
        report: Takes what the user should know.

    Raises:
        ValueError: There is no such network, or a number is impossible.
    """
    name = section.take('name')
    key = simplify_name(name)
    if section.take('resume_ckpt'):
        report.unmatched(
            section.path('resume_ckpt'),
            'runs of a server of experiments are not looked up; copy the checkpoint, '
            'and resume with "mim train ... --resume"',
        )
    if key in _NETWORKS:
        return _convert_segmentor(section, key, hint, target, report)
    for start, timm_name, has_norm in _ENCODERS:
        if key.startswith(start):
            encoder = timm_name
            if start == 'efficientvit' and key[-2:-1] == 'm' and key[-1] in '012345':
                encoder = f'efficientvit_{key[-2:]}'
            return _convert_classifier(section, encoder, has_norm, hint, target, report)
    known = [*_NETWORKS, *(start for start, *_ in _ENCODERS)]
    raise ValueError(
        f'{section.path("name")}: {name!r}, expected one of {known}; write a config by '
        'hand for another network'
    )


def _convert_classifier(
    section: Section,
    encoder: str,
    has_norm: bool,
    hint: str,
    target: str | None,
    report: Report,
) -> ModelPart:
    classes = section.take_number('num_classes', low=2, high=10_000, whole=True)
    target = target or _guess_target(classes, hint, report, section.path('num_classes'))
    size = section.take_number('size', 224, low=8, high=4096, whole=True)
    _read_channels(section, report)
    backbone: Config = {'model': encoder}
    if section.take('freeze', False) is True:
        report.note(
            section.path('freeze'),
            'the reference ignores it, and so does this config; to train the head '
            'alone set model.network.backbone.frozen=True',
        )
    pretrained = section.take('pretrained')
    if pretrained is True:
        report.unmatched(
            section.path('pretrained'),
            f'nothing is downloaded; fetch the weights of timm/{encoder} and set '
            'model.network.backbone.pretrained=FILE',
        )
    elif isinstance(pretrained, str) and pretrained:
        option = 'model.network.backbone.pretrained'
        _note_checkpoint(pretrained, section.path('pretrained'), option, report)
    head: Config = {'targets': {target: classes}}
    if not has_norm:
        head['batch_norm'] = False
    weight = section.take('class_weight')
    if isinstance(weight, list) and len(weight) == classes:
        head['class_weight'] = {target: [float(value) for value in weight]}
    elif weight is not None:
        report.unmatched(
            section.path('class_weight'),
            f"expected {classes} numbers; 'balanced' counts the training fold",
        )
    loss = section.take_section('loss')
    if simplify_name(loss.take('name', 'CrossEntropy')).removesuffix('loss') not in (
        'crossentropy',
    ):
        report.unmatched(loss.path('name'), 'classes are trained by cross-entropy here')
    loss.take_section('params').close('cross-entropy has no such option here')
    _read_activation(section, report, is_classifier=True)
    model = {'network': {'backbone': backbone}, 'head': head}
    return ModelPart(True, 'slice_classifier', model, target, size)


def _convert_segmentor(
    section: Section, key: str, hint: str, target: str | None, report: Report
) -> ModelPart:
    base, widths = _NETWORKS[key]
    _read_channels(section, report)
    outputs = section.take_number('out_channels', 1, low=1, high=2, whole=True)
    backbone: Config = {}
    for name, default in widths.items():
        value = section.take_number(name, default, low=1, high=1024, whole=True)
        other = 'features' if base != 'duck_net' else name
        backbone['depth' if name == 'depth' else other] = value
    if key == 'improvestampunet' and 'features' in section:
        backbone['features'] = section.take_number('features', low=1, whole=True)
    pruning = _read_network_options(section, key, backbone, report)
    head: Config = {'loss_decode': _convert_loss(section, report)}
    if outputs > 1:
        backbone['out_channels'] = head['out_channels'] = outputs
    _read_activation(section, report, is_classifier=False)
    pretrained = section.take('pretrained')
    if isinstance(pretrained, str) and pretrained:
        path = section.path('pretrained')
        _note_checkpoint(pretrained, path, 'load_from', report)
    if target is None:
        target = 'lesion' if 'lesion' in hint.lower() else 'cord'
        _note_target(target, section.path('name'), report)
    if target not in ('cord', 'lesion'):
        raise ValueError(f"target is {target!r}, expected 'cord' or 'lesion' for masks")
    model = {'backbone': backbone, 'decode_head': head}
    return ModelPart(False, base, model, target, None, pruning)


def _read_network_options(
    section: Section, key: str, backbone: Config, report: Report
) -> Config:
    """Options of a network of masks; returns those of pruning."""
    is_unet = key != 'ducknet'
    if is_unet:
        default = key in ('improvestampunet', 'attentionunet')
        backbone['use_batch_norm'] = bool(section.take('use_batch_norm', default))
    elif simplify_name(section.take('normalization', 'batch')) != 'batch':
        report.unmatched(section.path('normalization'), 'DUCK-Net has batch norm here')
    dropout = section.take_number('dropout', 0.0, high=0.99)
    if dropout and is_unet:
        backbone['dropout'] = dropout
        report.mended(
            section.path('dropout'), 'the published network has none; it is used here'
        )
    elif dropout:
        report.unmatched(section.path('dropout'), 'DUCK-Net has none')
    if section.take('use_xavier', False):
        backbone['init_cfg'] = {
            'type': 'Xavier',
            'layer': 'Conv2d',
            'distribution': 'uniform',
        }
    if not is_unet:
        backbone['use_multiplier'] = bool(section.take('use_multiplier', True))
        backbone['interpolation'] = section.take('interpolation', 'nearest')
        if backbone['interpolation'] not in ('nearest', 'bilinear'):
            raise ValueError(
                f'{section.path("interpolation")}: {backbone["interpolation"]!r}, '
                "expected 'nearest' or 'bilinear'"
            )
    pruning: Config = {}
    if key == 'stampunet':
        pruning = {
            'recovery_epochs': section.take_number(
                'recovery_epochs', 5, low=1, whole=True
            ),
            'b_drop': section.take_number('b_drop', 0.1, high=1),
        }
    return pruning


def _convert_loss(section: Section, report: Report) -> Config:
    """Loss of masks; the base file's where there is no counterpart."""
    loss = section.take_section('loss')
    name = simplify_name(loss.take('name', 'BCEWithLogits')).removesuffix('loss')
    params = loss.take_section('params')
    config: Config
    if name in ('bcewithlogits', 'bce'):
        if name == 'bce':
            report.mended(loss.path('name'), 'taken of logits, which does not overflow')
        config = {
            'type': 'mmmed.DiceCELoss',
            'dice_weight': 0.0,
            'ce_weight': 1.0,
            'loss_name': 'loss_bce',
        }
    elif name in ('dice', 'ducknetdice'):
        smooth = params.take_number('smooth', 1.0 if name == 'dice' else 1e-6)
        config = {'type': 'mmmed.SoftDiceLoss', 'smooth': smooth}
        if name == 'ducknetdice':
            config['batch_dice'] = True
    elif name == 'crossentropy':
        config = {
            'type': 'mmmed.DiceCELoss',
            'dice_weight': 0.0,
            'ce_weight': 1.0,
            'loss_name': 'loss_ce',
        }
    else:
        report.unmatched(
            loss.path('name'), 'no such loss of masks here; Dice and cross-entropy is'
        )
        config = {'type': 'mmmed.DiceCELoss'}
    params.close('the loss has no such option here')
    loss.close()
    return {'_delete_': True, **config}


def _read_channels(section: Section, report: Report) -> None:
    channels = section.take_number('in_channels', 1, low=1, high=64, whole=True)
    if channels != 1:
        report.mended(
            section.path('in_channels'),
            f'{channels} copies of a grey picture; one channel here',
        )


def _read_activation(section: Section, report: Report, *, is_classifier: bool) -> None:
    """Activations: the network gives logits, losses and metrics know what they are."""
    inner = section.take('out_activation')
    last = section.take('last_activation', 'softmax' if is_classifier else 'sigmoid')
    if inner not in (None, '', 'identity'):
        report.mended(
            section.path('out_activation'),
            f'{inner} in the network, and again in the loss or the metric, would be '
            'taken twice; the network gives logits here',
        )
    if not is_classifier and last in ('softmax',):
        report.mended(
            section.path('last_activation'),
            'of one channel is 1 everywhere; the number of channels decides here',
        )


def _guess_target(classes: int, hint: str, report: Report, key: str) -> str:
    # The name of the experiment goes before those of its data.
    found = next(
        (
            target
            for name in hint.lower().split()
            for word, target in _WORDS
            if word in name
        ),
        _TARGETS.get(classes, 'class'),
    )
    _note_target(found, key, report)
    return found


def _note_target(target: str, key: str, report: Report) -> None:
    report.note(
        key, f'taken for the target {target!r}; say another with --target if it is not'
    )


def _note_checkpoint(path: str, key: str, option: str, report: Report) -> None:
    report.unmatched(
        key,
        f'{path!r} has the names of weights of another framework; train the same '
        f'network here and set {option}=FILE',
    )
