"""The programs of the cloud: a virtual environment with Keystone and Glance, and Debian's RabbitMQ."""

import subprocess
import venv
from pathlib import Path

from filelock import FileLock

REQUIREMENTS = Path(__file__).parent / "requirements.txt"
TEMPEST = "tempest==47.0.0"
RABBITMQ = Path("/usr/lib/rabbitmq/lib")


class Environment:
    """A virtual environment that holds the cloud's programs; it is installed once and kept."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def program(self, name: str) -> str:
        return str(self.folder / "bin" / name)

    def data_file(self, name: str) -> Path:
        """A file that a package has installed beside its code, such as `etc/glance/glance-api-paste.ini`."""
        return self.folder / name


def installed(cache: Path) -> Environment:
    """Install the programs if they are missing or of other versions, which takes one to two minutes."""
    return _installed(cache, "venv", REQUIREMENTS.read_text())


def tempest(cache: Path) -> str:
    """Install OpenStack's own tests likewise; the path of their program."""
    return _installed(cache, "tempest", f"{TEMPEST}\n").program("tempest")


def _installed(cache: Path, name: str, requirements: str) -> Environment:
    cache.mkdir(parents=True, exist_ok=True)
    environment, stamp = Environment(cache / name), cache / name / "requirements.txt"
    with FileLock(cache / f"{name}.lock"):
        if not stamp.exists() or stamp.read_text() != requirements:
            venv.create(environment.folder, with_pip=True, clear=True)
            (wanted := environment.folder / "wanted.txt").write_text(requirements)
            pip = [environment.program("pip"), "install", "--quiet", "--disable-pip-version-check"]
            subprocess.run([*pip, "--requirement", str(wanted)], check=True, capture_output=True)
            wanted.rename(stamp)
    return environment


def rabbitmq_server() -> str | None:
    """The start script of Debian's package, without the wrapper that changes to another user; None without it."""
    return next((str(found) for found in RABBITMQ.glob("rabbitmq_server-*/sbin/rabbitmq-server")), None)
