"""The Prometheus queries of the dashboard and the alerts in `docker/`."""

import json
import re
from pathlib import Path
from typing import Any

import yaml

DOCKER = Path(__file__).parent.parent.parent / "docker"
NAME = re.compile(r"\b(?:image_gateway|haproxy|process)_[a-z0-9_]+")


def alerts() -> dict[str, str]:
    """The expression of each alert."""
    (group,) = yaml.safe_load((DOCKER / "prometheus" / "alerts.yaml").read_text())["groups"]
    return {rule["alert"]: rule["expr"] for rule in group["rules"]}


def panels() -> list[dict[str, Any]]:
    """The panels of the dashboard, without its headings."""
    dashboard = json.loads((DOCKER / "grafana" / "dashboards" / "gateway.json").read_text())
    return [panel for panel in dashboard["panels"] if panel["type"] != "row"]


def queries() -> list[str]:
    """Every expression of the dashboard and the alerts, with an interval in place of Grafana's variable."""
    expressions = [
        target["expr"].replace("$__rate_interval", "5m") for panel in panels() for target in panel["targets"]
    ]
    return [*expressions, *alerts().values()]


def names_queried() -> set[str]:
    return {name for query in queries() for name in NAME.findall(query)}


def names_of_cloud() -> set[str]:
    """The names that only a gateway in front of a cloud serves."""
    return {name for name in names_queried() if name.startswith(("image_gateway_mirror_", "image_gateway_upstream_"))}


def names_served(scrape: str) -> set[str]:
    """The names of all samples that the families in a scrape can have."""
    families = re.findall(r"^# TYPE (\S+) (\S+)$", scrape, re.MULTILINE)
    parts = {"histogram": ("_bucket", "_sum", "_count"), "summary": ("", "_sum", "_count")}
    return {name + part for name, type_ in families for part in parts.get(type_, ("",))}
