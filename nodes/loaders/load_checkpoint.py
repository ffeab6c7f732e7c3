"""Load DPT Checkpoint: a file in a model folder → DPT_MODEL."""

from comfy_api.latest import io  # pyright: ignore[reportMissingImports]

from ..host import folders, models
from ..types import DptModel
from .checkpoint_file import (
    file_fingerprint,
    missing_file_message,
    precision_input,
    summary_text,
)


class LoadCheckpoint(io.ComfyNode):
    """Load a depth model; its family and size are read from the file."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        """Inputs, outputs and texts of the node."""
        return io.Schema(
            node_id="DPTLoadCheckpoint",
            display_name="Load DPT Checkpoint",
            category="model/loaders",
            description=(
                "Loads a depth model: Depth Anything, or MiDaS 3 and 3.1 (DPT). Pick the file you "
                "have. The family and size are read from it, and the node shows what was found."
            ),
            search_aliases=[
                "depth anything",
                "depth anything v2",
                "load depth model",
                "depth loader",
                "midas loader",
                "zoe",
                "dpt",
                "monocular depth",
            ],
            inputs=[
                io.Combo.Input(
                    "checkpoint",
                    options=folders.list_depth_checkpoints(),
                    tooltip=(
                        "The model file (.safetensors, .pth, .pt, .bin or .ckpt). Put files into "
                        "models/dpt. Files in models/depthanything, depth_anything, midas and "
                        "geometry_estimation, and those of ControlNet Aux, are listed as well. "
                        "The demo is for trying things out."
                    ),
                ),
                precision_input(
                    "Choose float32 for the smoothest depth, or if a depth map comes out black."
                ),
                io.Combo.Input(
                    "variant",
                    options=["auto", "v1", "v2"],
                    default="auto",
                    advanced=True,
                    tooltip=(
                        "Depth Anything V1 and V2 files look the same inside. auto goes by the "
                        "file's name and metadata; choose the version yourself if the node shows "
                        "the wrong one. Leave this at auto for other models."
                    ),
                ),
                io.Float.Input(
                    "max_depth",
                    default=0.0,
                    min=0.0,
                    max=10000.0,
                    step=0.5,
                    advanced=True,
                    tooltip=(
                        "The greatest distance, in metres, that a metric model gives: 20 for "
                        "indoor (Hypersim), 80 for outdoor (VKITTI) models. 0 goes by the file's "
                        "name and metadata. Leave this at 0 for models other than Depth Anything "
                        "V1 and V2."
                    ),
                ),
            ],
            outputs=[
                DptModel.Output(
                    display_name="model", tooltip="The depth model, for Estimate Depth."
                )
            ],
            # Otherwise the text on the node is not sent again when the run is cached.
            has_intermediate_output=True,
        )

    @classmethod
    def validate_inputs(cls, checkpoint: str | None) -> bool | str:
        """Report a missing file in our own words. A linked input arrives as None."""
        if checkpoint is None or folders.find_depth_checkpoint(checkpoint) is not None:
            return True
        return missing_file_message(checkpoint, "depth model", folders.depth_folder())

    @classmethod
    def fingerprint_inputs(cls, checkpoint: str | None, **_: object) -> tuple[int, int] | None:
        """Load again when the file has changed."""
        if checkpoint is None:
            return None
        return file_fingerprint(folders.find_depth_checkpoint(checkpoint))

    @classmethod
    def execute(
        cls, checkpoint: str, precision: str, variant: str, max_depth: float
    ) -> io.NodeOutput:
        """Load the file. A CheckpointError's message becomes the node's error."""
        path = folders.find_depth_checkpoint(checkpoint) or folders.depth_folder() / checkpoint
        managed = models.load_depth_model(
            path, precision, None if variant == "auto" else variant, max_depth or None
        )
        return io.NodeOutput(managed, ui={"dpt_summary": [summary_text(checkpoint, managed)]})
