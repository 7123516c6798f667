"""The programs of the cloud: a virtual environment with Keystone and Glance, and Debian's RabbitMQ."""

import shutil
import subprocess
import venv
from pathlib import Path

from filelock import FileLock

REQUIREMENTS = Path(__file__).parent / "requirements.txt"
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
    cache.mkdir(parents=True, exist_ok=True)
    environment, stamp = Environment(cache / "venv"), cache / "venv" / "requirements.txt"
    with FileLock(cache / "venv.lock"):
        if not stamp.exists() or stamp.read_text() != REQUIREMENTS.read_text():
            venv.create(environment.folder, with_pip=True, clear=True)
            pip = [environment.program("pip"), "install", "--quiet", "--disable-pip-version-check"]
            subprocess.run([*pip, "--requirement", str(REQUIREMENTS)], check=True, capture_output=True)
            shutil.copy(REQUIREMENTS, stamp)
    return environment


def rabbitmq_server() -> str | None:
    """The start script of Debian's package, without the wrapper that changes to another user; None without it."""
    return next((str(found) for found in RABBITMQ.glob("rabbitmq_server-*/sbin/rabbitmq-server")), None)
