"""Initial weights of the complete networks. Not here: pretrained weights."""

import math

import torch
from torch import nn

_CONVOLUTIONS = (nn.Conv2d, nn.Conv3d, nn.Linear)


def init_glorot_uniform(network: nn.Module) -> None:
    """Glorot's uniform weights and zero biases in every convolution and dense layer.

    Source:
        Glorot and Bengio 2010 (AISTATS), eq. (16).
    """
    for layer in network.modules():
        if isinstance(layer, _CONVOLUTIONS):
            nn.init.xavier_uniform_(layer.weight)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)


def init_he_normal(network: nn.Module) -> None:
    """He's normal weights (fan-in) and zero biases, in the same layers.

    Source:
        He et al. 2015, arXiv:1502.01852, eq. (10). Keras cuts the normal at two
        standard deviations and widens it to the same variance; here it is not cut.
    """
    for layer in network.modules():
        if isinstance(layer, _CONVOLUTIONS):
            nn.init.kaiming_normal_(layer.weight, nonlinearity='relu')
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)


def init_output_prior(output: nn.Conv2d, prior_prob: float | None) -> None:
    """Make the untrained network guess foreground with a given probability.

    Exactly so where the features are 0, about so elsewhere.

    Args:
        output: Last convolution, of 1 channel (sigmoid) or K (softmax, background
            first; the foreground classes share ``prior_prob`` equally).
        prior_prob: In (0, 1); None leaves the bias as it is.

    Raises:
        ValueError: ``prior_prob`` lies outside (0, 1).

    Source:
        Lin et al. 2017, arXiv:1708.02002, section 4.1.
    """
    if prior_prob is None:
        return
    if not 0 < prior_prob < 1:
        raise ValueError(f'prior_prob must lie in (0, 1) or be None, got {prior_prob}')
    if output.bias is None:
        raise ValueError('prior_prob sets the bias of the output, which has none')
    odds = math.log(prior_prob / (1 - prior_prob))
    with torch.no_grad():
        if output.out_channels == 1:
            output.bias.fill_(odds)
            return
        output.bias.fill_(odds - math.log(output.out_channels - 1))
        output.bias[0] = 0.0
