import pytest
import torch

from mmmed.models.networks import CLCINet


@pytest.fixture(scope='module')
def network():
    with torch.device('meta'):  # sizes only
        return CLCINet().eval()


def test_size_of_the_paper(network, count):
    assert count(network) == (36_813_025, 36_838_305 - 36_813_025)


def test_work_of_the_paper_without_the_zero_state(network, count_macs):
    macs = count_macs(network, torch.rand(1, 1, 208, 240, device='meta'))
    published = sum(
        work * (2 if name.endswith('from_state') else 1) for name, work in macs.items()
    )
    assert published / 1e9 == pytest.approx(48.6, abs=0.05)


def test_widths_of_the_fusions(network):
    widths = [
        (f.mix[0].conv.in_channels, f.mix[0].conv.out_channels) for f in network.fusions
    ]
    assert widths == [(64, 256), (192, 512), (512, 1024), (1280, 2048)]
    strides = [c[0].conv.stride[0] for c in network.fusions[3].strided]
    assert strides == [16, 8, 4, 2]
    context = network.context
    assert context.mix[0].conv.in_channels == 2304
    assert [v[0].conv.dilation[0] for v in context.views] == [1, 2, 4, 6]


def test_fusion_puts_the_newest_level_first():
    torch.manual_seed(0)
    fusion = CLCINet(base_channels=2).fusions[1].eval()
    levels = [torch.rand(1, 2, 8, 12), torch.rand(1, 4, 4, 6)]
    seen = []
    fusion.mix.register_forward_hook(lambda _, inputs, __: seen.append(inputs[0]))
    with torch.no_grad():
        fusion(levels)
        parts = [
            fusion.strided[1](levels[1]),
            fusion.strided[0](levels[0]),
            torch.nn.functional.max_pool2d(levels[1], 2),
        ]
    torch.testing.assert_close(seen[0], torch.cat(parts, 1))


def test_dropout_is_an_option():
    assert [m.p for m in CLCINet(base_channels=1).modules() if hasattr(m, 'p')] == [
        0.5,
        0.5,
    ]
    network = CLCINet(base_channels=2, dropout=0.0).train()
    x = torch.rand(2, 1, 32, 32)
    torch.testing.assert_close(network(x), network(x))
