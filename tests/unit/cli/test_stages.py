"""What `stages` draws."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from dpt_core.cli import main


class TestStages:
    def test_every_step_is_written(
        self, checkpoint: Path, photo: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ):
        output = tmp_path / "steps"
        options = ["--checkpoint", str(checkpoint), "--output", str(output), "--resolution", "56"]
        assert main(["stages", str(photo), *options, "--tile", "120"]) == 0
        assert capsys.readouterr().out == f"8 contact sheets written: {output}\n"
        written = sorted(output.iterdir())
        assert [path.name.split("_")[0] for path in written] == list("12345678")
        for path in written:
            with Image.open(path) as sheet:
                assert np.asarray(sheet).std() > 10

    @pytest.mark.parametrize("unreadable", ["photo", "checkpoint"])
    def test_a_file_that_cannot_be_read_is_one_line(
        self, unreadable: str, request: pytest.FixtureRequest, checkpoint, photo, tmp_path, capsys
    ):
        request.getfixturevalue(unreadable).write_bytes(b"nothing")
        options = ["--checkpoint", str(checkpoint), "--output", str(tmp_path / "steps")]
        assert main(["stages", str(photo), *options]) == 2
        error = capsys.readouterr().err
        assert error.startswith("error: ")
        assert error.count("\n") == 1
        assert not (tmp_path / "steps").exists()

    @pytest.mark.parametrize(
        "more", [["--point", "0.5", "1.5"], ["--point", "x", "0"], ["--tile", "0"]]
    )
    def test_numbers_out_of_range_are_refused(self, more: list[str], capsys):
        with pytest.raises(SystemExit) as stop:
            main(["stages", "photo.png", *more])
        assert stop.value.code == 2
        error = capsys.readouterr().err
        assert error.startswith("error: argument --")
        assert error.count("\n") == 1
