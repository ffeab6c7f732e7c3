"""Published files are recognised by their hashes, and what `inspect` says of a file."""

import dpt_core
from dpt_core.checkpoint import published
from tests.builders import write_checkpoint


class TestInspection:
    def test_published_file_and_its_licence(self, depth_anything, tmp_path, monkeypatch):
        path = write_checkpoint(tmp_path / "renamed.pth", depth_anything)
        digest = published._sha256(path, path.stat().st_size, 0)
        entry = published.PublishedFile(
            "da_tiny.pth", "Apache-2.0", path.stat().st_size, digest, "v1"
        )
        monkeypatch.setattr(published, "PUBLISHED", (entry,))
        inspection = dpt_core.inspect(path)
        assert inspection.published == entry
        assert "published file: da_tiny.pth, Apache-2.0" in inspection.summary()

    def test_file_of_the_same_size_is_not_the_published_one(
        self, depth_anything, tmp_path, monkeypatch
    ):
        path = write_checkpoint(tmp_path / "renamed.pth", depth_anything)
        entry = published.PublishedFile("da_tiny.pth", "MIT", path.stat().st_size, "0" * 64, "v1")
        monkeypatch.setattr(published, "PUBLISHED", (entry,))
        assert dpt_core.inspect(path).published is None

    def test_summary_says_what_it_is(self, depth_anything, tmp_path):
        summary = dpt_core.inspect(
            write_checkpoint(tmp_path / "model.safetensors", depth_anything)
        ).summary()
        for part in ("Depth Anything V1", "official keys", "4 blocks", "float32", "42 pixels"):
            assert part in summary
