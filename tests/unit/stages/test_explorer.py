"""What the explorer in the browser receives: short vectors and pictures, in one file."""

import io
import json
from typing import Any, cast

import numpy as np
import torch
from PIL import Image

import dpt_core
from dpt_core.depth_map import Depth
from dpt_core.render import colorize
from dpt_core.stages import FeatureSpec, MapStyle, extract_features, visualize
from dpt_core.stages.explorer import CHANNELS, TokenMap, capture_tokens, pack, project_tokens
from tests.builders import write_depth_anything
from tests.unit.stages.builders import noise


class TestExplorer:
    def test_small_vectors_keep_the_cosines(self):
        spectrum = 1 / (1 + torch.arange(200.0))  # how trained tokens' directions fall off
        values = torch.einsum(
            "cd,dn->cn", torch.linalg.qr(noise(200, 200)).Q, spectrum[:, None] * noise(200, 90)
        )
        small = project_tokens(values.view(200, 9, 10))
        assert small.shape == (9, 10, CHANNELS)
        cells = torch.nn.functional.normalize(values.T, dim=1)
        found = small.flatten(0, 1).half().float()
        assert (found @ found.T - cells @ cells.T).abs().max() < 0.03

    def test_few_channels_are_exact(self):
        values = noise(40, 3, 4)
        small = project_tokens(values)
        assert small.shape == (3, 4, 40)
        cells = torch.nn.functional.normalize(values.flatten(1).T, dim=1)
        torch.testing.assert_close(small.flatten(0, 1), cells)

    def test_the_packed_file_matches_its_header(self):
        stages = [
            TokenMap(
                f"stage {i}",
                "note",
                "stage",
                96,
                noise(2, 3, 5, seed=i).half(),
                noise(2, 3, 3).byte(),
            )
            for i in range(3)
        ]
        depth = Depth(noise(1, 30, 40), "inverse")
        content = pack("a title", torch.full((3, 30, 40), 0.5), depth, stages, "viridis")
        assert content[:4] == b"DPTS"
        length = int.from_bytes(content[4:8], "little")
        header, body = json.loads(content[8 : 8 + length]), content[8 + length :]
        assert (header["version"], header["title"], (8 + length) % 8) == (1, "a title", 0)
        for entry, tokens in zip(header["maps"], stages, strict=True):
            shape = (entry["rows"], entry["columns"], entry["length"])
            assert entry["vectors"] % 8 == 0
            vectors = np.frombuffer(body, "<f2", 30, entry["vectors"]).reshape(shape)
            np.testing.assert_array_equal(vectors, tokens.vectors.numpy())
            rgb = np.frombuffer(body, np.uint8, 18, entry["rgb"]).reshape(2, 3, 3)
            np.testing.assert_array_equal(rgb, tokens.rgb.numpy())
        entry = header["colormap"]
        assert entry["length"] == 3 * 256
        colours = np.frombuffer(body, np.uint8, entry["length"], entry["offset"]).reshape(-1, 3)
        expected = colorize(torch.linspace(0, 1, 256)[None, None], "viridis")[0, 0] * 255
        np.testing.assert_array_equal(colours, expected.round().byte().numpy())
        for name, level in (("photo", 127), ("depth", None)):
            entry = header[name]
            picture = body[entry["offset"] : entry["offset"] + entry["length"]]
            with Image.open(io.BytesIO(picture)) as image:
                assert image.size == (40, 30)
                assert level is None or abs(image.getpixel((5, 5))[0] - level) <= 2


class TestCaptureTokens:
    def test_tokens_are_those_of_the_first_image(self, tmp_path):
        model = dpt_core.load(write_depth_anything(tmp_path / "depth_anything_v2_vits.pth"))
        images = torch.rand(2, 3, 56, 70, generator=torch.Generator().manual_seed(0))
        with capture_tokens(model, (56, 70), 56) as tokens:
            found = extract_features(model, images, FeatureSpec("stages"), resolution=56)
        assert torch.equal(found.depth.values, model.infer(images, 56, 1).values)
        assert [t.kind for t in tokens] == ["patches", *["stage"] * 4, *["block"] * 12]
        for stage, token in zip(found.maps, tokens[1:5], strict=True):
            unit = torch.nn.functional.normalize(stage.values[0], dim=0).movedim(0, -1)
            assert token.label == stage.label
            torch.testing.assert_close(token.vectors.float(), unit, atol=1e-3, rtol=0)
            assert token.rgb.shape == (4, 5, 3)
            assert token.rgb.float().std() > 20

    def test_colours_are_those_of_the_contact_sheet(self, tmp_path):
        model = dpt_core.load(write_depth_anything(tmp_path / "depth_anything_v2_vits.pth"))
        image = torch.rand(1, 3, 56, 70, generator=torch.Generator().manual_seed(0))
        with capture_tokens(model, (56, 70), 56) as tokens:
            model.infer(image, 56)
        for kind, name in (("patches", "patches"), ("stage", "stages"), ("block", "blocks")):
            maps = extract_features(model, image, FeatureSpec(cast(Any, name)), resolution=56).maps
            drawn = visualize(maps, MapStyle("pca"))
            explored = [token for token in tokens if token.kind == kind]
            for token, picture in zip(explored, drawn, strict=True):
                difference = token.rgb.float() / 255 - picture.rgb[0]
                assert difference.abs().max() < 0.01, token.label

    def test_a_single_patch(self, tmp_path):
        model = dpt_core.load(write_depth_anything(tmp_path / "depth_anything_v2_vits.pth"))
        with capture_tokens(model, (1, 1), 14) as tokens:
            model.infer(torch.rand(1, 3, 1, 1), 14)
        assert all(torch.isfinite(token.vectors).all() for token in tokens)
