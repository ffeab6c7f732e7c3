"""Depth to Geometry and Geometry to Depth: ComfyUI's own packets of points in space."""

from typing import Any

import torch
from comfy_api.latest import io  # pyright: ignore[reportMissingImports]
from torch import Tensor

from ...dpt_core import Depth
from ...dpt_core.depth_map import valid_pixels, z_depth
from ...dpt_core.geometry.camera import fov_of_focal, intrinsics_of_fov
from ...dpt_core.geometry.surface import normal_picture, normals, surface
from ...dpt_core.render import Rendering, render
from .. import host
from ..choices import setting
from ..types import DptDepth

MogeGeometry = io.Custom("MOGE_GEOMETRY")
Da3Geometry = io.Custom("DA3_GEOMETRY")


class DepthToGeometry(io.ComfyNode):
    """Points for ComfyUI's mesh, GLB and 3D nodes, and normals."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        """Inputs, outputs and texts of the node."""
        return io.Schema(
            node_id="DPTDepthToGeometry",
            display_name="Depth to Geometry",
            category="image/geometry estimation",
            description=(
                "Places every pixel in space. Gives the geometry that ComfyUI's own nodes turn "
                "into meshes, GLB files and 3D previews, and a normal map."
            ),
            search_aliases=[
                "depth anything",
                "depth to mesh",
                "depth to normal",
                "normal map",
                "point cloud",
                "depth to 3d",
                "depth to glb",
                "controlnet normal",
                "moge geometry",
            ],
            inputs=[
                DptDepth.Input("depth", tooltip="Raw depth from Estimate Depth or Align Depth."),
                io.Image.Input(
                    "image",
                    optional=True,
                    tooltip=(
                        "The image that the depth is of; it becomes the texture. Without it the "
                        "texture is the depth map."
                    ),
                ),
                io.DynamicCombo.Input(
                    "camera",
                    options=[
                        io.DynamicCombo.Option("field of view", [_fov()]),
                        io.DynamicCombo.Option("focal length", [_focal()]),
                        io.DynamicCombo.Option("of the depth", []),
                    ],
                    tooltip=(
                        "The camera that took the image. Too wide an angle stretches depth, too "
                        "narrow a one flattens it. of the depth: where a node before knew it, such "
                        "as Estimate Depth with a field of view."
                    ),
                ),
                io.Float.Input(
                    "near",
                    default=0.0,
                    min=0.0,
                    max=1e6,
                    step=0.01,
                    tooltip=(
                        "Metres to the nearest point, for a relative model, which cannot know "
                        "them. A metric model does without."
                    ),
                ),
                io.Float.Input(
                    "far",
                    default=0.0,
                    min=0.0,
                    max=1e6,
                    step=0.01,
                    tooltip="Metres to the farthest point, for a relative model.",
                ),
                io.Combo.Input(
                    "normals",
                    options=["controlnet", "opengl", "directx"],
                    tooltip=(
                        "Colours of the normal map. controlnet: red left, green up, blue to the "
                        "camera (NormalBae). opengl: red right, green up (Blender, Unity, glTF). "
                        "directx: red right, green down (Unreal)."
                    ),
                ),
            ],
            outputs=[
                MogeGeometry.Output(
                    display_name="geometry",
                    tooltip="Points in space, for Convert MoGe Point Map to Mesh and its kin.",
                ),
                io.Image.Output(display_name="normal_map", tooltip="The normal map."),
            ],
        )

    @classmethod
    def execute(
        cls,
        depth: Depth,
        camera: dict[str, Any],
        near: float,
        far: float,
        normals: str,
        image: Tensor | None = None,
    ) -> io.NodeOutput:
        """Compute frame by frame into memory that is taken once."""
        count, height, width = depth.values.shape
        intrinsics = to_intrinsics(camera, depth)
        z = z_depth(depth, near or None, far or None)
        texture = _texture(depth) if image is None else _matching(image, depth)
        points = torch.empty(count, height, width, 3)
        mask = torch.empty(count, height, width, dtype=torch.bool)
        pictures = host.empty_result((count, height, width, 3))
        progress = host.progress(count)
        for number in range(count):
            seen = surface(z[number], valid_pixels(depth, number), intrinsics[number])
            z[number], points[number], mask[number] = seen
            pictures[number] = normal_map(seen.points, normals)
            progress(number + 1, count)
        geometry = {
            "points": points,
            "depth": z,
            "intrinsics": intrinsics,
            "mask": mask,
            "image": texture,
        }
        return io.NodeOutput(geometry, pictures)


def normal_map(points: Tensor, convention: str) -> Tensor:
    """H×W×3 points → the colours of their normals."""
    return normal_picture(normals(points), convention)


def to_intrinsics(camera: dict[str, Any], depth: Depth) -> Tensor:
    """What the camera widget says, as B×3×3.

    Raises:
        ValueError: an impossible camera, or the depth's own where it has none.
    """
    count, height, width = depth.values.shape
    if camera["camera"] == "of the depth":
        if depth.intrinsics is None:
            raise ValueError(
                "This depth does not know its camera. Choose field of view or focal length."
            )
        return depth.intrinsics.expand(count, 3, 3)
    if camera["camera"] == "focal length":
        fov = fov_of_focal(setting(camera, "camera", "millimetres"))
    else:
        fov = setting(camera, "camera", "degrees")
    return intrinsics_of_fov(fov, width, height).expand(count, 3, 3)


def _matching(image: Tensor, depth: Depth) -> Tensor:
    if image.shape[:3] != depth.values.shape:
        found, wanted = (
            "×".join(map(str, shape)) for shape in (image.shape[:3], depth.values.shape)
        )
        raise ValueError(
            f"The image is {found} (frames × height × width) and the depth {wanted}. Connect the "
            "image that the depth was estimated from."
        )
    return image[..., :3].cpu()


def _texture(depth: Depth) -> Tensor:
    grey = torch.empty(depth.values.shape)
    valid = torch.stack([valid_pixels(depth, number) for number in range(len(depth.values))])
    for number, frame in enumerate(render(depth._replace(valid=valid), Rendering())):
        grey[number] = frame.grey
    return grey.unsqueeze(-1).expand(*grey.shape, 3)


def _fov() -> io.Float.Input:
    return io.Float.Input(
        "degrees",
        default=55.0,
        min=1.0,
        max=179.0,
        step=0.5,
        tooltip="Horizontal angle: about 65 for a phone, 40 to 60 for most photographs.",
    )


def _focal() -> io.Float.Input:
    return io.Float.Input(
        "millimetres",
        default=35.0,
        min=1.0,
        max=5000.0,
        step=0.5,
        tooltip="Focal length for a full frame (36 mm wide), the 35 mm equivalent in photo data.",
    )


class GeometryToDepth(io.ComfyNode):
    """The way back, from what ComfyUI's own models estimate."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        """Inputs, outputs and texts of the node."""
        return io.Schema(
            node_id="DPTGeometryToDepth",
            display_name="Geometry to Depth",
            category="image/geometry estimation",
            description=(
                "Takes the depth out of the geometry of ComfyUI's MoGe and Depth Anything 3 nodes, "
                "so that Render Depth, Align Depth and the others work on it."
            ),
            search_aliases=["depth anything", "moge to depth", "depth anything 3 to depth", "da3"],
            inputs=[
                io.MultiType.Input(
                    "geometry",
                    types=[MogeGeometry, Da3Geometry],
                    tooltip="Geometry from a MoGe or Depth Anything 3 node.",
                ),
                io.Combo.Input(
                    "unit",
                    options=["no unit", "metres"],
                    tooltip=(
                        "metres if the model gives them (MoGe 2, metric Depth Anything 3). The "
                        "geometry itself does not say."
                    ),
                ),
            ],
            outputs=[
                DptDepth.Output(
                    display_name="depth",
                    tooltip="Raw depth, with the camera and the valid pixels where known.",
                )
            ],
        )

    @classmethod
    def execute(cls, geometry: dict[str, Any], unit: str) -> io.NodeOutput:
        """Nothing is computed; what is not finite becomes not valid."""
        if "depth" not in geometry:
            raise ValueError("This geometry has no depth in it. Connect a MoGe or DA3 inference.")
        values = geometry["depth"].float().cpu()
        valid = torch.isfinite(values) & (values > 0)
        if "mask" in geometry:
            valid &= geometry["mask"].bool().cpu()
        depth = Depth(
            values=torch.where(valid, values, 0.0),
            kind="metres" if unit == "metres" else "depth",
            sky=geometry["sky"].float().cpu() if "sky" in geometry else None,
            valid=None if valid.all() else valid,
            intrinsics=_intrinsics_in(geometry),
        )
        return io.NodeOutput(depth)


def _intrinsics_in(geometry: dict[str, Any]) -> Tensor | None:
    """B×3×3 in units of the image's size: MoGe's are, Depth Anything 3's are in pixels."""
    if "intrinsics" not in geometry:
        return None
    intrinsics = geometry["intrinsics"].float().cpu()
    if "mode" not in geometry:  # DA3_GEOMETRY always says its mode
        return intrinsics
    height, width = geometry["depth"].shape[-2:]
    size = intrinsics.new_tensor([[width], [height], [1.0]])
    scaled = intrinsics.reshape(-1, 3, 3) / size
    # It puts the centre of the first pixel at 0, and we put it at half a pixel.
    scaled[:, 0, 2] += 0.5 / width
    scaled[:, 1, 2] += 0.5 / height
    return scaled
