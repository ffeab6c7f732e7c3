"""Videos on the command line."""

import io
import sys
from pathlib import Path
from typing import Any, cast

import av
import numpy as np
import pytest
import torch
from PIL import Image

from dpt_core import render
from dpt_core.cli import batch
from dpt_core.cli.files import videos
from dpt_core.cli.files.plan import PlannedInput
from dpt_core.depth_map import Depth
from dpt_core.estimate.model import DepthModel
from tests.unit.cli.command_line import files_below, run_depth, save_photo

Capture = pytest.CaptureFixture[str]


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
    def test_only_missing_frames_are_made(self, more, checkpoint, tmp_path, capsys: Capture):
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
        grey = render.render(depth, render.RenderSettings(range=render.SteadyRange()))
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


def test_the_sky_of_a_steady_video_is_black(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sky = torch.zeros(1, 4, 6)
    sky[:, :2] = 1.0
    depth = Depth(torch.rand(1, 4, 6) + 1, "depth", sky=sky)
    reads = [(tmp_path / f"{number}.png", lambda: np.zeros((4, 6, 3))) for number in range(3)]
    monkeypatch.setattr(batch, "_images", lambda *_: iter(reads))
    monkeypatch.setattr(batch.DepthEstimator, "__call__", lambda *_: depth)
    form = batch.OutputFormat("png8", ".png", steady=True)
    item = PlannedInput(Path("clip.mp4"), tmp_path / "clip")
    estimate = batch.DepthEstimator(cast(Any, object))  # its model is never used
    found = list(batch.estimate_results(item, form, estimate, True))
    assert len(found) == 3
    for _, content in found:
        assert content is not None
        picture = np.asarray(Image.open(io.BytesIO(content)))
        assert (picture[:2] == 0).all()
        assert picture[2:].max() == 255
