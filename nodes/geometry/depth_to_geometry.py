"""Depth to Geometry: raw depth → points in space, for ComfyUI's own nodes, and normals."""

from typing import Any

import torch
from comfy_api.latest import io  # pyright: ignore[reportMissingImports]
from torch import Tensor

from ...dpt_core import Depth
from ...dpt_core.depth_map import valid_pixels, z_depth
from ...dpt_core.geometry.camera import fov_of_focal, intrinsics_of_fov
from ...dpt_core.geometry.point_map import colorize_normals, normals, unproject
from ...dpt_core.render import RenderSettings, render
from ..depth.inputs import metres_input
from ..dynamic_combo import setting
from ..host import running
from ..images import format_shape
from ..types import DptDepth, MogeGeometry

OWN_CAMERA = "of the depth"


class DepthToGeometry(io.ComfyNode):
    """Points for ComfyUI's mesh, GLB and 3D nodes, and a normal map."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        """Inputs, outputs and texts of the node."""
        return io.Schema(
            node_id="DPTDepthToGeometry",
            display_name="Depth to Geometry",
            category="image/geometry estimation",
            description=(
                "Places every pixel in space. Gives geometry that ComfyUI's own nodes turn into "
                "meshes, GLB files and 3D previews, and a normal map. Sky and pixels without valid "
                "depth are left out."
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
                        "The image that the depth belongs to, used as the texture. Without it, "
                        "the texture is the depth map."
                    ),
                ),
                io.DynamicCombo.Input(
                    "camera",
                    options=[
                        io.DynamicCombo.Option("field of view", [_fov()]),
                        io.DynamicCombo.Option("focal length", [_focal_length()]),
                        io.DynamicCombo.Option(OWN_CAMERA, []),
                    ],
                    tooltip=(
                        "The camera that took the image. An angle that is too wide flattens the "
                        "scene, one that is too narrow stretches it. of the depth: the camera "
                        "that came with the depth, as from Estimate Depth with a field of view."
                    ),
                ),
                metres_input("near", "nearest"),
                metres_input("far", "farthest"),
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
                    tooltip=(
                        "Points in space, for Convert MoGe Point Map to Mesh and similar nodes. "
                        "Its mask is off in the sky and where the depth is not valid."
                    ),
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
        """Compute frame by frame into memory that is allocated once."""
        count, height, width = depth.values.shape
        intrinsics = to_intrinsics(camera, depth)
        z = z_depth(depth, near or None, far or None)
        texture = _depth_texture(depth) if image is None else _image_texture(image, depth)
        points = torch.empty(count, height, width, 3)
        mask = torch.empty(count, height, width, dtype=torch.bool)
        normal_maps = running.empty_result((count, height, width, 3))
        progress = running.progress(count)
        for number in range(count):
            seen = unproject(z[number], valid_pixels(depth, number), intrinsics[number])
            z[number], points[number], mask[number] = seen
            normal_maps[number] = normal_map(seen.points, normals)
            progress(number + 1, count)
        geometry = {
            "points": points,
            "depth": z,
            "intrinsics": intrinsics,
            "mask": mask,
            "image": texture,
        }
        return io.NodeOutput(geometry, normal_maps)


def normal_map(points: Tensor, convention: str) -> Tensor:
    """Points H×W×3 → the colours of their normals, H×W×3 in [0, 1]."""
    return colorize_normals(normals(points), convention)


def to_intrinsics(camera: dict[str, Any], depth: Depth) -> Tensor:
    """The camera that was chosen, as B×3×3 in units of the image's size.

    Raises:
        ValueError: the camera is impossible, or the depth has none of its own.
    """
    count, height, width = depth.values.shape
    if camera["camera"] == OWN_CAMERA:
        if depth.intrinsics is None:
            raise ValueError(
                "This depth came without a camera. Choose field of view or focal length."
            )
        return depth.intrinsics.expand(count, 3, 3)
    if camera["camera"] == "focal length":
        fov = fov_of_focal(setting(camera, "camera", "millimetres"))
    else:
        fov = setting(camera, "camera", "degrees")
    return intrinsics_of_fov(fov, width, height).expand(count, 3, 3)


def _image_texture(image: Tensor, depth: Depth) -> Tensor:
    if image.shape[:3] != depth.values.shape:
        raise ValueError(
            f"The image is {format_shape(image.shape[:3])} (frames × height × width) and the "
            f"depth {format_shape(depth.values.shape)}. Connect the image that the depth was "
            "estimated from."
        )
    return image[..., :3].cpu()


def _depth_texture(depth: Depth) -> Tensor:
    grey = torch.empty(depth.values.shape)
    # Marking the valid pixels lets the rest, which may not be finite, render as the farthest.
    valid = torch.stack([valid_pixels(depth, number) for number in range(len(depth.values))])
    for number, frame in enumerate(render(depth._replace(valid=valid), RenderSettings())):
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


def _focal_length() -> io.Float.Input:
    return io.Float.Input(
        "millimetres",
        default=35.0,
        min=1.0,
        max=5000.0,
        step=0.5,
        tooltip=(
            "Focal length on a full frame (36 mm wide): the 35 mm equivalent in a photograph's "
            "metadata."
        ),
    )
