# ruff: noqa: E501  (one file a line)
"""Published files by their SHA-256: proof of what a file is, whatever its name.

Sizes and hashes come from the hosts' own listings (Git LFS pointers on Hugging Face,
release pages on GitHub). Hashing takes a second or so per gigabyte, so a file is hashed only
if its size is exactly that of a published one, and once per path, size and modification time.
"""

import hashlib
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path


@dataclass(frozen=True)
class PublishedFile:
    """A published checkpoint.

    Attributes:
        name: its name where it is published.
        licence: SPDX identifier of the licence of its weights.
        size: bytes.
        sha256: hexadecimal digest.
        variant: ``"v1"`` or ``"v2"`` of Depth Anything; None for other models.
        max_depth: maximum depth in metres of a metric model; None for a relative one.
    """

    name: str
    licence: str
    size: int
    sha256: str
    variant: str | None = None
    max_depth: float | None = None


# Name, licence, bytes, SHA-256, and for Depth Anything the variant and the maximum depth in metres.
_TABLE = """\
depth_anything_v2_vits.pth                          Apache-2.0      99218434  715fade13be8f229f8a70cc02066f656f2423a59effd0579197bbf57860e1378  v2
depth_anything_v2_vitb.pth                          CC-BY-NC-4.0   389961218  0d2b7002e62d39d655571c371333340bd88f67ab95050c03591555aa05645328  v2
depth_anything_v2_vitl.pth                          CC-BY-NC-4.0  1341395338  a7ea19fa0ed99244e67b624c72b8580b7e9553043245905be58796a608eb9345  v2
depth_anything_v2_metric_hypersim_vits.pth          Apache-2.0      99222290  b782898d8a3e8be1f639de33837ed85e9b4b73e40f8f5e5cd99067588d722545  v2  20
depth_anything_v2_metric_hypersim_vitb.pth          CC-BY-NC-4.0   389965138  9dc9e274c5eff55c6daf27b660c0ced0eca4e8593a6da90cdcb04d2b4d3f3fa2  v2  20
depth_anything_v2_metric_hypersim_vitl.pth          CC-BY-NC-4.0  1341401882  6f82ff2bc543ac02ddff4aa31fa363676a8305dd3ccf04e80e2af115a044cb6d  v2  20
depth_anything_v2_metric_vkitti_vits.pth            Apache-2.0      99221808  9203e538d35255c90dda4b7fedb47ff33fe725497bcca3b1e53b3a65ee63f0cb  v2  80
depth_anything_v2_metric_vkitti_vitb.pth            CC-BY-NC-4.0   389964656  4dad67a7cc10b462bca48e6b8569c762b8eb3c1adada170a3851a6d3ba37bb3e  v2  80
depth_anything_v2_metric_vkitti_vitl.pth            CC-BY-NC-4.0  1341401064  239b1054a369e66da2576e9a118d6d7c12d90dc8ebe609579a9a09cd8e05fe38  v2  80
depth_anything_v2_vitl_metric_hypersim.safetensors  CC-BY-NC-4.0   670674778  9dac5ab08be7ae2b83b84739f3a4d60965c6039196d73460a5e59dbd5fb794aa  v2  20
depth_anything_v2_vitl_metric_vkitti.safetensors    CC-BY-NC-4.0   670674778  3ca123d3c1fdcebd039e7b3607fb35faba01a9f553188d38f83263e5ef8bf2b7  v2  80
dpt_hybrid-midas-501f0c75.pt                        MIT            492757791  501f0c75b3bca7daec6b3682c5054c09b366765aef6fa3a09d03a5cb4b230853  # and dpt_hybrid_384.pt
dpt_large-midas-2f21e586.pt                         MIT           1376378527  2f21e586477d90cb9624c7eef5df7891edca49a1c4795ee2cb631fd4daa6ca69  # and dpt_large_384.pt
dpt_beit_large_384.pt                               MIT           1441465011  9a86e82345dee25004eeacbc25db11fae827d32cd6939a9056eb7db6ef895413
sam_vit_b_01ec64.pth                                Apache-2.0     375042383  ec2df62732614e57411cdcf32a23ffdf28910380d03139ee0f4fcbe91eb8c912
sam_vit_l_0b3195.pth                                Apache-2.0    1249524607  3adcc4315b642a4d2101128f611684e8734c41232a17c648ed1693702a49a622
sam_vit_h_4b8939.pth                                Apache-2.0    2564550879  a7bf3b02f3ebf1267aba913ff637d9a2d5c33d3173bb679e46d9f338c26f262e
"""


def _parse(line: str) -> PublishedFile:
    name, licence, size, sha256, *depth = line.partition("#")[0].split()
    variant = depth[0] if depth else None
    metres = float(depth[1]) if depth[1:] else None
    return PublishedFile(name, licence, int(size), sha256, variant, metres)


PUBLISHED = tuple(map(_parse, _TABLE.splitlines()))


def find_published(path: Path) -> PublishedFile | None:
    """The published file with exactly the bytes of `path`, or None."""
    try:
        status = path.stat()
        candidates = [file for file in PUBLISHED if file.size == status.st_size]
        if not candidates or not path.is_file():
            return None
        digest = _sha256(path, status.st_size, status.st_mtime_ns)
    except OSError:  # removed since it was read, so there is nothing to hash
        return None
    return next((file for file in candidates if file.sha256 == digest), None)


@lru_cache(maxsize=256)
def _sha256(path: Path, size: int, time: int) -> str:
    """Hexadecimal digest of a file; size and time are part of the cache's key, for changed files."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(1 << 20):
            digest.update(chunk)
    return digest.hexdigest()
