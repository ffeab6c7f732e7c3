"""Load SAM Checkpoint: a file in models/sams → DPT_SAM."""

from comfy_api.latest import io  # pyright: ignore[reportMissingImports]

from ..host import folders, models
from ..types import DptSam
from .checkpoint_file import (
    NO_FILES,
    file_fingerprint,
    missing_file_message,
    precision_input,
    summary_text,
)


class LoadSAM(io.ComfyNode):
    """Load a Segment Anything model; its size is read from the file."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        """Inputs, outputs and texts of the node."""
        return io.Schema(
            node_id="DPTLoadSAM",
            display_name="Load SAM Checkpoint",
            category="model/loaders",
            description=(
                "Loads a Segment Anything (SAM 1) model of any size, including fine-tuned ones "
                "such as MedSAM. Pick the file you have. The size is read from it."
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
                    options=folders.list_sam_checkpoints() or [NO_FILES],
                    tooltip=(
                        "The model file (.pth, .safetensors, .pt, .bin or .ckpt) in models/sams, "
                        "such as sam_vit_b_01ec64.pth. SAM 2 and SAM 3 files do not work here."
                    ),
                ),
                precision_input("float32 gives the most exact edges."),
            ],
            outputs=[
                DptSam.Output(display_name="sam", tooltip="The model, for the Segment nodes.")
            ],
            # Otherwise the text on the node is not sent again when the run is cached.
            has_intermediate_output=True,
        )

    @classmethod
    def validate_inputs(cls, checkpoint: str | None) -> bool | str:
        """Report a missing file in our own words. A linked input arrives as None."""
        if checkpoint is None or folders.find_sam_checkpoint(checkpoint) is not None:
            return True
        return missing_file_message(checkpoint, "Segment Anything model", folders.sam_folder())

    @classmethod
    def fingerprint_inputs(cls, checkpoint: str | None, **_: object) -> tuple[int, int] | None:
        """Load again when the file has changed."""
        if checkpoint is None:
            return None
        return file_fingerprint(folders.find_sam_checkpoint(checkpoint))

    @classmethod
    def execute(cls, checkpoint: str, precision: str) -> io.NodeOutput:
        """Load the file. A CheckpointError's message becomes the node's error."""
        path = folders.find_sam_checkpoint(checkpoint) or folders.sam_folder() / checkpoint
        managed = models.load_sam_model(path, precision)
        return io.NodeOutput(managed, ui={"dpt_summary": [summary_text(checkpoint, managed)]})
