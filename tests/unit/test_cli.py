"""The command line, in process on a tiny checkpoint."""

import dataclasses
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
import torch
from PIL import Image

import dpt_core
from dpt_core import batch, cli, files, render, videos
from dpt_core.cli import main
from dpt_core.depth.model import Depth, DepthModel

Capture = pytest.CaptureFixture[str]


@pytest.fixture
def checkpoint(tmp_path: Path, write_depth_anything: Callable[..., Path]) -> Path:
    return write_depth_anything(tmp_path / "depth_anything_v2_vits.safetensors")


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    return save_photo(tmp_path / "photo.png")


def save_photo(path: Path, seed: int = 0) -> Path:
    """A small picture that differs from its mirror images."""
    path.parent.mkdir(parents=True, exist_ok=True)
    noise = np.random.default_rng(seed).random((6, 8, 3)) * 255
    picture = Image.fromarray(noise.astype(np.uint8)).resize((56, 42), Image.Resampling.BICUBIC)
    picture.save(path)
    return path


def frames(count: int) -> list[np.ndarray]:
    """Pictures 42×56 that pan over a scene; all but their right edges agree."""
    noise = np.random.default_rng(3).random((6, 9, 3)) * 255
    scene = Image.fromarray(noise.astype(np.uint8)).resize((64, 42), Image.Resampling.BICUBIC)
    return [np.asarray(scene)[:, 2 * n : 2 * n + 56] for n in range(count)]


def save_clip(path: Path, pictures: list[np.ndarray], turn: int = 0) -> Path:
    """A lossless video; `turn`: the degrees anticlockwise by which it says it is to be turned."""
    path.parent.mkdir(parents=True, exist_ok=True)
    height, width = pictures[0].shape[:2]
    with av.open(path, "w") as container:
        is_mp4 = path.suffix == ".mp4"
        codec = "libx264rgb" if is_mp4 else "ffv1"
        stream: Any = container.add_stream(codec, rate=12, options={"qp": "0"})
        stream.width, stream.height = width, height
        stream.pix_fmt = "rgb24" if is_mp4 else "bgr0"
        if turn:
            stream.set_display_rotation(turn)
        for pixels in pictures:
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(pixels), format="rgb24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def run_depth(inputs: Path | list[Path], checkpoint: Path, output: Path, *more: str) -> int:
    names = [str(path) for path in (inputs if isinstance(inputs, list) else [inputs])]
    options = ["--checkpoint", str(checkpoint), "--output", str(output), "--resolution", "42"]
    return main(["depth", *names, *options, "--device", "cpu", *more])


def files_below(folder: Path) -> list[str]:
    return sorted(str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file())


def restored(path: Path) -> tuple[np.ndarray, dict[str, str]]:
    """Raw values from a 16-bit picture, by its own text, and the text."""
    with Image.open(path) as picture:
        assert picture.mode == "I;16"
        text = {key: str(value) for key, value in picture.info.items()}
        pixels = np.asarray(picture).astype(np.float64)
    return float(text["offset"]) + float(text["scale"]) * pixels, text


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
        values, text = restored(out / "photo.png")
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
        values, text = restored(out / "photo.png")
        assert (text["kind"], text["scale"], text["offset"]) == ("metres", "0.001", "0.0")
        assert np.abs(values - raw).max() <= 0.0005 + 1e-9
        with Image.open(out / "photo.png") as picture:
            np.testing.assert_array_equal(np.asarray(picture), np.rint(raw.astype(float) * 1000))

    def test_millimetres_are_cut_off_and_not_wrapped(self, tmp_path):
        content = files.encode_png16(np.array([[0.0014, 0.0016, 65.535, 80]], np.float32), "metres")
        (tmp_path / "far.png").write_bytes(content)
        with Image.open(tmp_path / "far.png") as picture:
            assert np.asarray(picture).tolist() == [[1, 2, 65535, 65535]]
            assert picture.info["max"] == "80.0"

    @pytest.mark.filterwarnings("error")
    def test_a_flat_map_is_restored(self, tmp_path):
        (tmp_path / "flat.png").write_bytes(
            files.encode_png16(np.full((2, 3), 1.25, np.float32), "inverse")
        )
        values, _ = restored(tmp_path / "flat.png")
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

    def test_the_options_name_what_there_is(self):
        assert cli.COLORMAPS == render.COLORMAPS
        for name in cli.PRECISIONS[1:]:
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


class TestVideos:
    """Frames are lossless in these clips, so that they are just the pictures they were made of."""

    def test_every_frame_is_what_its_picture_gives(self, checkpoint, tmp_path, capsys: Capture):
        pictures = frames(3)
        clip = save_clip(tmp_path / "clip.mkv", pictures)
        photos = [tmp_path / f"photos/{n:06}.png" for n in (1, 2, 3)]
        for path, pixels in zip(photos, pictures, strict=True):
            path.parent.mkdir(exist_ok=True)
            Image.fromarray(pixels).save(path)
        out = tmp_path / "out"
        for form in ("npy", "png16"):
            assert run_depth(clip, checkpoint, out / "video", "--format", form) == 0
            assert "3 written, 0 skipped, 0 already there" in capsys.readouterr().out
            run_depth(photos[0].parent, checkpoint, out / "photos", "--format", form)
        names = [f"{n:06}{suffix}" for n in (1, 2, 3) for suffix in (".npy", ".png")]
        assert files_below(out / "video") == [f"clip/{name}" for name in names]
        for name in names:
            expected = (out / "photos" / name).read_bytes()
            assert (out / "video/clip" / name).read_bytes() == expected

    def test_a_turned_video_is_upright(self, tmp_path):
        pixels = frames(1)
        clip = save_clip(tmp_path / "clip.mp4", pixels, turn=90)
        (upright,) = [read() for read in videos.read_frames(clip)]
        np.testing.assert_array_equal(upright, np.rot90(pixels[0]).astype(np.float32) / 255)

    def test_frames_are_decoded_one_at_a_time(self, checkpoint, tmp_path, monkeypatch):
        clip = save_clip(tmp_path / "clip.mkv", frames(4))
        decoded = []
        monkeypatch.setattr(
            batch,
            "read_frames",
            lambda path: (decoded.append(n) or read for n, read in enumerate(read_frames(path))),
        )
        read_frames = videos.read_frames
        there: list[int] = []
        infer = DepthModel.infer

        def counting(self: DepthModel, *inputs: object, **options: object) -> Depth:
            there.append(len(decoded))
            return infer(self, *inputs, **options)  # pyright: ignore[reportArgumentType]

        monkeypatch.setattr(DepthModel, "infer", counting)
        run_depth(clip, checkpoint, tmp_path / "out")
        assert there == [1, 2, 3, 4]

    @pytest.mark.parametrize("more", [[], ["--steady"]])
    def test_only_frames_that_lack_are_made(self, more, checkpoint, tmp_path, capsys: Capture):
        clip = save_clip(tmp_path / "clip.mkv", frames(3))
        out = tmp_path / "out"
        run_depth(clip, checkpoint, out, *more)
        capsys.readouterr()
        (out / "clip/000001.png").write_bytes(b"kept")
        expected = (out / "clip/000002.png").read_bytes()
        (out / "clip/000002.png").unlink()
        assert run_depth(clip, checkpoint, out, *more) == 0
        assert "1 written, 0 skipped, 2 already there" in capsys.readouterr().out
        assert (out / "clip/000001.png").read_bytes() == b"kept"
        assert (out / "clip/000002.png").read_bytes() == expected
        checkpoint.unlink()  # nothing is loaded when nothing lacks
        assert run_depth(clip, checkpoint, out, *more) == 0
        assert "0 written, 0 skipped, 3 already there" in capsys.readouterr().out
        assert len(files_below(tmp_path / "out")) == 3

    def test_steady_is_the_steady_range(self, checkpoint, tmp_path):
        clip = save_clip(tmp_path / "clip.mkv", frames(4))
        out = tmp_path / "out"
        run_depth(clip, checkpoint, out, "--format", "npy")
        assert run_depth(clip, checkpoint, out, "--steady", "--colormap", "viridis") == 0
        raw = [np.load(out / f"clip/{n:06}.npy") for n in (1, 2, 3, 4)]
        depth = Depth(torch.from_numpy(np.stack(raw)), "inverse")
        grey = render.render(depth, render.Rendering(range=render.Steady()))
        for n, frame in enumerate(grey, 1):
            expected = render.colorize(frame.grey[None], "viridis")[0].numpy() * 255
            with Image.open(out / f"clip/{n:06}.png") as picture:
                assert np.abs(np.asarray(picture) - expected).max() <= 0.5001

    def test_steady_refuses_another_format(self, checkpoint, tmp_path, capsys: Capture):
        more = ("--steady", "--format", "png16")
        assert run_depth(tmp_path / "clip.mkv", checkpoint, tmp_path / "out", *more) == 2
        assert capsys.readouterr().err.startswith("error: --steady makes png8")

    def test_folders_hold_videos_too(self, checkpoint, tmp_path):
        shots = tmp_path / "shots"
        save_photo(shots / "a.png")
        for name in ("a.mkv", "day/b.MKV", "day/b.mp4"):
            save_clip(shots / name, frames(1))
        assert run_depth(shots, checkpoint, tmp_path / "out") == 0
        results = ["a.png", "a/000001.png", "day/b.MKV/000001.png", "day/b.mp4/000001.png"]
        assert files_below(tmp_path / "out") == results

    @pytest.mark.parametrize("name", ["clip/000001.png", "CLIP/other.png"])
    def test_frames_never_mix_with_other_results(self, name, checkpoint, tmp_path, capsys: Capture):
        shots = tmp_path / "shots"
        save_photo(shots / name)
        save_clip(shots / "clip.mkv", frames(1))
        assert run_depth(shots, checkpoint, tmp_path / "out") == 2
        assert "would both be in" in capsys.readouterr().err
        assert not (tmp_path / "out").exists()

    def test_frames_never_replace_images(self, checkpoint, tmp_path, capsys: Capture):
        image = save_photo(tmp_path / "clip/000001.png")
        before = image.read_bytes()
        clip = save_clip(tmp_path / "clip.mkv", frames(1))
        more = ("--overwrite",)
        assert run_depth([clip, image], checkpoint, tmp_path, *more) == 2
        assert image.read_bytes() == before
        assert "would both be in" in capsys.readouterr().err

    @pytest.mark.parametrize("more", [[], ["--steady"]])
    def test_videos_that_cannot_be_read_are_skipped(
        self, more, photo, checkpoint, tmp_path, capsys: Capture
    ):
        empty, text = tmp_path / "empty.mp4", tmp_path / "text.mp4"
        empty.touch()
        text.write_text("no video")
        assert run_depth([empty, text, photo], checkpoint, tmp_path / "out", *more) == 1
        result = capsys.readouterr()
        assert "1 written, 2 skipped" in result.out
        first, second = result.err.splitlines()
        assert first == f"skipped {empty}: the file is empty"
        assert second.startswith(f"skipped {text}: not a readable video (")
        assert files_below(tmp_path / "out") == ["photo.png"]

    def test_without_pyav_it_is_named(
        self, photo, checkpoint, tmp_path, capsys: Capture, monkeypatch
    ):
        clip = save_clip(tmp_path / "clip.mkv", frames(1))
        monkeypatch.setitem(sys.modules, "av", None)
        assert run_depth([clip, photo], checkpoint, tmp_path / "out") == 1
        error = capsys.readouterr().err
        assert error.startswith(f"skipped {clip}: ")
        assert "pip install av" in error
        assert error.count("\n") == 1
        assert files_below(tmp_path / "out") == ["photo.png"]

    def test_an_image_does_not_need_pyav(self, photo, checkpoint, tmp_path, monkeypatch):
        monkeypatch.setitem(sys.modules, "av", None)
        assert run_depth(photo, checkpoint, tmp_path / "out") == 0


class TestExisting:
    def test_the_second_run_loads_nothing(self, photo, checkpoint, tmp_path, capsys: Capture):
        out = tmp_path / "out"
        run_depth(photo, checkpoint, out)
        before = (out / "photo.png").stat().st_mtime_ns
        checkpoint.unlink()
        assert run_depth(photo, checkpoint, out) == 0
        assert "0 written, 0 skipped, 1 already there" in capsys.readouterr().out
        assert (out / "photo.png").stat().st_mtime_ns == before

    def test_only_what_lacks_is_made(self, photo, checkpoint, tmp_path, capsys: Capture):
        out = tmp_path / "out"
        run_depth(photo, checkpoint, out)
        (out / "photo.png").write_bytes(b"kept")
        other = save_photo(tmp_path / "other.png", seed=1)
        assert run_depth([photo, other], checkpoint, out) == 0
        assert "1 written, 0 skipped, 1 already there" in capsys.readouterr().out
        assert (out / "photo.png").read_bytes() == b"kept"

    def test_overwrite_makes_it_anew(self, photo, checkpoint, tmp_path):
        out = tmp_path / "out"
        out.mkdir()
        (out / "photo.png").write_bytes(b"old")
        assert run_depth(photo, checkpoint, out, "--overwrite") == 0
        restored(out / "photo.png")


class TestFailures:
    def test_unreadable_images_are_skipped_with_their_reasons(
        self, photo, checkpoint, tmp_path, capsys: Capture
    ):
        empty, text, cut = (tmp_path / name for name in ("empty.png", "text.jpg", "cut.png"))
        empty.touch()
        text.write_text("no picture")
        cut.write_bytes(photo.read_bytes()[:-200])
        absent = tmp_path / "absent.png"
        status = run_depth([empty, text, photo, cut, absent], checkpoint, tmp_path / "out")
        result = capsys.readouterr()
        assert status == 1
        assert files_below(tmp_path / "out") == ["photo.png"]
        assert "1 written, 4 skipped" in result.out
        assert sorted(result.err.splitlines()) == [
            f"skipped {absent}: there is no such file or folder",
            f"skipped {cut}: image file is truncated",
            f"skipped {empty}: the file is empty",
            f"skipped {text}: not a readable image",
        ]

    def test_an_empty_folder_is_no_success(self, checkpoint, tmp_path, capsys: Capture):
        (tmp_path / "shots").mkdir()
        assert run_depth(tmp_path / "shots", checkpoint, tmp_path / "out") == 1
        assert "no images or videos in this folder" in capsys.readouterr().err

    def test_too_little_memory_for_one_image_spares_the_others(
        self, photo, checkpoint, tmp_path, capsys: Capture, monkeypatch
    ):
        wide = tmp_path / "wide.png"
        Image.new("RGB", (120, 20)).save(wide)
        infer = DepthModel.infer

        def limited(
            self: DepthModel, images: torch.Tensor, resolution: int | None, **options: object
        ) -> Depth:
            if images.shape[-1] > 100:
                raise torch.OutOfMemoryError("CUDA out of memory")
            return infer(self, images, resolution)

        monkeypatch.setattr(DepthModel, "infer", limited)
        assert run_depth([wide, photo], checkpoint, tmp_path / "out") == 1
        assert f"skipped {wide}: not enough memory" in capsys.readouterr().err
        assert files_below(tmp_path / "out") == ["photo.png"]

    def test_depth_that_is_not_finite_is_not_written(
        self, photo, checkpoint, tmp_path, capsys: Capture, monkeypatch
    ):
        nan = Depth(torch.full((1, 42, 56), torch.nan), "inverse")
        monkeypatch.setattr(DepthModel, "infer", lambda *_, **__: nan)
        assert run_depth(photo, checkpoint, tmp_path / "out") == 1
        assert "NaN or infinite depth" in capsys.readouterr().err
        assert files_below(tmp_path / "out") == []

    def test_a_checkpoint_error_is_one_sentence(self, photo, tmp_path, capsys: Capture):
        (tmp_path / "model.pth").write_text("no model")
        for argv in (["inspect", str(tmp_path / "model.pth")], None):
            status = (
                main(argv) if argv else run_depth(photo, tmp_path / "model.pth", tmp_path / "o")
            )
            error = capsys.readouterr().err
            assert status == 2
            assert error.startswith("error: model.pth")
            assert error.count("\n") == 1
        assert not (tmp_path / "o").exists()

    def test_an_output_that_is_a_file_is_refused(
        self, photo, checkpoint, tmp_path, capsys: Capture
    ):
        (tmp_path / "out").write_text("mine")
        assert run_depth(photo, checkpoint, tmp_path / "out") == 2
        assert capsys.readouterr().err.startswith(f"error: --output {tmp_path / 'out'}")
        assert (tmp_path / "out").read_text() == "mine"

    @pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")
    def test_a_device_that_is_not_there_is_refused(
        self, photo, checkpoint, tmp_path, capsys: Capture
    ):
        assert run_depth(photo, checkpoint, tmp_path / "out", "--device", "cuda") == 2
        assert capsys.readouterr().err.startswith("error: --device cuda")

    @pytest.mark.parametrize(
        "more", [["--resolution", "0"], ["--format", "gif"], ["--precision", "int8"], ["--what"]]
    )
    def test_wrong_options_are_one_sentence(self, more, capsys: Capture):
        with pytest.raises(SystemExit) as stop:
            main(["depth", "a.png", "--checkpoint", "m.pth", "--output", "out", *more])
        error = capsys.readouterr().err
        assert stop.value.code == 2
        assert error.startswith("error: ")
        assert error.count("\n") == 1

    def test_an_interruption_ends_with_one_line(
        self, photo, checkpoint, tmp_path, capsys: Capture, monkeypatch
    ):
        first = save_photo(tmp_path / "a.png", seed=1)
        write = os.replace

        def interrupted(source: Path, target: Path) -> None:
            if target.name == "photo.png":
                raise KeyboardInterrupt
            write(source, target)

        monkeypatch.setattr(files.os, "replace", interrupted)
        assert run_depth([first, photo], checkpoint, tmp_path / "out") == 130
        assert capsys.readouterr().err.splitlines()[-1].startswith("interrupted; ")
        assert files_below(tmp_path / "out") == ["a.png"]


class TestAtomicWriting:
    @pytest.mark.parametrize("step", ["fsync", "replace"])
    def test_a_failure_leaves_the_old_file_and_nothing_else(self, step, tmp_path, monkeypatch):
        target = tmp_path / "depth.png"
        target.write_bytes(b"old")

        def full(*_: object) -> None:
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(files.os, step, full)
        with pytest.raises(files.FileError, match=r"depth\.png could not be written \(No space"):
            files.write_atomically(target, b"new")
        assert files_below(tmp_path) == ["depth.png"]
        assert target.read_bytes() == b"old"

    def test_a_full_disk_ends_the_run(
        self, photo, checkpoint, tmp_path, capsys: Capture, monkeypatch
    ):
        def full(*_: object) -> None:
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(files.os, "replace", full)
        assert run_depth(photo, checkpoint, tmp_path / "out") == 2
        assert "could not be written (No space left on device)" in capsys.readouterr().err
        assert files_below(tmp_path / "out") == []

    @pytest.mark.skipif(os.name != "posix", reason="permissions are those of POSIX")
    def test_results_have_the_usual_permissions(self, tmp_path):
        files.write_atomically(tmp_path / "ours", b"")
        (tmp_path / "usual").touch()
        modes = {(tmp_path / name).stat().st_mode for name in ("ours", "usual")}
        assert len(modes) == 1


class TestReading:
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
        np.testing.assert_array_equal(files.read_image(path), pixels.astype(np.float32) / 255)

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
        image = files.read_image(tmp_path / f"deep{suffix}")
        assert image.shape == (1, 5, 3)
        np.testing.assert_allclose(image[0, :, 1], grey[0] / 65535, rtol=1e-6)

    def test_values_out_of_range_are_refused(self, tmp_path):
        Image.fromarray(np.array([[0.5, 7.0]], np.float32)).save(tmp_path / "float.tif")
        with pytest.raises(files.FileError, match="not within 0 to 1"):
            files.read_image(tmp_path / "float.tif")

    @pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGBA", "CMYK"])
    def test_every_mode_becomes_rgb(self, mode, tmp_path):
        suffix = ".tif" if mode == "CMYK" else ".png"
        Image.new("RGB", (4, 2), "white").convert(mode).save(tmp_path / f"image{suffix}")
        image = files.read_image(tmp_path / f"image{suffix}")
        assert (image.shape, image.dtype) == ((2, 4, 3), np.float32)
        np.testing.assert_array_equal(image, 1)

    def test_palette_and_alpha_keep_the_colours(self, tmp_path):
        half = Image.new("RGBA", (2, 2), (255, 0, 51, 128))
        half.save(tmp_path / "alpha.png")
        half.quantize(4).save(tmp_path / "palette.png")  # with transparency in the palette
        for name in ("alpha.png", "palette.png"):
            np.testing.assert_allclose(files.read_image(tmp_path / name)[0, 0], [1, 0, 0.2])

    def test_the_first_of_several_frames_is_taken(self, tmp_path):
        frames = [Image.new("RGB", (3, 2), colour) for colour in ("red", "blue")]
        frames[0].save(tmp_path / "moving.gif", save_all=True, append_images=frames[1:])
        np.testing.assert_array_equal(files.read_image(tmp_path / "moving.gif")[0, 0], [1, 0, 0])


class TestInspect:
    def test_json_is_the_inspection(self, checkpoint, capsys: Capture):
        assert main(["inspect", str(checkpoint), "--json", "--max-depth", "20"]) == 0
        shown = json.loads(capsys.readouterr().out)
        expected = dpt_core.inspect(checkpoint, max_depth=20)
        fields = json.loads(json.dumps(dataclasses.asdict(expected), default=str))
        assert shown == {**fields, "known": None}
        assert shown["path"] == str(checkpoint)
        assert shown["family"] == "Depth Anything V2 metric"
        assert shown["config"]["max_depth"] == 20
        assert shown["config"]["encoder"]["stage_depths"] == [3, 3, 3, 3]
        assert [hint["evidence"] for hint in shown["hints"]] == [
            "the name 'depth_anything_v2_vits'",
            "chosen by the user",
        ]

    def test_the_table_is_aligned_and_gives_the_evidence(self, checkpoint, capsys: Capture):
        assert main(["inspect", str(checkpoint), "--variant", "v1"]) == 0
        lines = capsys.readouterr().out.splitlines()
        rows = {line[: line.index("  ")]: line for line in lines}
        assert rows["family"].endswith("  Depth Anything V1")
        assert rows["variant"].endswith("  v1 (chosen by the user)")
        assert rows["encoder stage depths"].endswith("  9 1 1 1")
        column = rows["family"].index("Depth Anything")
        assert all(line[column - 2 : column] == "  " and line[column] != " " for line in lines)


class TestProcess:
    def test_the_module_runs(self, photo, checkpoint, tmp_path):
        command = [sys.executable, "-m", "dpt_core", "depth", str(photo), "--resolution", "42"]
        command += ["--checkpoint", str(checkpoint), "--output", str(tmp_path / "out")]
        root = Path(dpt_core.__file__).parent.parent
        result = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
        assert result.stderr == ""
        assert result.returncode == 0
        assert result.stdout.startswith("1 written, 0 skipped, 0 already there: ")
        assert files_below(tmp_path / "out") == ["photo.png"]

    def test_help_and_version(self, capsys: Capture):
        for argv, text in (
            (["--help"], "example:"),
            (["depth", "--help"], "millimetres"),
            (["--version"], f"dpt-depth {dpt_core.__version__}"),
        ):
            with pytest.raises(SystemExit) as stop:
                main(argv)
            assert stop.value.code == 0
            assert text in capsys.readouterr().out


def test_png16_of_distance_is_white_near_and_restores(tmp_path: Path) -> None:
    depth = np.array([[1.0, 2.0], [3.0, 5.0]], dtype=np.float32)
    path = tmp_path / "distance.png"
    path.write_bytes(files.encode_png16(depth, "distance"))
    with Image.open(path) as picture:
        pixels, text = np.asarray(picture).astype(np.float64), picture.info
    assert pixels[0, 0] == 65535
    assert pixels[1, 1] == 0
    restored = float(text["offset"]) + float(text["scale"]) * pixels
    np.testing.assert_allclose(restored, depth, atol=4 / 65535 / 2)
