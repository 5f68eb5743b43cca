"""Images built without a registry: by buildah, on a base of Debian's packages.

Making the base takes minutes: BASE_ROOTFS names the tar of one that was made before.
"""

import os
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests import ROOT

PACKAGES = "python3,python3-venv,ca-certificates"
# Certificates of this machine: its way to the package index may need more than Debian's.
CERTIFICATES = Path("/etc/ssl/certs")
# No kernel feature that a container or a test machine may lack; each layer is a whole copy.
ENVIRON = {"STORAGE_DRIVER": "vfs", "BUILDAH_ISOLATION": "chroot"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Builder:
    """buildah, with a store of its own in `directory`."""

    directory: Path

    def base(self) -> str:
        """Return the name of a new image of Debian with Python, of some 200 MB."""
        context = self.directory / "base"
        context.mkdir()
        tar = context / "rootfs.tar"
        if made := os.environ.get("BASE_ROOTFS"):
            shutil.copyfile(made, tar)
        else:
            command = ["mmdebstrap", "--variant=minbase", f"--include={PACKAGES}", "bookworm"]
            subprocess.run([*command, str(tar)], check=True, capture_output=True)
        (context / "Containerfile").write_text("FROM scratch\nADD rootfs.tar /\n")
        self.run("bud", "-t", "base", str(context))
        return "localhost/base"

    def build(self, target: str, base: str) -> str:
        """Build one of our images on `base`, and return its name."""
        file = ROOT / "infra" / "container" / "Containerfile"
        options = ["--layers", "--target", target, "-t", target, "--build-arg", f"BASE={base}"]
        options += ["-f", str(file), "--ignorefile", f"{file}.dockerignore"]
        if CERTIFICATES.is_dir():
            options += ["-v", f"{CERTIFICATES}:{CERTIFICATES}:ro"]
        self.run("bud", *options, str(ROOT))
        return f"localhost/{target}"

    def container(self, image: str) -> str:
        """Return the name of a new container of an image."""
        return self.run("from", image).strip()

    def inside(self, container: str, *command: str) -> str:
        """Run a command in a container as its user, and return what it prints."""
        return self.run("run", container, "--", *command)

    def exit_code(self, container: str, *command: str) -> int:
        """Run a command in a container as its user, and return its exit code."""
        words = self.command("run", container, "--", *command)
        done = subprocess.run(words, env=environ(), capture_output=True, check=False)
        return done.returncode

    def command(self, *arguments: str) -> Sequence[str]:
        """Return the words of a command of buildah."""
        places = ("--root", str(self.directory / "store"), "--runroot", str(self.directory / "run"))
        return ["buildah", *places, *arguments]

    def run(self, *arguments: str) -> str:
        """Run buildah to its end and return what it prints; fail with its errors."""
        done = subprocess.run(
            self.command(*arguments), env=environ(), capture_output=True, text=True, check=False
        )
        assert 0 == done.returncode, done.stderr[-4000:]
        return done.stdout


def environ() -> dict[str, str]:
    """Return the environment of buildah."""
    return {**os.environ, **ENVIRON}
