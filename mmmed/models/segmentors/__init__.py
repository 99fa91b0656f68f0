"""Whole models: what they are trained on and how they predict."""

from .med_encoder_decoder import MedEncoderDecoder as MedEncoderDecoder
from .med_seg_tta import MedSegTTAModel as MedSegTTAModel
from .volume_segmentor import VolumeSegmentor as VolumeSegmentor
