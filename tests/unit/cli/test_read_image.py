"""How image files are read: orientation, number formats, modes and frames."""

import numpy as np
import pytest
from PIL import Image

from dpt_core.cli.files.errors import FileError
from dpt_core.cli.files.images import read_image
from tests.unit.cli.command_line import run_depth


class TestReadImage:
    @pytest.fixture
    def pixels(self) -> np.ndarray:
        return np.random.default_rng(0).integers(0, 256, (4, 6, 3), dtype=np.uint8)

    @pytest.mark.parametrize("suffix", [".png", ".tif", ".webp"])
    @pytest.mark.parametrize("orientation", range(1, 9))
    def test_exif_orientation_is_applied(self, orientation, suffix, pixels, tmp_path):
        # How the upright picture is stored, by the EXIF standard: where row 0, column 0 lie.
        stored = {
            1: pixels,
            2: pixels[:, ::-1],
            3: pixels[::-1, ::-1],
            4: pixels[::-1],
            5: pixels.transpose(1, 0, 2),
            6: pixels.transpose(1, 0, 2)[::-1],
            7: pixels.transpose(1, 0, 2)[::-1, ::-1],
            8: pixels.transpose(1, 0, 2)[:, ::-1],
        }[orientation]
        exif = Image.Exif()
        exif[0x0112] = orientation
        path = tmp_path / f"turned{suffix}"
        Image.fromarray(np.ascontiguousarray(stored)).save(path, exif=exif, lossless=True)
        np.testing.assert_array_equal(read_image(path), pixels.astype(np.float32) / 255)

    def test_depth_has_the_upright_size(self, checkpoint, tmp_path):
        exif = Image.Exif()
        exif[0x0112] = 6
        Image.new("RGB", (60, 30)).save(tmp_path / "turned.jpg", exif=exif)
        assert run_depth(tmp_path / "turned.jpg", checkpoint, tmp_path / "out") == 0
        with Image.open(tmp_path / "out/turned.png") as picture:
            assert picture.size == (30, 60)

    @pytest.mark.parametrize("suffix", [".png", ".tif"])
    def test_16_bit_grey_keeps_its_depth(self, suffix, tmp_path):
        grey = np.array([[0, 1, 256, 40000, 65535]], np.uint16)
        Image.fromarray(grey).save(tmp_path / f"deep{suffix}")
        image = read_image(tmp_path / f"deep{suffix}")
        assert image.shape == (1, 5, 3)
        np.testing.assert_allclose(image[0, :, 1], grey[0] / 65535, rtol=1e-6)

    def test_values_out_of_range_are_refused(self, tmp_path):
        Image.fromarray(np.array([[0.5, 7.0]], np.float32)).save(tmp_path / "float.tif")
        with pytest.raises(FileError, match="not within 0 to 1"):
            read_image(tmp_path / "float.tif")

    @pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGBA", "CMYK"])
    def test_every_mode_becomes_rgb(self, mode, tmp_path):
        suffix = ".tif" if mode == "CMYK" else ".png"
        Image.new("RGB", (4, 2), "white").convert(mode).save(tmp_path / f"image{suffix}")
        image = read_image(tmp_path / f"image{suffix}")
        assert (image.shape, image.dtype) == ((2, 4, 3), np.float32)
        np.testing.assert_array_equal(image, 1)

    def test_palette_and_alpha_keep_the_colours(self, tmp_path):
        half = Image.new("RGBA", (2, 2), (255, 0, 51, 128))
        half.save(tmp_path / "alpha.png")
        half.quantize(4).save(tmp_path / "palette.png")  # with transparency in the palette
        for name in ("alpha.png", "palette.png"):
            np.testing.assert_allclose(read_image(tmp_path / name)[0, 0], [1, 0, 0.2])

    def test_the_first_of_several_frames_is_taken(self, tmp_path):
        frames = [Image.new("RGB", (3, 2), colour) for colour in ("red", "blue")]
        frames[0].save(tmp_path / "moving.gif", save_all=True, append_images=frames[1:])
        np.testing.assert_array_equal(read_image(tmp_path / "moving.gif")[0, 0], [1, 0, 0])
