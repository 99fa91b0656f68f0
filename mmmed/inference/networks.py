"""Networks as one kind of callable, whether PyTorch or ONNX Runtime executes them.

A network maps normalised inputs (N, C, *space) to raw logits (N, K, *space) on the
same grid. Not here: what surrounds it (``recipe``), batches and windows.
"""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from mmmed.inference.recipe import ScanRecipe

Network = Callable[[Tensor], Tensor]
RECIPE_KEY = 'mmmed.recipe'


class TorchNetwork:
    """A model on a device.

    Args:
        model: A segmentor with the host's ``encode_decode``, or any module that maps
            a tensor to logits; of several outputs (deep supervision) the first counts.
        device: Where it runs; its answers stay there.
    """

    def __init__(self, model: nn.Module, device: str | torch.device = 'cpu') -> None:
        self.device = torch.device(device)
        self.model = model.eval().to(self.device)

    @torch.inference_mode()
    def __call__(self, inputs: Tensor) -> Tensor:
        """Logits (N, K, *space) of inputs (N, C, *space), on :attr:`device`."""
        return compute_logits(self.model, inputs.to(self.device))


def compute_logits(model: nn.Module, inputs: Tensor) -> Tensor:
    """Raw logits on the grid of the inputs, whatever the model's kind.

    Args:
        model: See :class:`TorchNetwork`.
        inputs: Shape (N, C, *space).

    Returns:
        Shape (N, K, *space).
    """
    if hasattr(model, 'encode_decode'):
        size = tuple(inputs.shape[2:])
        # One stands for all images (heads look at the first), so that the number of
        # images stays free when the model is exported.
        metas = [{'ori_shape': size, 'img_shape': size, 'pad_shape': size}]
        encode_decode: Any = model.encode_decode
        return encode_decode(inputs, metas)
    logits = model(inputs)
    return logits[0] if isinstance(logits, list | tuple) else logits


class OnnxNetwork:
    """A network that ONNX Runtime executes.

    Args:
        path: File made by :func:`mmmed.inference.export_onnx`.
        device: ``'cpu'`` or ``'cuda'`` (needs onnxruntime-gpu).

    Raises:
        ImportError: ONNX Runtime is not installed.
        ValueError: No readable ONNX file, it was not made by mmmed, or the device is
            not available.
    """

    def __init__(self, path: str | Path, device: str | torch.device = 'cpu') -> None:
        self.path = Path(path)
        self.device = torch.device('cpu')
        self._session = _open_session(self.path, torch.device(device))
        self._input = self._session.get_inputs()[0].name
        self.metadata: Mapping[str, str] = (
            self._session.get_modelmeta().custom_metadata_map
        )

    def __call__(self, inputs: Tensor) -> Tensor:
        """Logits (N, K, *space) of inputs (N, C, *space), on the CPU."""
        feed = {self._input: inputs.cpu().contiguous().numpy()}
        return torch.from_numpy(self._session.run(None, feed)[0])

    def read_recipe(self) -> ScanRecipe:
        """What the file says about pre- and post-processing.

        Raises:
            ValueError: It says nothing, or nothing usable.
        """
        text = self.metadata.get(RECIPE_KEY)
        if text is None:
            raise ValueError(
                f'{self.path}: no {RECIPE_KEY!r} in its metadata, so how to feed it '
                'is unknown; export the model with "tools/infer.py --export onnx"'
            )
        try:
            return ScanRecipe.from_dict(json.loads(text))
        except (ValueError, TypeError, AttributeError) as error:
            raise ValueError(f'{self.path}: {error}') from error


def _open_session(path: Path, device: torch.device) -> Any:
    try:
        import onnxruntime
    except ImportError as error:
        raise ImportError(
            f'{path}: running ONNX files needs ONNX Runtime; install it with '
            '"pip install mmmed[onnx]"'
        ) from error
    provider = 'CUDAExecutionProvider' if device.type == 'cuda' else None
    available = onnxruntime.get_available_providers()
    if provider and provider not in available:
        raise ValueError(
            f'device {device}, but this ONNX Runtime offers {available}; install '
            'onnxruntime-gpu or use --device cpu'
        )
    if not path.is_file():
        raise FileNotFoundError(f'network {path} does not exist')
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    options.log_severity_level = 3
    providers = [name for name in (provider, 'CPUExecutionProvider') if name]
    try:
        return onnxruntime.InferenceSession(str(path), options, providers=providers)
    except Exception as error:  # its errors have no common class of their own
        raise ValueError(f'{path}: not a usable ONNX file ({error})') from error
