"""Depth Map: one node from image to ControlNet hint, as preprocessors do it."""

from pathlib import PurePosixPath, PureWindowsPath

from comfy_api.latest import io  # pyright: ignore[reportMissingImports]
from torch import Tensor

from .. import host
from ..loaders.load_checkpoint import file_state, say_gone
from .estimate_depth import SIZE, EstimateDepth

NETWORK_SIDE = 0  # what the model was trained for


class DepthMap(io.ComfyNode):
    """Load DPT Checkpoint and Estimate Depth in one; for graphs that had a depth preprocessor."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        """Inputs, outputs and texts of the node."""
        return io.Schema(
            node_id="DPTDepthMap",
            display_name="Depth Map (one node)",
            category="image/geometry estimation",
            description=(
                "From an image to a depth map for ControlNets in one node, in the place of a "
                "depth preprocessor. Near is white. For raw depth, videos and everything else use "
                "Load DPT Checkpoint and Estimate Depth."
            ),
            search_aliases=[
                "depth anything",
                "depth anything v2 preprocessor",
                "midas depth map",
                "depth preprocessor",
                "controlnet aux",
                "controlnet depth",
                "preprocessor",
            ],
            inputs=[
                io.Image.Input("image", tooltip="One image or a batch."),
                io.Combo.Input(
                    "checkpoint",
                    options=host.list_checkpoints(),
                    tooltip="The model file, as in Load DPT Checkpoint.",
                ),
                io.Int.Input(
                    "resolution",
                    default=512,
                    min=0,
                    max=16384,
                    step=64,
                    tooltip="The short side of the depth map in pixels. 0 is that of the image.",
                ),
                io.Int.Input(
                    "model_resolution",
                    default=NETWORK_SIDE,
                    min=0,
                    max=8192,
                    advanced=True,
                    tooltip=(
                        "The short side at which the model looks at the image. 0 is what it was "
                        "trained for."
                    ),
                ),
            ],
            outputs=[
                io.Image.Output(
                    display_name="image", tooltip="Depth map for ControlNets, three channels."
                )
            ],
        )

    @classmethod
    def validate_inputs(cls, checkpoint: str | None) -> bool | str:
        """Take a bare file name for a file in a subfolder too; None is a linked input."""
        if checkpoint is None or find(checkpoint) is not None:
            return True
        return say_gone(checkpoint, "depth model", host.own_folder())

    @classmethod
    def fingerprint_inputs(cls, checkpoint: str | None, **_: object) -> tuple[int, int] | None:
        """Run again when the file has changed."""
        name = find(checkpoint) if checkpoint is not None else None
        return file_state(host.find_checkpoint(name)) if name is not None else None

    @classmethod
    def execute(
        cls, image: Tensor, checkpoint: str, resolution: int, model_resolution: int
    ) -> io.NodeOutput:
        """What the two nodes do."""
        path = host.find_checkpoint(find(checkpoint) or checkpoint)
        if path is None:
            raise ValueError(say_gone(checkpoint, "depth model", host.own_folder()))
        size = {SIZE: "short side", "pixels": resolution} if resolution else None
        state = file_state(path)
        model = host.kept_model(path, state)
        done = EstimateDepth.execute(model, image, model_resolution, 0, picture_size=size)
        host.keep_model(model, path, state)
        return io.NodeOutput(done.result[1])


def find(checkpoint: str) -> str | None:
    """The listed name of a checkpoint, given that or its file's name alone."""
    if host.find_checkpoint(checkpoint) is not None:
        return checkpoint
    names = host.list_checkpoints()
    return next((name for name in names if file_name(name) == file_name(checkpoint)), None)


def file_name(path: str) -> str:
    """The last part of a path written on any system."""
    return PureWindowsPath(PurePosixPath(path).name).name
