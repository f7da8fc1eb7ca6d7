"""A tiny root file system with nothing but a static busybox.

It comes from Debian's busybox-static package, taken apart without installing
it, so that a job with a shell entrypoint needs no image from anywhere.
"""

import os
import shutil
import subprocess
from pathlib import Path


def make_busybox_rootfs(directory: Path) -> Path:
    """Lays out the root file system in `directory` and returns it."""
    binary = _find_busybox(directory.parent)
    for name in ("bin", "etc", "tmp", "root", "proc", "sys", "dev", "opt/ml"):
        (directory / name).mkdir(parents=True, exist_ok=True)
    os.chmod(directory / "tmp", 0o1777)
    target = directory / "bin" / "busybox"
    shutil.copy(binary, target)
    target.chmod(0o755)
    applets = subprocess.run([target, "--list"], capture_output=True, text=True, check=True)
    for applet in applets.stdout.split():
        link = directory / "bin" / applet
        if not link.exists():
            link.symlink_to("busybox")
    (directory / "etc" / "passwd").write_text("root:x:0:0:root:/root:/bin/sh\n")
    (directory / "etc" / "group").write_text("root:x:0:\n")
    return directory


def _find_busybox(workplace: Path) -> Path:
    """A statically linked busybox: the machine's own, or Debian's package."""
    installed = shutil.which("busybox")
    if installed and _is_static(installed):
        return Path(installed)
    download = ["apt-get", "download", "-qq", "busybox-static"]
    if subprocess.run(download, cwd=workplace).returncode != 0:
        subprocess.run(["apt-get", "update", "-qq"], check=True)
        subprocess.run(download, cwd=workplace, check=True)
    package = next(workplace.glob("busybox-static_*.deb"))
    unpacked = workplace / "busybox-package"
    subprocess.run(["dpkg", "-x", package, unpacked], check=True)
    return next(path for path in unpacked.rglob("busybox") if path.is_file())


def _is_static(binary: str) -> bool:
    """Whether the program runs without shared libraries."""
    linked = subprocess.run(["ldd", binary], capture_output=True, text=True)
    return "not a dynamic executable" in linked.stdout + linked.stderr
