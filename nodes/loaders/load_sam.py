"""Load SAM Checkpoint: from a file in models/sams to DPT_SAM."""

from comfy_api.latest import io  # pyright: ignore[reportMissingImports]

from .. import host
from ..types import DptSam
from .load_checkpoint import NO_FILES, describe, file_state, say_gone


class LoadSAM(io.ComfyNode):
    """Load a Segment Anything model; its size is read off the file."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        """Inputs, outputs and texts of the node."""
        return io.Schema(
            node_id="DPTLoadSAM",
            display_name="Load SAM Checkpoint",
            category="model/loaders",
            description=(
                "Loads a Segment Anything (SAM 1) model of any size, fine-tunes such as MedSAM "
                "included. Pick the file you have: the size is read off it."
            ),
            search_aliases=[
                "segment anything",
                "sam loader",
                "sam vit b",
                "sam vit h",
                "sam vit l",
                "load sam",
                "medsam",
                "depth anything",
            ],
            inputs=[
                io.Combo.Input(
                    "checkpoint",
                    options=host.list_sam_checkpoints() or [NO_FILES],
                    tooltip=(
                        "The model file (.pth, .safetensors, .pt, .bin or .ckpt) in models/sams, "
                        "such as sam_vit_b_01ec64.pth. SAM 2 and SAM 3 are other models."
                    ),
                ),
                io.Combo.Input(
                    "precision",
                    options=["auto", *host.PRECISIONS],
                    default="auto",
                    tooltip=(
                        "Number format to compute in. auto is fast and fits your device (float32 "
                        "on a CPU). float32 gives the most exact edges."
                    ),
                ),
            ],
            outputs=[
                DptSam.Output(display_name="sam", tooltip="The model, for the Segment nodes.")
            ],
            # Without this the text on the node is not sent again when the run is cached.
            has_intermediate_output=True,
        )

    @classmethod
    def validate_inputs(cls, checkpoint: str | None) -> bool | str:
        """Answer a file that is gone with a sentence of our own; None is a linked input."""
        if checkpoint is None or host.find_sam_checkpoint(checkpoint) is not None:
            return True
        return say_gone(checkpoint, "Segment Anything model", host.sam_folder())

    @classmethod
    def fingerprint_inputs(cls, checkpoint: str | None, **_: object) -> tuple[int, int] | None:
        """Load again when the file has changed."""
        return None if checkpoint is None else file_state(host.find_sam_checkpoint(checkpoint))

    @classmethod
    def execute(cls, checkpoint: str, precision: str) -> io.NodeOutput:
        """Load the file; a CheckpointError's sentence is the node's error."""
        path = host.find_sam_checkpoint(checkpoint) or host.sam_folder() / checkpoint
        hosted = host.load_sam_model(path, precision)
        return io.NodeOutput(hosted, ui={"dpt_summary": [describe(checkpoint, hosted)]})
