"""What is read from where, and what is refused."""

import pytest
from torch import nn

from mmmed.inference.config_recipe import derive_recipe

META = {
    'classes': ['background', 'hemorrhage'],
    'channel_names': ['bone', 'brain'],
    'window_hu': {'brain': [40, 120], 'bone': [700, 3200]},
}
LOAD = {'type': 'mmmed.LoadSlice', 'size': (32, 48)}
PACK = {'type': 'mmmed.PackMedInputs'}


def make_config(*steps, **entries):
    return {'test_dataloader': {'dataset': {'pipeline': list(steps)}}, **entries}


class Head(nn.Module):
    out_channels = 1
    threshold = 0.3


class Host(nn.Module):
    """Attributes of a host's segmentor."""

    align_corners = True

    def __init__(self, **test_cfg) -> None:
        super().__init__()
        self.decode_head = Head()
        self.test_cfg = test_cfg


def test_windows_come_in_the_order_of_the_channels() -> None:
    recipe = derive_recipe(make_config(LOAD, PACK), META, nn.Identity())
    assert recipe.intensity.windows_hu == ((700.0, 3200.0), (40.0, 120.0))
    assert recipe.in_channels == 2
    assert recipe.out_channels == 2
    assert recipe.size == (32, 48)
    assert recipe.orientation == 'SPL'
    assert recipe.flips == ()


def test_the_network_decides_how_many_channels_it_takes() -> None:
    config = make_config(LOAD, PACK, model={'backbone': {'in_channels': 6}})
    recipe = derive_recipe(config, META, nn.Identity(), {'neighbors': 1})
    assert recipe.in_channels == 6
    with pytest.raises(ValueError, match='6 channels'):
        derive_recipe(config, META, nn.Identity())


def test_the_data_set_knows_its_plane() -> None:
    meta = {**META, 'plane': 'sagittal'}
    recipe = derive_recipe(make_config(LOAD, PACK), meta, nn.Identity())
    assert recipe.orientation == 'LIP'
    assert recipe.neighbors == (0,)
    with pytest.raises(ValueError, match='oblique'):
        derive_recipe(
            make_config(LOAD, PACK), {**META, 'plane': 'oblique'}, nn.Identity()
        )


VOLUMES = {
    'classes': ['background', 'lesion'],
    'unit': 'volume',
    'channels': 1,
    'channel_names': ['t1w'],
    'intensity': {
        'rule': 'percentile', 'low': 0.5, 'high': 99.5, 'nonzero': True, 'bits': 8,
    },
}  # fmt: skip


def make_volume_config(**dataset):
    pipeline = [{'type': 'mmmed.LoadVolumeSlice'}, PACK]
    dataset = {'type': 'mmmed.AtlasDataset', 'pipeline': pipeline, **dataset}
    return {'test_dataloader': {'dataset': dataset}}


def test_slices_of_volumes_need_no_flag() -> None:
    config = make_volume_config(plane='sagittal', neighbors=(-2, -1, 0, 1))
    recipe = derive_recipe(config, VOLUMES, nn.Identity())
    assert recipe.orientation == 'RSA'
    assert recipe.neighbors == (-2, -1, 0, 1)
    assert (recipe.in_channels, recipe.size) == (4, None)
    rule = recipe.intensity
    assert (rule.kind, rule.percentiles) == ('percentile', (0.5, 99.5))
    assert (rule.over, rule.bits, rule.whole) == ('nonzero', 8, True)
    axial = derive_recipe(make_volume_config(), VOLUMES, nn.Identity())
    assert (axial.orientation, axial.neighbors) == ('SAR', (0,))


@pytest.mark.parametrize(
    ('plane', 'letters'), [('axial', 'SAR'), ('coronal', 'ASR'), ('sagittal', 'RSA')]
)
def test_pictures_of_volume_slices_lie_as_in_the_volume(plane, letters) -> None:
    meta = {**VOLUMES, 'unit': 'slice', 'orientation': 'SAR', 'plane': plane}
    recipe = derive_recipe(make_config(LOAD, PACK), meta, nn.Identity())
    assert recipe.orientation == letters


def test_other_volumes_are_refused() -> None:
    with pytest.raises(ValueError, match="'LPS' volumes, expected 'SAR'"):
        derive_recipe(
            make_volume_config(), {**VOLUMES, 'orientation': 'LPS'}, nn.Identity()
        )


def test_volumes_of_16_bits_are_rounded_as_in_training() -> None:
    meta = {**VOLUMES, 'intensity': {**VOLUMES['intensity'], 'bits': 16}}
    load = {'type': 'mmmed.LoadVolumeSlice', 'dtype': 'float32'}
    for pipeline, whole in (([load, PACK], False), (None, True)):
        config = make_volume_config(**({'pipeline': pipeline} if pipeline else {}))
        rule = derive_recipe(config, meta, nn.Identity()).intensity
        assert (rule.bits, rule.whole) == (16, whole)


def test_every_sequence_has_its_neighbours() -> None:
    config = make_volume_config(sequences=['t1w', 'flair'], neighbors=[-1, 0])
    assert derive_recipe(config, VOLUMES, nn.Identity()).in_channels == 4


def test_flags_win_over_the_data_set() -> None:
    config = make_volume_config(plane='sagittal', neighbors=(-2, -1, 0, 1))
    changes = {'plane': 'coronal', 'neighbors': 1}
    recipe = derive_recipe(config, VOLUMES, nn.Identity(), changes)
    assert recipe.orientation == 'ASR'
    assert recipe.neighbors == (-1, 0, 1)
    assert recipe.in_channels == 3


def test_the_config_wins_over_what_the_checkpoint_says_of_the_plane() -> None:
    meta = {**VOLUMES, 'plane': 'sagittal'}
    recipe = derive_recipe(make_volume_config(plane='coronal'), meta, nn.Identity())
    assert recipe.orientation == 'ASR'


@pytest.mark.parametrize('change', [{'rule': 'histogram'}, {'low': None}])
def test_unknown_preparations_are_refused(change) -> None:
    rule = {**VOLUMES['intensity'], **change}
    rule = {key: value for key, value in rule.items() if value is not None}
    with pytest.raises(ValueError, match='was prepared with intensity'):
        derive_recipe(
            make_volume_config(), {**VOLUMES, 'intensity': rule}, nn.Identity()
        )


def test_the_host_weights_its_windows_alike() -> None:
    host = Host(mode='slide', crop_size=(16, 16), stride=(8, 8))
    recipe = derive_recipe(make_config(LOAD, PACK), META, host)
    assert recipe.window_weight == 'constant'
    assert (recipe.threshold, recipe.align_corners) == (0.3, True)
    whole = Host(mode='whole', size_divisor=16)
    assert derive_recipe(make_config(LOAD, PACK), META, whole).size_divisor == 16


def test_who_wins() -> None:
    config = make_config(LOAD, PACK, inference={'size': (8, 8), 'threshold': 0.6})
    recipe = derive_recipe(config, META, Host(), {'size': None, 'plane': 'coronal'})
    assert (recipe.size, recipe.threshold) == (None, 0.6)
    assert recipe.orientation == 'PIL'


@pytest.mark.parametrize('wrapper', ['RepeatDataset', 'ConcatDataset'])
def test_pipelines_of_wrapped_datasets_and_of_validation_are_found(wrapper) -> None:
    inner = {'pipeline': [LOAD, PACK]}
    config = {'val_dataloader': {'dataset': {'type': wrapper, 'dataset': inner}}}
    assert derive_recipe(config, META, nn.Identity()).size == (32, 48)
    config = {'test_pipeline': [{'type': 'LoadSlice', 'size': None}, PACK]}
    assert derive_recipe(config, META, nn.Identity()).size is None


def test_flips_of_the_tta_pipeline() -> None:
    def flip(**values):
        return {'type': 'mmmed.RandomFlipSlice', **values}

    views = [[flip(prob=0.0), flip(prob=1.0), flip(prob=1.0, direction='vertical')]]
    config = make_config(
        LOAD,
        PACK,
        tta_pipeline=[LOAD, {'type': 'TestTimeAug', 'transforms': [*views, [PACK]]}],
    )
    assert derive_recipe(config, META, nn.Identity()).flips == ((-1,), (-2,))


@pytest.mark.parametrize(
    ('config', 'meta', 'message'),
    [
        (make_config(LOAD, {'type': 'Resize'}, PACK), META, 'Resize'),
        ({}, META, 'no steps'),
        (make_config(LOAD, PACK), {**META, 'window_hu': None}, '--window-level'),
        (make_config(LOAD, PACK), {**META, 'classes': None}, 'classes'),
        (make_config(LOAD, PACK, inference={'dimension': 3}), META, 'orientation'),
        (make_config(LOAD, PACK, inference={'sise': 3}), META, 'sise'),
    ],
)
def test_what_is_unknown_is_refused_with_its_remedy(config, meta, message) -> None:
    with pytest.raises(ValueError, match=message):
        derive_recipe(config, meta, nn.Identity())


def test_reversed_channels_are_refused() -> None:
    host = Host()
    host.data_preprocessor = nn.Identity()
    host.data_preprocessor.channel_conversion = True
    with pytest.raises(ValueError, match='bgr_to_rgb'):
        derive_recipe(make_config(LOAD, PACK), META, host)
