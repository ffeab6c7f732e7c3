"""Unsupported models are refused by name."""

import pytest
import torch

from tests.builders import write_checkpoint
from tests.unit.checkpoint.hostile.refusal import refusal

UNSUPPORTED = {
    "Segment Anything (SAM)": "image_encoder.blocks.0.attn.qkv.weight",
    "SAM-HQ": "image_encoder.blocks.0.attn.qkv.weight mask_decoder.hf_token.weight",
    "MobileSAM": "image_encoder.patch_embed.seq.0.c.weight "
    "image_encoder.layers.1.blocks.0.mlp.fc1.bias",
    "SAM 2": "image_encoder.trunk.blocks.0.attn.qkv.weight memory_attention.layers.0.norm1.weight",
    "SAM 3": "detector.backbone.vision_backbone.trunk.blocks.0.attn.qkv.weight",
    "a Stable Diffusion checkpoint": "model.diffusion_model.input_blocks.0.0.weight "
    "first_stage_model.decoder.mid.block_1.conv1.weight cond_stage_model.transformer.text_model.x",
    "a FLUX model": "double_blocks.0.img_attn.qkv.weight single_blocks.0.linear1.weight",
    "a LoRA": "lora_unet_down_blocks_0_attentions_0_proj_in.lora_down.weight",
    "a ControlNet": "control_model.zero_convs.0.0.weight control_model.input_hint_block.0.weight",
    "a VAE": "encoder.down.0.block.0.norm1.weight decoder.mid.block_1.conv1.weight",
    "a ZoeDepth model": "core.core.pretrained.blocks.0.ls1.gamma seed_bin_regressor._net.0.weight",
    "Video Depth Anything": "pretrained.cls_token head.motion_modules.0.temporal_transformer.x",
    "Prompt Depth Anything": "pretrained.cls_token "
    "depth_head.scratch.refinenet1.resConfUnit_depth.0.weight",
    "a multi-view Depth Anything 3 model": "backbone.pretrained.camera_token cam_dec.fc_t.weight",
    "Depth Pro": "encoder.patch_encoder.blocks.0.attn.qkv.weight fov.head.0.weight",
    "MoGe": "encoder.backbone.blocks.0.attn.qkv.weight points_head.input_blocks.0.weight",
    "MiDaS v2.1": "pretrained.layer1.0.weight scratch.layer1_rn.weight",
    "a DINOv2 encoder": "cls_token blocks.0.ls1.gamma blocks.0.mlp.fc1.weight",
    "a CLIP vision encoder": "vision_model.encoder.layers.0.self_attn.k_proj.weight",
    "a text encoder": "encoder.block.0.layer.0.SelfAttention.q.weight shared.weight",
    "an upscaler": "conv_first.weight body.0.rdb1.conv1.weight",
    "an IP-Adapter": "image_proj.proj.weight ip_adapter.1.to_k_ip.weight",
}


OTHER_LAYOUTS = (  # of the same models
    ("Segment Anything (SAM)", "vision_encoder.layers.0.attn.qkv.weight"),
    ("SAM 2", "vision_encoder.backbone.blocks.0.attn.qkv.weight"),
    ("a FLUX model", "model.diffusion_model.double_blocks.0.img_attn.qkv.weight"),
    ("a FLUX model", "single_transformer_blocks.0.attn.to_k.weight"),
    ("a Stable Diffusion checkpoint", "conditioner.embedders.0.transformer.text_model.x"),
    ("a LoRA", "transformer.single_transformer_blocks.0.attn.to_k.lora_A.weight"),
    ("a LoRA", "unet.down_blocks.0.attentions.0.processor.to_q_lora.down.weight"),
    ("a LoRA", "unet.down_blocks.0.attentions.0.to_q.lora.up.weight"),
    ("a LoRA", "base_model.model.layers.0.self_attn.q_proj.lora_B.default.weight"),
    ("a LoRA", "lora_te1_text_model_encoder_layers_0_mlp_fc1.alpha"),
    ("a LoRA", "lycoris.blocks_0.hada_w1_a"),
    ("a ControlNet", "controlnet_cond_embedding.conv_in.weight down_blocks.0.resnets.0.x"),
    ("a ControlNet", "zero_convs.0.0.weight input_hint_block.0.weight"),
    ("an image generation model", "down_blocks.0.attentions.0.norm.weight conv_in.weight"),
    ("a VAE", "decoder.mid_block.resnets.0.conv1.weight"),
    ("a VAE", "decoder.up_blocks.0.resnets.0.conv1.weight"),
    ("a ZoeDepth model", "seed_bin_regressors.nyu._net.0.weight attractors.nyu.0._net.0.weight"),
    ("a ZoeDepth model", "metric_head.seed_bin_regressor.conv1.weight"),
    ("Prompt Depth Anything", "neck.fusion_stage.layers.0.prompt_depth_layer.convolution1.bias"),
    ("a multi-view Depth Anything 3 model", "model.da3_metric.backbone.pretrained.cls_token"),
    ("Depth Pro", "depth_pro.encoder.patch_encoder.model.layer.0.norm1.weight"),
    ("MoGe", "backbone.blocks.0.attn.qkv.weight head.upsample_blocks.0.0.0.weight"),
    ("a DINOv2 encoder", "encoder.layer.0.layer_scale1.lambda1 embeddings.cls_token"),
    ("a DINOv2 encoder", "blocks.0.0.ls1.gamma blocks.0.0.mlp.w12.weight"),
    ("a text encoder", "text_model.encoder.layers.0.self_attn.k_proj.weight"),
    ("a text encoder", "model.layers.0.self_attn.q_proj.weight lm_head.weight"),
    ("a text encoder", "model.layers.0.self_attn.q_proj.weight"),
    ("an upscaler", "model.0.weight model.1.sub.0.RDB1.conv1.0.weight"),
)


@pytest.mark.parametrize(("name", "keys"), [*UNSUPPORTED.items(), *OTHER_LAYOUTS])
def test_unsupported_architectures_are_named(name, keys, tmp_path):
    state = {key: torch.ones(2) for key in keys.split()}
    message = refusal(write_checkpoint(tmp_path / "other.safetensors", state))
    assert f"other.safetensors is {name}" in message
    assert "Depth Anything" in message  # what to choose instead


def test_unknown_architecture_is_described_by_its_keys(tmp_path):
    state = {f"layer{i}.weight": torch.ones(2) for i in range(9)}
    message = refusal(write_checkpoint(tmp_path / "mystery.pth", state))
    assert "9 tensors such as layer0.weight, layer1.weight, layer2.weight" in message
