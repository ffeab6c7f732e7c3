# ruff: noqa: E501  (one model a line)
"""Well-known models that are not supported, recognised by keys that only they have."""

import re
from collections.abc import Collection, Iterable

# The model, and a pattern for the beginning of one of its keys; the most specific first.
_TABLE = r"""
a LoRA                                                        .*[._]lora(_(up|down|A|B)|\.(up|down))\.|lora_(unet|te\d?|transformer)_
a LoRA (LoHa or LoKr)                                         .*\.(hada_w|lokr_w)\d
Video Depth Anything                                          (head|depth_head)\.motion_modules\.
Prompt Depth Anything                                         depth_head\.scratch\.refinenet\d\.resConfUnit_depth\.|neck\.fusion_stage\.layers\.\d\.prompt_depth_layer\.
a multi-view Depth Anything 3 model                           (model\.)?(da3(_metric)?\.|cam_dec\.|cam_enc\.|backbone\.pretrained\.camera_token)
a ZoeDepth model (Depth Anything V1's metric files are, too)  (.*\.)?(seed_bin_regressors?|conditional_log_binomial|attractors)\.
Depth Pro                                                     (depth_pro\.)?encoder\.patch_encoder\.
MoGe                                                          encoder\.(backbone\.blocks|output_projections)\.|points_head\.|head\.upsample_blocks\.
MiDaS v2.1, a convolutional model                             pretrained\.layer1\.
SAM-HQ                                                        mask_decoder\.(hf_token|compress_vit_feat)
SAM 3                                                         (detector|tracker)\.(backbone|model)\.
SAM 2                                                         image_encoder\.trunk\.|memory_(attention|encoder)\.|vision_encoder\.backbone\.
MobileSAM                                                     image_encoder\.patch_embed\.seq\.
Segment Anything (SAM)                                        (image_encoder|vision_encoder)\.(blocks|layers)\.\d+\.
a ControlNet                                                  control_model\.|controlnet_\w+\.|zero_convs\.\d|input_hint_block\.|lllite_
a FLUX model                                                  (model\.)?(diffusion_model\.)?(double_blocks\.\d+\.img_attn|single_transformer_blocks)\.
a Stable Diffusion checkpoint                                 (model\.)?diffusion_model\.|(cond_stage_model|conditioner\.embedders)\.
an image generation model                                     down_blocks\.\d+\.(attentions|resnets)\.|joint_blocks\.\d+\.
a VAE                                                         (first_stage_model\.)?(encoder|decoder)\.(mid\.|mid_block\.|(up|down)(_blocks)?\.\d)
an IP-Adapter                                                 (ip_adapter|image_proj)\.
a CLIP vision encoder                                         (clip\.)?vision_model\.(encoder|embeddings)\.|visual\.transformer\.
a text encoder                                                (clip_l\.)?(transformer\.)?text_model\.(encoder|embeddings)\.|encoder\.block\.\d+\.layer\.|(model\.)?(language_model\.)?layers\.\d+\.self_attn\.|transformer\.resblocks\.
a DINOv2 encoder without a depth head                         blocks\.\d+\.(\d+\.)?ls1\.gamma$|(dinov2\.)?encoder\.layer\.\d+\.layer_scale1\.
an upscaler                                                   (model\.)?(body|\d+)\.(\d+\.rdb1|sub\.\d+)\.|conv_first\.
"""
UNSUPPORTED = [re.split(" {2,}", line) for line in _TABLE.strip().splitlines()]
_ANY = re.compile("|".join(f"(?:{pattern})" for _, pattern in UNSUPPORTED))


def find_unsupported(keys: Iterable[str], supported: Collection[str] = ()) -> str | None:
    """The name of the unsupported model that these keys belong to, if it is well known.

    Args:
        keys: keys of a file.
        supported: names in the table that the caller does support.
    """
    keys = [key for key in keys if _ANY.match(key)]
    for name, pattern in UNSUPPORTED:
        if name in supported:
            continue
        matches = re.compile(pattern).match
        if any(matches(key) for key in keys):
            return name
    return None
