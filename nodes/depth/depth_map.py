"""Depth Map: from image to ControlNet hint in one node, as preprocessors do it."""

from pathlib import PurePosixPath, PureWindowsPath

from comfy_api.latest import io  # pyright: ignore[reportMissingImports]
from torch import Tensor

from ..host import folders, models
from ..loaders.checkpoint_file import file_fingerprint, missing_file_message
from .estimate_depth import PICTURE_SIZE, EstimateDepth
from .inputs import resolution_input


class DepthMap(io.ComfyNode):
    """Load DPT Checkpoint and Estimate Depth in one, to replace depth preprocessors."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        """Inputs, outputs and texts of the node."""
        return io.Schema(
            node_id="DPTDepthMap",
            display_name="Depth Map (one node)",
            category="image/geometry estimation",
            description=(
                "Turns an image into a depth map for ControlNets in one node, like a depth "
                "preprocessor. Near is white. For raw depth, videos and everything else, use Load "
                "DPT Checkpoint and Estimate Depth."
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
                    options=folders.list_depth_checkpoints(),
                    tooltip="The model file, as in Load DPT Checkpoint.",
                ),
                io.Int.Input(
                    "resolution",
                    default=512,
                    min=0,
                    max=16384,
                    step=64,
                    tooltip="The short side of the depth map in pixels. 0: as in the image.",
                ),
                resolution_input("model_resolution", advanced=True),
            ],
            outputs=[
                io.Image.Output(
                    display_name="image", tooltip="Depth map for ControlNets, three channels."
                )
            ],
        )

    @classmethod
    def validate_inputs(cls, checkpoint: str | None) -> bool | str:
        """Accept a bare name for a file in a subfolder, too. A linked input arrives as None."""
        if checkpoint is None or listed_name(checkpoint) is not None:
            return True
        return missing_file_message(checkpoint, "depth model", folders.depth_folder())

    @classmethod
    def fingerprint_inputs(cls, checkpoint: str | None, **_: object) -> tuple[int, int] | None:
        """Run again when the file has changed."""
        name = listed_name(checkpoint) if checkpoint is not None else None
        return None if name is None else file_fingerprint(folders.find_depth_checkpoint(name))

    @classmethod
    def execute(
        cls, image: Tensor, checkpoint: str, resolution: int, model_resolution: int
    ) -> io.NodeOutput:
        """Do what the two nodes do."""
        path = folders.find_depth_checkpoint(listed_name(checkpoint) or checkpoint)
        if path is None:
            raise ValueError(
                missing_file_message(checkpoint, "depth model", folders.depth_folder())
            )
        size = {PICTURE_SIZE: "short side", "pixels": resolution} if resolution else None
        fingerprint = file_fingerprint(path)
        model = models.load_cached(path, fingerprint)
        output = EstimateDepth.execute(model, image, model_resolution, 0, picture_size=size)
        models.cache(model, path, fingerprint)
        return io.NodeOutput(output.result[1])


def listed_name(checkpoint: str) -> str | None:
    """The name under which a checkpoint is listed, given that name or the bare file name."""
    if folders.find_depth_checkpoint(checkpoint) is not None:
        return checkpoint
    names = folders.list_depth_checkpoints()
    return next((name for name in names if file_name(name) == file_name(checkpoint)), None)


def file_name(path: str) -> str:
    """The last part of a path, written on any system."""
    return PureWindowsPath(PurePosixPath(path).name).name
