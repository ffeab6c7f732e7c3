"""Every failure is one sentence, and leaves no half-written file."""

import os
from pathlib import Path

import pytest
import torch
from PIL import Image

from dpt_core.cli import main
from dpt_core.cli.files import outputs
from dpt_core.cli.files.errors import FileError
from dpt_core.depth_map import Depth
from dpt_core.estimate.model import DepthModel
from tests.unit.cli.command_line import files_below, run_depth, save_photo

Capture = pytest.CaptureFixture[str]


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

        monkeypatch.setattr(outputs.os, "replace", interrupted)
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

        monkeypatch.setattr(outputs.os, step, full)
        with pytest.raises(FileError, match=r"depth\.png could not be written \(No space"):
            outputs.write_atomically(target, b"new")
        assert files_below(tmp_path) == ["depth.png"]
        assert target.read_bytes() == b"old"

    def test_a_full_disk_ends_the_run(
        self, photo, checkpoint, tmp_path, capsys: Capture, monkeypatch
    ):
        def full(*_: object) -> None:
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(outputs.os, "replace", full)
        assert run_depth(photo, checkpoint, tmp_path / "out") == 2
        assert "could not be written (No space left on device)" in capsys.readouterr().err
        assert files_below(tmp_path / "out") == []

    @pytest.mark.skipif(os.name != "posix", reason="permissions are those of POSIX")
    def test_results_have_the_usual_permissions(self, tmp_path):
        outputs.write_atomically(tmp_path / "ours", b"")
        (tmp_path / "usual").touch()
        modes = {(tmp_path / name).stat().st_mode for name in ("ours", "usual")}
        assert len(modes) == 1
