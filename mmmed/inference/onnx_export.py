"""A network as an ONNX file that says how it wants to be fed.

The graph maps normalised inputs to raw logits, nothing else; windows, sizes, flips and
classes travel as a recipe in the file's metadata, and the same code applies them to
either form. Not here: running the file (``networks``).
"""

import copy
import io
import json
import keyword
import logging
import tempfile
import warnings
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from mmmed.files import hash_json, write_bytes_atomic
from mmmed.inference.loading import LoadedNetworks
from mmmed.inference.networks import (
    RECIPE_KEY,
    OnnxNetwork,
    TorchNetwork,
    compute_logits,
)
from mmmed.version import __version__

OPSET = 18
# Largest difference of logits between PyTorch and ONNX Runtime.
TOLERANCE = 1e-3


def export_onnx(loaded: LoadedNetworks, path: str | Path) -> float:
    """Write a network with its recipe, after checking that it gives the same logits.

    Args:
        loaded: One network of PyTorch's.
        path: Target, ends in ``.onnx``.

    Returns:
        Largest difference of logits on random input, at most ``TOLERANCE``.

    Raises:
        ImportError: The packages of ``mmmed[onnx]`` are not installed.
        ValueError: Several networks, the size of inputs varies, or PyTorch cannot
            export the model, or the result differs.
        OSError: The file cannot be written.
    """
    path = Path(path)
    network = loaded.networks[0]
    if len(loaded.networks) != 1 or not isinstance(network, TorchNetwork):
        raise ValueError('export takes one checkpoint; export an ensemble one by one')
    if path.suffix.lower() != '.onnx':
        raise ValueError(f'{path}: expected a name that ends in .onnx')
    recipe = loaded.recipe
    if recipe.fed_size is None:
        raise ValueError(
            'whole slices of any size are fed, but an exported graph needs one size; '
            "set LoadSlice.size, or model.test_cfg.mode='slide' with a crop_size"
        )
    generator = torch.Generator().manual_seed(0)
    # Two: exporters take a batch of one for a constant.
    shape = (2, recipe.in_channels, *recipe.fed_size)
    inputs = torch.randn(shape, generator=generator)
    data = _add_metadata(_export(network, inputs), loaded)
    difference = _compare(data, network, inputs)
    if not difference <= TOLERANCE:
        raise ValueError(
            f'the exported network differs by {difference:.2g} in logits, expected '
            f'at most {TOLERANCE}; it was not written'
        )
    write_bytes_atomic(path, data)
    return difference


class _Logits(nn.Module):
    """A model as a plain function of tensors."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, inputs: Tensor) -> Tensor:
        return compute_logits(self.model, inputs)


def _export(network: TorchNetwork, inputs: Tensor) -> bytes:
    try:
        import onnx  # noqa: F401
        import onnxscript  # noqa: F401
    except ImportError as error:
        raise ImportError(
            f'exporting needs {error.name}; install it with "pip install mmmed[onnx]"'
        ) from error
    stream = io.BytesIO()
    # It tells which operators of torchvision it cannot export, whatever the model.
    logging.getLogger('torch.onnx').setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')  # about features that exporters deprecate
        try:
            program: Any = torch.onnx.export(
                _Logits(_rename_keywords(network.model)).eval(),
                (inputs.to(network.device),),
                input_names=['inputs'],
                output_names=['logits'],
                dynamic_shapes={'inputs': {0: torch.export.Dim('batch', min=1)}},
                opset_version=OPSET,
                dynamo=True,
                verbose=False,
            )
            program.save(stream)
        except Exception as error:  # its errors have no common class of their own
            reason = str(error).split('\n')[0][:300]
            raise ValueError(f'PyTorch cannot export this model: {reason}') from error
    return stream.getvalue()


def _rename_keywords(model: nn.Module) -> nn.Module:
    """A copy in which no module is called like a word of Python.

    mmcv calls an instance norm "in". Exporters write the model down as a program, in
    which such a name is a syntax error.
    """
    model = copy.deepcopy(model)
    for module in model.modules():
        name = getattr(module, 'norm_name', None)
        if isinstance(name, str) and keyword.iskeyword(name):
            renamed: Any = f'{name}_'
            module.norm_name = renamed
            module._modules[renamed] = module._modules.pop(name)
    return model


def _add_metadata(data: bytes, loaded: LoadedNetworks) -> bytes:
    import onnx

    model = onnx.load_from_string(data)
    recipe = loaded.recipe.to_dict()
    name, digest = loaded.weights[0]
    onnx.helper.set_model_props(
        model,
        {
            RECIPE_KEY: json.dumps(recipe),
            'mmmed.version': __version__,
            'mmmed.recipe_sha256': hash_json(json.loads(json.dumps(recipe))),
            'mmmed.weights': name,
            'mmmed.weights_sha256': digest,
        },
    )
    model.producer_name, model.producer_version = 'mmmed', __version__
    onnx.checker.check_model(model)
    return model.SerializeToString()


def _compare(data: bytes, network: TorchNetwork, inputs: Tensor) -> float:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / 'network.onnx'
        path.write_bytes(data)
        exported = OnnxNetwork(path)
        exported.read_recipe()
        # A batch of another size shows that the axis is not fixed.
        found = exported(inputs[:1])
    return float((found - network(inputs[:1]).cpu()).abs().max())
