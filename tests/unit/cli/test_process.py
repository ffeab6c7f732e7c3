"""The command line as a process of its own, its help and its version."""

import subprocess
import sys
from pathlib import Path

import pytest

import dpt_core
from dpt_core.cli import main
from tests.unit.cli.command_line import files_below

Capture = pytest.CaptureFixture[str]


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

    @pytest.mark.parametrize("argv", [["--help"], ["depth", "--help"], ["depth", "--what"]])
    def test_help_and_wrong_options_do_not_wait_for_torch(self, argv):
        code = (
            "import atexit, sys\n"
            "from dpt_core.cli import main\n"
            "atexit.register(lambda: sys.stderr.write(f\"torch: {'torch' in sys.modules}\"))\n"
            f"main({argv!r})"
        )
        root = Path(dpt_core.__file__).parent.parent
        result = subprocess.run(
            [sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=False
        )
        assert result.returncode == (2 if "--what" in argv else 0)
        assert result.stderr.endswith("torch: False")
