"""How Keystone, Glance and RabbitMQ are configured and started."""

import json
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.cloud.environment import Environment
from tests.cloud.process import Process
from tests.harness.kernel import free_port

Sections = Mapping[str, Mapping[str, object]]
# A role that reads all images and members and writes nothing: what the gateway's credential should have.
OBSERVER = "image-observer"
READING = ("get_image", "get_images", "get_member", "get_members")


@dataclass(frozen=True)
class Options:
    """What a test may want to be different in its cloud."""

    glance_workers: int = 1
    token_seconds: int = 3_600
    # How long Glance believes that a token is good; keystonemiddleware's default is 300.
    glance_token_cache_seconds: int = 300
    member_quota: int = 128


class Folder:
    """Where one cloud keeps its configuration, data and logs."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def made(self, name: str) -> Path:
        (path := self.path / name).mkdir(parents=True, exist_ok=True)
        return path

    def write(self, name: str, sections: Sections) -> Path:
        """An INI file."""
        lines = [line for section, values in sections.items() for line in (f"[{section}]", *_lines(values))]
        (path := self.made("conf") / name).parent.mkdir(exist_ok=True)
        path.write_text("\n".join(lines) + "\n")
        return path

    def log(self, name: str) -> Path:
        return self.made("log") / f"{name}.log"

    def process(self, name: str, command: str, address: str, environment: Mapping[str, str]) -> Process:
        """A program with this environment."""
        return Process(self.made("run") / f"{name}.json", [command], self.log(name), address, environment)


def keystone_settings(folder: Folder, database_url: str, options: Options) -> Path:
    keys = folder.made("keys")
    return folder.write(
        "keystone/keystone.conf",
        {
            "DEFAULT": {"log_file": folder.log("keystone"), "use_stderr": "false"},
            "database": {"connection": database_url},
            "identity": {"password_hash_rounds": 4},  # passwords of tests need no protection, and are checked often
            "token": {"provider": "fernet", "expiration": options.token_seconds},
            "fernet_tokens": {"key_repository": keys / "fernet"},
            "fernet_receipts": {"key_repository": keys / "fernet"},
            "credential": {"key_repository": keys / "credential"},
        },
    )


@dataclass(frozen=True)
class GlanceParts:
    """What Glance is told of the rest of the cloud; `bus_url` is None where there is no RabbitMQ."""

    url: str
    keystone_url: str
    database_url: str
    bus_url: str | None
    policy: Path


def glance_settings(folder: Folder, environment: Environment, parts: GlanceParts, options: Options) -> Path:
    bus = {} if parts.bus_url is None else {"transport_url": parts.bus_url}
    stores = {name: folder.made(f"images/{name}") for name in ("files", "staging", "tasks")}
    return folder.write(
        "glance/glance-api.conf",
        {
            "DEFAULT": {
                "log_file": folder.log("glance"),
                "use_stderr": "false",
                "enabled_backends": "files:file",
                "worker_self_reference_url": parts.url,
                "image_member_quota": options.member_quota,
                "enabled_import_methods": "[]",
                **bus,
            },
            # An attempt to notify a broker that is away would hold up the request for ever by default.
            "oslo_messaging_notifications": {"driver": "messagingv2" if bus else "noop", "retry": 0},
            "glance_store": {"default_backend": "files"},
            "files": {"filesystem_store_datadir": stores["files"]},
            "os_glance_staging_store": {"filesystem_store_datadir": stores["staging"]},
            "os_glance_tasks_store": {"filesystem_store_datadir": stores["tasks"]},
            "database": {"connection": parts.database_url},
            "image_cache": {"image_cache_driver": "sqlite"},
            "oslo_policy": {"policy_file": parts.policy},
            "paste_deploy": {
                "flavor": "keystone",
                "config_file": environment.data_file("etc/glance/glance-api-paste.ini"),
            },
            "keystone_authtoken": _middleware_settings(parts.keystone_url, options),
        },
    )


def _middleware_settings(keystone_url: str, options: Options) -> dict[str, object]:
    """How Glance asks Keystone about the tokens of its callers."""
    return {
        "www_authenticate_uri": keystone_url,
        "auth_url": keystone_url,
        "auth_type": "password",
        "username": "glance",
        "password": "glance-secret",
        "project_name": "service",
        "user_domain_id": "default",
        "project_domain_id": "default",
        "token_cache_time": options.glance_token_cache_seconds,
    }


def observer_policy(folder: Folder, environment: Environment) -> Path:
    """Glance's own policy, but that the observer's role sees everything and may change nothing."""
    program = "import json, glance.policies as p; print(json.dumps({r.name: r.check_str for r in p.list_rules()}))"
    printed = subprocess.run([environment.program("python"), "-c", program], capture_output=True, text=True, check=True)
    path = folder.made("conf") / "glance-policy.json"
    path.write_text(_with_observer(printed.stdout))
    return path


def wsgi_server(name: str, port: int, workers: int, folder: Folder, environment: Environment) -> Process:
    """Gunicorn with Keystone or Glance. Both read the command line of whatever loads them, so it has no options."""
    settings = folder.made("conf") / f"{name}.gunicorn.py"
    settings.write_text(
        f'wsgi_app = "{name}.wsgi.api:application"\nbind = "127.0.0.1:{port}"\nworkers = {workers}\n'
        f'accesslog = "{folder.log(f"{name}-access")}"\ncontrol_socket_disable = True\ngraceful_timeout = 2\n'
    )
    surroundings = {
        "GUNICORN_CMD_ARGS": f"--config {settings}",
        "OS_KEYSTONE_CONFIG_DIR": str(folder.made("conf/keystone")),
        "OS_GLANCE_CONFIG_DIR": str(folder.made("conf/glance")),
    }
    url = f"http://127.0.0.1:{port}/healthcheck"
    return folder.process(name, environment.program("gunicorn"), url, surroundings)


def broker(program: str, folder: Folder) -> tuple[Process, Process, int]:
    """Erlang's port mapper, RabbitMQ and its port: on addresses of this machine only, and all data below the folder."""
    data, mapper, port, distribution = folder.made("bus"), free_port(), free_port(), free_port()
    surroundings = {
        "HOME": str(data),
        "ERL_EPMD_PORT": str(mapper),
        "ERL_EPMD_ADDRESS": "127.0.0.1",
        "RABBITMQ_CONF_ENV_FILE": "/dev/null",
        "RABBITMQ_NODENAME": f"tests{port}@localhost",
        "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
        "RABBITMQ_NODE_PORT": str(port),
        "RABBITMQ_DIST_PORT": str(distribution),
        "RABBITMQ_MNESIA_BASE": str(data),
        "RABBITMQ_LOG_BASE": str(folder.made("log")),
        "RABBITMQ_CONFIG_FILE": str(data / "none"),
        "RABBITMQ_ENABLED_PLUGINS_FILE": str(data / "plugins"),
        "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-kernel inet_dist_use_interface {127,0,0,1}",
    }
    # Left to RabbitMQ, the mapper would outlive it.
    names = folder.process("epmd", "epmd", str(mapper), surroundings)
    return names, folder.process("bus", program, str(port), surroundings), port


def _lines(values: Mapping[str, object]) -> list[str]:
    return [f"{name} = {value}" for name, value in values.items()]


def _with_observer(rules: str) -> str:
    """Only reading takes the observer for an admin."""
    policy: dict[str, str] = json.loads(rules)
    changed = {
        name: check.replace("rule:context_is_admin", "role:admin")
        for name, check in policy.items()
        if name not in READING and "rule:context_is_admin" in check
    }
    return json.dumps({**changed, "context_is_admin": f"role:admin or role:{OBSERVER}"})
