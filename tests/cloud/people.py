"""Who is there: projects, users and roles, made through Keystone's API. The password of NAME is NAME-secret."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx2

from tests.cloud.services import OBSERVER

ADMIN = "admin"
# The project and role of each user.
USERS = {
    "producer": ("producer", "member"),
    "producer-manager": ("producer", "manager"),
    "producer-reader": ("producer", "reader"),
    "consumer": ("consumer", "member"),
    "consumer-reader": ("consumer", "reader"),
    "second": ("second", "member"),
    "stranger": ("stranger", "member"),
    "glance": ("service", "service"),
    "observer": ("service", OBSERVER),
}
# Has the role `reader` in every project, inherited from the domain.
DOMAIN_READER = "domain-reader"


@dataclass(frozen=True)
class Token:
    """A token that Keystone has issued, and until when it is good."""

    id: str
    expires_at: str


@dataclass(frozen=True)
class Newcomer:
    """A user of its own project; `assignment` is the path of its role there."""

    name: str
    project_id: str
    user_id: str
    assignment: str


class Identity:
    """Keystone's API, as an administrator and as the users call it."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._client = httpx2.Client(timeout=60, trust_env=False)

    def token(self, user: str, project: str | None, **scope: Any) -> Token:
        """A new token of a user for a project; unscoped, or with another scope, if there is no project."""
        found = self._client.post(f"{self.url}/auth/tokens", json={"auth": _password(user, project, scope)})
        found.raise_for_status()
        return Token(found.headers["x-subject-token"], found.json()["token"]["expires_at"])

    def user_of(self, token: str) -> str:
        """The ID of the user whose token this is."""
        return self.request("GET", "/auth/tokens", token, {"X-Subject-Token": token})["token"]["user"]["id"]

    def application_token(self, user: str, token: str, **fields: Any) -> str:
        """A token of a new application credential of this user, whose token this is."""
        path = f"/users/{self.user_of(token)}/application_credentials"
        body = {"name": uuid4().hex, **fields}
        made = self.request("POST", path, token, application_credential=body)["application_credential"]
        credential = {"id": made["id"], "secret": made["secret"]}
        auth = {"identity": {"methods": ["application_credential"], "application_credential": credential}}
        return self._client.post(f"{self.url}/auth/tokens", json={"auth": auth}).headers["x-subject-token"]

    def trusted_token(self, trustor: str, trustee: str, trustee_token: str) -> str:
        """A token of the trustee for the project of the trustor, whose token this is."""
        described = self.request("GET", "/auth/tokens", trustor, {"X-Subject-Token": trustor})["token"]
        trust = {
            "trustor_user_id": described["user"]["id"],
            "trustee_user_id": self.user_of(trustee_token),
            "project_id": described["project"]["id"],
            "impersonation": False,
            "roles": [{"name": "member"}],
        }
        made = self.request("POST", "/OS-TRUST/trusts", trustor, trust=trust)["trust"]
        return self.token(trustee, None, **{"OS-TRUST:trust": {"id": made["id"]}}).id

    def newcomer(self, admin: str) -> "Newcomer":
        """A new user with the role `member` in a new project of the same name, made with an administrator's token."""
        name = uuid4().hex
        project = self.request("POST", "/projects", admin, project={"name": name, "domain_id": "default"})["project"]
        person = {"name": name, "password": f"{name}-secret", "domain_id": "default"}
        user = self.request("POST", "/users", admin, user=person)["user"]
        [role] = self.request("GET", "/roles?name=member", admin)["roles"]
        assignment = f"/projects/{project['id']}/users/{user['id']}/roles/{role['id']}"
        self.request("PUT", assignment, admin)
        return Newcomer(name, project["id"], user["id"], assignment)

    def revoke(self, token: str) -> None:
        self.request("DELETE", "/auth/tokens", token, headers={"X-Subject-Token": token})

    def request(self, method: str, path: str, token: str, headers: Mapping[str, str] | None = None, **body: Any) -> Any:
        """The JSON that Keystone answers."""
        sent = {"X-Auth-Token": token, **(headers or {})}
        found = self._client.request(method, f"{self.url}{path}", headers=sent, json=body or None)
        found.raise_for_status()
        return found.json() if found.content else None


def populate(identity: Identity, image_url: str) -> dict[str, str]:
    """Make projects, users, roles and the catalog's entry for images; the IDs of the projects by name."""
    admin = identity.token(ADMIN, ADMIN).id

    def make(kind: str, path: str, **fields: Any) -> str:
        return identity.request("POST", path, admin, **{kind: fields})[kind]["id"]

    make("role", "/roles", name=OBSERVER)
    roles = {role["name"]: role["id"] for role in identity.request("GET", "/roles", admin)["roles"]}
    names = dict.fromkeys(project for project, _ in USERS.values())
    projects = {name: make("project", "/projects", name=name, domain_id="default") for name in names}
    for name, (project, role) in USERS.items():
        user = make("user", "/users", name=name, password=f"{name}-secret", domain_id="default")
        identity.request("PUT", f"/projects/{projects[project]}/users/{user}/roles/{roles[role]}", admin)
    reader = make("user", "/users", name=DOMAIN_READER, password=f"{DOMAIN_READER}-secret", domain_id="default")
    inherited = f"/OS-INHERIT/domains/default/users/{reader}/roles/{roles['reader']}/inherited_to_projects"
    identity.request("PUT", inherited, admin)
    service = make("service", "/services", name="glance", type="image")
    make("endpoint", "/endpoints", service_id=service, interface="public", region="here", url=image_url)
    return projects


def write_clouds(path: Path, keystone_url: str) -> None:
    """The file in which OpenStack's own clients find a cloud for each user."""
    users = {name: project for name, (project, _) in USERS.items()} | {ADMIN: ADMIN}
    clouds = {
        user: {
            "region_name": "here",
            "auth": {
                "auth_url": keystone_url,
                "username": user,
                "password": f"{user}-secret",
                "project_name": project,
                "user_domain_id": "default",
                "project_domain_id": "default",
            },
        }
        for user, project in users.items()
    }
    path.write_text(json.dumps({"clouds": clouds}))  # JSON is YAML


def _password(user: str, project: str | None, scope: dict[str, Any]) -> dict[str, Any]:
    person = {"name": user, "domain": {"id": "default"}, "password": f"{user}-secret"}
    identity = {"identity": {"methods": ["password"], "password": {"user": person}}}
    if project is not None:
        scope = {"project": {"name": project, "domain": {"id": "default"}}}
    return {**identity, "scope": scope} if scope else identity
