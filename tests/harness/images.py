"""Images as `docker save` writes them."""

import io
import json
import tarfile
from pathlib import Path


def docker_archive(archive: Path, rootfs: Path, start: dict) -> Path:
    """Writes an image of one layer, whose containers start as its configuration says, and
    returns the path."""
    layer = io.BytesIO()
    with tarfile.open(fileobj=layer, mode="w") as tar:
        tar.add(rootfs, arcname=".")
    config = {
        "architecture": "amd64",
        "os": "linux",
        "config": start,
        "rootfs": {"type": "layers", "diff_ids": []},
    }
    manifest = [{"Config": "config.json", "RepoTags": ["image:1"], "Layers": ["layer.tar"]}]
    with tarfile.open(archive, mode="w") as tar:
        for name, body in [
            ("config.json", json.dumps(config).encode()),
            ("manifest.json", json.dumps(manifest).encode()),
            ("layer.tar", layer.getvalue()),
        ]:
            entry = tarfile.TarInfo(name)
            entry.size = len(body)
            tar.addfile(entry, io.BytesIO(body))
    return archive
