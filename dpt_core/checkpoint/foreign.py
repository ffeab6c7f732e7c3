"""Well-known models of other kinds or not supported, by keys that give them away."""

import re
from collections.abc import Collection, Iterable

# (what it is, a pattern that one of its keys meets), the most specific first.
FOREIGN: tuple[tuple[str, str], ...] = (
    ("Video Depth Anything", r"(head|depth_head)\.motion_modules\."),
    ("Prompt Depth Anything", r"depth_head\.scratch\.refinenet\d\.resConfUnit_depth\."),
    (
        "a multi-view Depth Anything 3 model",
        r"(model\.)?(cam_dec|cam_enc|backbone\.pretrained\.camera_token)",
    ),
    ("a ZoeDepth model", r".*(seed_bin_regressor|conditional_log_binomial|attractors)\."),
    ("Depth Pro", r"encoder\.patch_encoder\.|depth\.encoder\.patch_encoder\."),
    ("MoGe", r"backbone\.image_encoder\.|encoder\.backbone\..*|neck\.resamplers\."),
    ("SAM-HQ", r"mask_decoder\.hf_token"),
    ("SAM 2", r"(sam_)?image_encoder\.trunk\.|memory_attention\."),
    ("MobileSAM", r"image_encoder\.patch_embed\.seq\."),
    ("Segment Anything (SAM)", r"(image_encoder|vision_encoder)\.(blocks|layers)\.\d+\."),
    ("a LoRA", r".*\.(lora_(up|down|A|B)|lora\.(up|down))\.|lora_(unet|te\d?)_"),
    ("a ControlNet", r"control_model\.|controlnet_(cond_embedding|blocks|down_blocks)\."),
    (
        "a Stable Diffusion checkpoint",
        r"model\.diffusion_model\.|diffusion_model\.|cond_stage_model\.",
    ),
    ("a FLUX model", r"double_blocks\.\d+\.img_attn\."),
    ("a diffusers UNet", r"down_blocks\.\d+\.(attentions|resnets)\."),
    ("a VAE", r"(first_stage_model\.)?decoder\.(mid|up)\.(block_1|\d)"),
    (
        "a text encoder",
        r"text_model\.encoder\.|encoder\.block\.0\.layer\.|model\.layers\.\d+\.self_attn\.",
    ),
    ("a DINOv2 encoder without a depth head", r"blocks\.\d+\.ls1\.gamma$"),
    ("an upscaler", r"(body|model)\.\d+\.(rdb1|sub\.)|conv_first\."),
)


def recognise(keys: Iterable[str], own: Collection[str] = ()) -> str | None:
    """The name of the unsupported model that these keys belong to, if it is well known.

    `own` are names in the table of what the caller supports.
    """
    keys = list(keys)
    for name, pattern in FOREIGN:
        if name in own:
            continue
        matches = re.compile(pattern).match
        if any(matches(key) for key in keys):
            return name
    return None
