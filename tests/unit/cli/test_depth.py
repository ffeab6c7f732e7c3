"""What `depth` writes and where, and which files it leaves alone."""

import os
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import dpt_core
from dpt_core import render
from dpt_core.cli import depth as command
from dpt_core.cli import options
from dpt_core.cli.files.outputs import encode_png16
from dpt_core.depth_map import Depth
from tests.unit.cli.command_line import files_below, read_png16, run_depth, save_photo

Capture = pytest.CaptureFixture[str]


class TestFormats:
    def test_npy_is_what_the_model_gives(self, photo, checkpoint, tmp_path):
        assert run_depth(photo, checkpoint, tmp_path / "out", "--format", "npy") == 0
        with Image.open(photo) as picture:
            image = torch.from_numpy(np.asarray(picture).astype(np.float32) / 255)
        expected = dpt_core.load(checkpoint).infer(image.permute(2, 0, 1)[None], 42)
        result = np.load(tmp_path / "out/photo.npy")
        assert result.dtype == np.float32
        assert result.std() > 0
        np.testing.assert_array_equal(result, expected.values[0].numpy())

    def test_png16_restores_inverse_depth_within_half_a_step(self, photo, checkpoint, tmp_path):
        out = tmp_path / "out"
        run_depth(photo, checkpoint, out, "--format", "npy")
        run_depth(photo, checkpoint, out)
        raw = np.load(out / "photo.npy")
        values, text = read_png16(out / "photo.png")
        assert text["kind"] == "inverse"
        assert (float(text["min"]), float(text["max"])) == (raw.min(), raw.max())
        assert np.abs(values - raw).max() <= float(text["scale"]) * 0.5 * (1 + 1e-6)
        with Image.open(out / "photo.png") as picture:
            assert picture.getextrema() == (0, 65535)
            assert np.asarray(picture).flat[raw.argmax()] == 65535  # near is white

    def test_png16_of_metres_holds_millimetres(self, photo, checkpoint, tmp_path):
        out = tmp_path / "out"
        for form in ("npy", "png16"):
            run_depth(photo, checkpoint, out, "--format", form, "--max-depth", "20")
        raw = np.load(out / "photo.npy")
        values, text = read_png16(out / "photo.png")
        assert (text["kind"], text["scale"], text["offset"]) == ("metres", "0.001", "0.0")
        assert np.abs(values - raw).max() <= 0.0005 + 1e-9
        with Image.open(out / "photo.png") as picture:
            np.testing.assert_array_equal(np.asarray(picture), np.rint(raw.astype(float) * 1000))

    def test_millimetres_are_cut_off_and_not_wrapped(self, tmp_path):
        content = encode_png16(np.array([[0.0014, 0.0016, 65.535, 80]], np.float32), "metres")
        (tmp_path / "far.png").write_bytes(content)
        with Image.open(tmp_path / "far.png") as picture:
            assert np.asarray(picture).tolist() == [[1, 2, 65535, 65535]]
            assert picture.info["max"] == "80.0"

    @pytest.mark.filterwarnings("error")
    def test_a_flat_map_is_restored(self, tmp_path):
        (tmp_path / "flat.png").write_bytes(
            encode_png16(np.full((2, 3), 1.25, np.float32), "inverse")
        )
        values, _ = read_png16(tmp_path / "flat.png")
        assert values.tolist() == [[1.25] * 3] * 2

    def test_png8_is_the_control_image_rounded(self, photo, checkpoint, tmp_path):
        out = tmp_path / "out"
        run_depth(photo, checkpoint, out, "--format", "npy")
        run_depth(photo, checkpoint, out, "--format", "png8")
        raw = np.load(out / "photo.npy").astype(float)
        with Image.open(out / "photo.png") as picture:
            assert picture.mode == "L"
            exact = (raw - raw.min()) / (raw.max() - raw.min()) * 255
            assert np.abs(np.asarray(picture) - exact).max() <= 0.5001

    def test_a_colormap_makes_an_rgb_picture(self, photo, checkpoint, tmp_path):
        out = tmp_path / "out"
        run_depth(photo, checkpoint, out, "--format", "npy")
        assert run_depth(photo, checkpoint, out, "--colormap", "turbo") == 0
        depth = Depth(torch.from_numpy(np.load(out / "photo.npy"))[None], "inverse")
        expected = render.colorize(render.control_image(depth), "turbo")[0].numpy() * 255
        with Image.open(out / "photo.png") as picture:
            assert picture.mode == "RGB"
            assert np.abs(np.asarray(picture) - expected).max() <= 0.5001

    def test_a_colormap_refuses_another_format(self, photo, checkpoint, tmp_path, capsys: Capture):
        more = ("--colormap", "turbo", "--format", "npy")
        assert run_depth(photo, checkpoint, tmp_path / "out", *more) == 2
        assert capsys.readouterr().err.startswith("error: --colormap makes png8")

    def test_choices_are_those_of_the_library(self):
        assert command.COLORMAPS == render.COLORMAPS
        for name in options.DTYPES:
            assert isinstance(getattr(torch, name), torch.dtype)


class TestFolders:
    def test_subfolders_are_kept_and_hidden_files_left_out(
        self, checkpoint, tmp_path, capsys: Capture
    ):
        shots = tmp_path / "shots"
        for name in ("b.png", "a.jpg", "day/a.JPG", ".hidden.png", ".cache/x.png"):
            save_photo(shots / name)
        (shots / "notes.txt").write_text("no picture")
        assert run_depth(shots, checkpoint, tmp_path / "out") == 0
        assert files_below(tmp_path / "out") == ["a.png", "b.png", "day/a.png"]
        assert "3 written, 0 skipped, 0 already there" in capsys.readouterr().out

    def test_results_inside_the_folder_are_not_taken_for_images(self, checkpoint, tmp_path):
        shots = tmp_path / "shots"
        save_photo(shots / "a.png")
        for _ in range(2):
            assert run_depth(shots, checkpoint, shots / "depth", "--overwrite") == 0
        assert files_below(shots) == ["a.png", "depth/a.png"]

    def test_the_searched_folder_is_refused_as_output(self, checkpoint, tmp_path, capsys: Capture):
        before = save_photo(tmp_path / "shots/a.png").read_bytes()
        assert run_depth(tmp_path / "shots", checkpoint, tmp_path / "shots", "--overwrite") == 2
        assert capsys.readouterr().err.startswith("error: --output is ")
        assert (tmp_path / "shots/a.png").read_bytes() == before

    def test_an_image_is_never_replaced_by_its_depth(
        self, photo, checkpoint, tmp_path, capsys: Capture
    ):
        before = photo.read_bytes()
        assert run_depth(photo, checkpoint, photo.parent, "--overwrite") == 2
        assert "would replace the image" in capsys.readouterr().err
        assert photo.read_bytes() == before

    def test_extensions_are_kept_where_they_tell_images_apart(self, checkpoint, tmp_path):
        shots = tmp_path / "shots"
        for seed, name in enumerate(("a.jpg", "a.bmp", "b.png")):
            save_photo(shots / name, seed)
        out = tmp_path / "out"
        assert run_depth(shots, checkpoint, out) == 0
        assert files_below(out) == ["a.bmp.png", "a.jpg.png", "b.png"]
        assert (out / "a.bmp.png").read_bytes() != (out / "a.jpg.png").read_bytes()

    @pytest.mark.parametrize("other", ["two/a.png", "two/A.png"])
    def test_other_clashes_are_refused(self, other, checkpoint, tmp_path, capsys: Capture):
        images = [save_photo(tmp_path / "one/a.png"), save_photo(tmp_path / other)]
        assert run_depth(images, checkpoint, tmp_path / "out") == 2
        error = capsys.readouterr().err
        assert error.startswith("error: ")
        assert all(str(image) in error for image in images)
        assert not (tmp_path / "out").exists()

    def test_an_image_named_twice_is_made_once(self, photo, checkpoint, tmp_path, capsys: Capture):
        otherwise = Path(os.path.relpath(photo))
        assert run_depth([photo, photo, otherwise], checkpoint, tmp_path / "out") == 0
        assert capsys.readouterr().out.startswith("1 written, 0 skipped")
        assert files_below(tmp_path / "out") == ["photo.png"]


class TestExisting:
    def test_the_second_run_loads_nothing(self, photo, checkpoint, tmp_path, capsys: Capture):
        out = tmp_path / "out"
        run_depth(photo, checkpoint, out)
        before = (out / "photo.png").stat().st_mtime_ns
        checkpoint.unlink()
        assert run_depth(photo, checkpoint, out) == 0
        assert "0 written, 0 skipped, 1 already there" in capsys.readouterr().out
        assert (out / "photo.png").stat().st_mtime_ns == before

    def test_only_missing_results_are_made(self, photo, checkpoint, tmp_path, capsys: Capture):
        out = tmp_path / "out"
        run_depth(photo, checkpoint, out)
        (out / "photo.png").write_bytes(b"kept")
        other = save_photo(tmp_path / "other.png", seed=1)
        assert run_depth([photo, other], checkpoint, out) == 0
        assert "1 written, 0 skipped, 1 already there" in capsys.readouterr().out
        assert (out / "photo.png").read_bytes() == b"kept"

    def test_overwrite_makes_results_again(self, photo, checkpoint, tmp_path):
        out = tmp_path / "out"
        out.mkdir()
        (out / "photo.png").write_bytes(b"old")
        assert run_depth(photo, checkpoint, out, "--overwrite") == 0
        read_png16(out / "photo.png")


def test_png16_of_distance_is_white_near_and_restores(tmp_path: Path) -> None:
    depth = np.array([[1.0, 2.0], [3.0, 5.0]], dtype=np.float32)
    path = tmp_path / "distance.png"
    path.write_bytes(encode_png16(depth, "depth"))
    with Image.open(path) as picture:
        pixels, text = np.asarray(picture).astype(np.float64), picture.info
    assert pixels[0, 0] == 65535
    assert pixels[1, 1] == 0
    restored = float(text["offset"]) + float(text["scale"]) * pixels
    np.testing.assert_allclose(restored, depth, atol=4 / 65535 / 2)
