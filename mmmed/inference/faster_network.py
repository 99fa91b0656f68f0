"""FasterNetwork: the same function as a loaded network, with less work.

Not here: what is reused between images (``blank_slices``), export.
"""

import warnings
from typing import Any

import torch
from torch import Tensor, nn

from mmmed.inference.networks import Network, TorchNetwork, compute_logits
from mmmed.registry import MODELS

FOLD = 'mmmed.fold_for_inference'
WINOGRAD = 'mmmed.use_winograd'


class FasterNetwork:
    """A folded model in the memory layout its device likes.

    Normalisation goes into convolutions and what is linear in the end is merged
    (:func:`mmmed.models.networks.fold_for_inference`), large convolutions use
    Winograd's algorithm (:func:`mmmed.models.networks.use_winograd`): equal logits up
    to rounding.

    Args:
        network: Its model is copied, not changed.
        use_bf16: Whether weights and features have 8 bits of mantissa: about twice as
            fast where the CPU has instructions for it, masks nearly equal.
        compile_model: Whether ``torch.compile`` builds code for each size of image;
            needs a compiler, and seconds to minutes at the first image.

    Raises:
        ValueError: bfloat16 on a device that only emulates it.
    """

    def __init__(
        self,
        network: TorchNetwork,
        *,
        use_bf16: bool = False,
        compile_model: bool = False,
    ) -> None:
        self.device = network.device
        if use_bf16 and not has_bf16(self.device):
            raise ValueError(
                f'bfloat16 would be slower than float32 on this {self.device.type}, '
                'which has no instructions for it; leave --bf16 out'
            )
        self.dtype = torch.bfloat16 if use_bf16 else torch.float32
        model = MODELS.build({'type': FOLD, 'model': network.model})
        # On a CPU larger batches only push each other out of the cache, and Winograd's
        # algorithm is for single images.
        self._is_single = self.device.type == 'cpu' and not use_bf16
        if self._is_single and not compile_model:
            model = MODELS.build({'type': WINOGRAD, 'model': model})
        # Its channels already lie side by side, as convolutions of many channels want.
        # (Naming the layout here would fail on 3-D convolutions.)
        self.model: nn.Module = model.eval().to(self.device, self.dtype)
        self._compute = compute_logits
        if compile_model:
            self._compute = torch.compile(compute_logits, dynamic=False)

    @torch.inference_mode()
    def __call__(self, inputs: Tensor) -> Tensor:
        """Float32 logits (N, K, Y, X) of inputs (N, C, Y, X)."""
        inputs = inputs.to(self.device, self.dtype, memory_format=torch.channels_last)
        with warnings.catch_warnings():
            warnings.simplefilter('ignore', UserWarning)  # of the host's, each call
            images = inputs.split(1) if self._is_single else (inputs,)
            logits = [self._compute(self.model, image) for image in images]
        return (logits[0] if len(logits) == 1 else torch.cat(logits)).float()


def speed_up(
    network: Network, *, use_bf16: bool = False, compile_model: bool = False
) -> Network:
    """A faster network where there is one; ONNX networks stay as they are.

    Raises:
        ValueError: As :class:`FasterNetwork`, or bfloat16 for an ONNX network.
    """
    if isinstance(network, TorchNetwork):
        return FasterNetwork(network, use_bf16=use_bf16, compile_model=compile_model)
    if use_bf16 or compile_model:
        raise ValueError('--bf16 and --compile are for checkpoints, not ONNX files')
    return network


def has_bf16(device: torch.device) -> bool:
    """Whether a device computes in bfloat16 faster than in float32."""
    if device.type == 'cuda':
        return torch.cuda.is_bf16_supported(including_emulation=False)
    if device.type == 'cpu':
        return bool(torch.ops.mkldnn._is_mkldnn_bf16_supported()) and any(
            _has_cpu_feature(name) for name in ('avx512_bf16', 'amx_bf16')
        )
    return False


def _has_cpu_feature(name: str) -> bool:
    read: Any = getattr(torch.cpu, 'get_capabilities', dict)
    capabilities = read()
    return bool(capabilities.get(name, False))
