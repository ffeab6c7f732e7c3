"""Golden records of a stand-in for official code, read back by the parity tests' loader."""

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from tests.parity.records import Record, relative_error, seeded
from tools.record_golden import RecordError, Recording, main, record_golden

CASES = {"base": (1, 3, 8, 8), "wide": (1, 3, 4, 12), "batch2": (2, 3, 8, 4)}


class Official(nn.Module):
    """A network with what makes recording hard: in-place changes, an index, a module used twice."""

    index: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 6, 3, padding=1)
        self.norm = nn.GroupNorm(2, 6)
        self.last = nn.Conv2d(6, 1, 1)
        self.relu = nn.ReLU(inplace=True)
        self.register_buffer("index", torch.arange(3).flip(0))

    def forward(self, images: Tensor) -> Tensor:
        images.add_(1)
        maps = self.norm(self.norm(self.stem(images[:, self.index])))
        return self.relu(self.last(maps)).squeeze(1)


class InATable(Official):
    """The same, with its result among others."""

    def forward(self, images: Tensor) -> dict[str, Tensor]:  # type: ignore[override]
        return {"features": images, "depth_map": super().forward(images)}


def recording(**changes: object) -> Recording:
    given = {
        "family": "stand_in",
        "layout": "official",
        "source": "nobody/nothing 0000000",
        "cases": CASES,
        "modules": {"logits": "last", "norm{call}": "norm"},
        "all_in": "wide",
        "config": {"max_depth": 20},
    }
    return Recording(**(given | changes))  # type: ignore[arg-type]


def weights_of(record: Record) -> dict[str, Tensor]:
    """The weights of a record, and the index, which every implementation makes itself."""
    return record.below("sd.") | {"index": torch.tensor([2, 1, 0])}


def test_a_record_of_seeded_weights_is_read_back(tmp_path: Path) -> None:
    target = tmp_path / "new" / "stand_in"
    record_golden(Official(), recording(last="last", logits=(0.5, 1.0), seed=5)).write(target)
    record = Record.read(target.with_suffix(".safetensors"))

    assert {name: tuple(images.shape) for name, images in record.below("in.").items()} == CASES
    wide = record.below("out.wide.")
    assert wide.keys() == {"logits", "norm1", "norm2", "depth"}
    assert record.below("out.base.").keys() == {"depth"}
    assert wide["logits"].min() < 0 <= wide["depth"].min()  # as it was before the in-place ReLU
    assert relative_error(wide["logits"].squeeze(1).relu(), wide["depth"]) == 0

    model = Official()
    model.load_state_dict(weights_of(record))
    for case, images in record.below("in.").items():
        with torch.no_grad():
            depth = model(images.clone())
        assert relative_error(depth, record.tensors[f"out.{case}.depth"]) < 1e-6

    made = record.notes["seeded"].keys()
    assert "sd.stem.weight" in made
    assert "sd.last.weight" not in made  # scaled, so its name does not stand for it any more
    same = seeded("sd.stem.weight", "float32", 6, 3, 3, 3, seed=5)
    assert torch.equal(record.tensors["sd.stem.weight"], same)
    assert not torch.equal(same, seeded("sd.stem.weight", "float32", 6, 3, 3, 3))


def test_the_notes_are_the_evidence(tmp_path: Path) -> None:
    golden = record_golden(Official(), recording(last="last", logits=(4.0, 0.5)))
    golden.write(tmp_path / "stand_in")
    notes = json.loads((tmp_path / "stand_in.json").read_text())
    assert notes == golden.notes
    assert notes["cases"] == {name: list(shape) for name, shape in CASES.items()}
    assert (notes["family"], notes["layout"], notes["seed"]) == ("stand_in", "official", 0)
    assert notes["config"] == {"max_depth": 20}
    results = {name for name in golden.tensors if name.startswith("out.")}
    assert notes["stats"].keys() == notes["float64_noise"].keys() == results
    assert notes["stats"]["out.base.depth"] == pytest.approx([4.0, 0.5], abs=1e-4)
    assert all(0 < noise < 1e-5 for noise in notes["float64_noise"].values())


def test_a_manifest_gives_the_number_formats() -> None:
    state = Official().state_dict()
    manifest = {key: ["float16", *tensor.shape] for key, tensor in state.items()}
    manifest["index"] = ["int64", 3]
    golden = record_golden(Official(), recording(last="last"), manifest=manifest)
    assert golden.notes["seeded"]["sd.stem.weight"] == ["float16", 6, 3, 3, 3]
    assert golden.tensors["sd.last.weight"].dtype == torch.float16
    assert golden.tensors["out.base.depth"].dtype == torch.float32


def test_a_checkpoint_is_kept_in_the_record(tmp_path: Path) -> None:
    state = {key: tensor.clone() for key, tensor in Official().state_dict().items()}
    golden = record_golden(InATable(), recording(output="depth_map"), checkpoint=state)
    golden.write(tmp_path / "stand_in")
    record = Record.read(tmp_path / "stand_in.safetensors")
    assert record.below("sd.").keys() == state.keys()
    assert all(torch.equal(tensor, state[key]) for key, tensor in record.below("sd.").items())
    assert all(name.startswith("in.") for name in record.notes["seeded"])


def test_what_cannot_be_recorded_is_refused() -> None:
    with pytest.raises(RecordError, match="norm is called 2 times"):
        record_golden(Official(), recording(modules={"norm": "norm"}))
    with pytest.raises(RecordError, match="no module neck"):
        record_golden(Official(), recording(modules={"neck": "neck"}))
    with pytest.raises(RecordError, match="returns a dict"):
        record_golden(InATable(), recording())
    with pytest.raises(RecordError, match="no case strip"):
        record_golden(Official(), recording(all_in="strip"))
    with pytest.raises(RecordError, match="relu has no weight and bias"):
        record_golden(Official(), recording(last="relu"))
    state = dict(Official().state_dict())
    with pytest.raises(RecordError, match="has no place for more"):
        record_golden(Official(), recording(), checkpoint=state | {"more": torch.ones(1)})
    with pytest.raises(RecordError, match=r"stem\.bias is 7 in the state dict and 6"):
        record_golden(Official(), recording(), checkpoint=state | {"stem.bias": torch.ones(7)})
    del state["stem.bias"]
    with pytest.raises(RecordError, match=r"lacks stem\.bias"):
        record_golden(Official(), recording(), checkpoint=state)


def test_the_command_writes_a_record_and_shows_what_is_in_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "factory_of_a_stand_in.py").write_text(
        "from torch import nn\n\ndef make():\n    return nn.Sequential(nn.Conv2d(3, 1, 3))\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    weights = tmp_path / "weights.safetensors"
    save_file(nn.Sequential(nn.Conv2d(3, 1, 3)).state_dict(), weights)
    target = tmp_path / "stand_in"
    command = [str(target), "--factory", "factory_of_a_stand_in:make", "--family", "stand_in"]
    command += ["--layout", "official", "--source", "nobody", "--cases", "odd=9x7", "b=2x5x8"]
    command += ["--record", "first=0"]
    assert main([*command, "--checkpoint", str(weights)]) == 0
    report = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in report[1:]] == [
        "out.odd.first",
        "out.odd.depth",
        "out.b.depth",
    ]
    record = Record.read(target.with_suffix(".safetensors"))
    assert record.tensors["out.b.depth"].shape == (2, 1, 3, 6)
    assert record.tensors["in.odd"].shape == (1, 3, 9, 7)

    assert main([*command, "--checkpoint", str(tmp_path / "none.pth")]) == 1
    assert "There is no file" in capsys.readouterr().err


def test_a_case_is_a_name_and_sides(capsys: pytest.CaptureFixture[str]) -> None:
    command = ["out", "--factory", "a:b", "--family", "c", "--layout", "official", "--source", "d"]
    with pytest.raises(SystemExit):
        main([*command, "--cases", "70x70"])
    assert "--cases" in capsys.readouterr().err
