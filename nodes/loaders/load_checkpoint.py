"""Load DPT Checkpoint: from a file in a model folder to DPT_MODEL."""

from pathlib import Path

from comfy_api.latest import io  # pyright: ignore[reportMissingImports]

from .. import host
from ..types import DptModel

NO_FILES = "no checkpoints found"


class LoadCheckpoint(io.ComfyNode):
    """Load a depth model; what kind and size it is, is read off the file."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        """Inputs, outputs and texts of the node."""
        return io.Schema(
            node_id="DPTLoadCheckpoint",
            display_name="Load DPT Checkpoint",
            category="model/loaders",
            description=(
                "Loads a depth model: Depth Anything, or MiDaS 3 and 3.1 (DPT). Pick the file you "
                "have: family and size are read off it, and the node shows what was found."
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
                    options=host.list_checkpoints(),
                    tooltip=(
                        "The model file (.safetensors, .pth, .pt, .bin or .ckpt). Put files into "
                        "models/dpt; those in models/depthanything, depth_anything, midas and "
                        "geometry_estimation and in ControlNet Aux are listed too. The demo is "
                        "for a first look."
                    ),
                ),
                io.Combo.Input(
                    "precision",
                    options=["auto", *host.PRECISIONS],
                    default="auto",
                    tooltip=(
                        "Number format to compute in. auto is fast and fits your device (float32 "
                        "on a CPU). Choose float32 for the smoothest depth or if a map comes out "
                        "black."
                    ),
                ),
                io.Combo.Input(
                    "variant",
                    options=["auto", "v1", "v2"],
                    default="auto",
                    advanced=True,
                    tooltip=(
                        "Depth Anything V1 and V2 files look alike inside. auto goes by the "
                        "file's name and notes; choose by hand if the node shows the wrong one. "
                        "Leave it at auto for other models."
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
                        "Metres at the far end of a metric model: 20 for indoor (Hypersim), 80 "
                        "for outdoor (VKITTI). 0 decides by the file's name and notes. Leave it "
                        "at 0 for other models than Depth Anything V1 and V2."
                    ),
                ),
            ],
            outputs=[
                DptModel.Output(
                    display_name="model", tooltip="The depth model, for Estimate Depth."
                )
            ],
            # Without this the text on the node is not sent again when the run is cached.
            has_intermediate_output=True,
        )

    @classmethod
    def validate_inputs(cls, checkpoint: str | None) -> bool | str:
        """Answer a file that is gone with a sentence of our own; None is a linked input."""
        if checkpoint is None or host.find_checkpoint(checkpoint) is not None:
            return True
        return say_gone(checkpoint, "depth model", host.own_folder())

    @classmethod
    def fingerprint_inputs(cls, checkpoint: str | None, **_: object) -> tuple[int, int] | None:
        """Load again when the file has changed."""
        return None if checkpoint is None else file_state(host.find_checkpoint(checkpoint))

    @classmethod
    def execute(
        cls, checkpoint: str, precision: str, variant: str, max_depth: float
    ) -> io.NodeOutput:
        """Load the file; a CheckpointError's sentence is the node's error."""
        path = host.find_checkpoint(checkpoint) or host.own_folder() / checkpoint
        hosted = host.load_model(
            path, precision, None if variant == "auto" else variant, max_depth or None
        )
        return io.NodeOutput(hosted, ui={"dpt_summary": [describe(checkpoint, hosted)]})


def say_gone(checkpoint: str, kind: str, folder: Path) -> str:
    """The sentence for a file that is not in the list's folders."""
    what = "There is no checkpoint" if checkpoint == NO_FILES else f"There is no {checkpoint}"
    return (
        f"{what} in the model folders. Put a {kind} into {folder} and press R to refresh the list."
    )


def file_state(path: Path | None) -> tuple[int, int] | None:
    """What tells a file from another of its name: time and size. None: there is no file."""
    if path is None:
        return None
    status = path.stat()
    return status.st_mtime_ns, status.st_size


def describe(checkpoint: str, hosted: host.HostedModel | host.HostedSam) -> str:
    """The text on a loader: which file it is about, what that is, and how it runs."""
    model = hosted.model
    dtype = str(model.dtype).removeprefix("torch.")
    return f"{checkpoint}\n{model.inspection.summary()}\nruns in {dtype} on {model.device.type}"
