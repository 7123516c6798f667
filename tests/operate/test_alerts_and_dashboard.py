"""The alerts and the dashboard: expressions are well-formed, each alert can fire, and panels don't overlap."""

import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.harness.dashboards import DOCKER, alerts, panels, queries

ALERTS = DOCKER / "prometheus" / "alerts.yaml"
CALLS = "image_gateway_upstream_call_duration_seconds"
LOOKS, DURATION = "image_gateway_log_looks_total", "image_gateway_operation_duration_seconds"
# For each alert: the series, with one value per minute, and when it fires.
TROUBLE: dict[str, dict[str, str]] = {
    "HoleInTheLog": {"image_gateway_watch_gap_total": "0x5 1x55"},
    "NoWorkerServes": {'haproxy_backend_active_servers{proxy="workers"}': "0x60"},
    "WorkerIsAway": {'up{job="gateway"}': "0x60"},
    "LogIsNotRead": {"image_gateway_log_read_age_seconds": "0+60x60"},
    "HintsDoNotArrive": {f'{LOOKS}{{cause="hint"}}': "5x60", "image_gateway_log_head": "0+600x60"},
    "Faults": {f'{DURATION}_count{{result="fault"}}': "0+60x60"},
    "QueriesAreSlow": {
        f'{DURATION}_bucket{{kind="query",le="2.5"}}': "0+60x60",
        f'{DURATION}_bucket{{kind="query",le="0.5"}}': "0+6x60",
        f'{DURATION}_bucket{{kind="query",le="+Inf"}}': "0+60x60",
    },
    "WatchesStartAnew": {'image_gateway_watch_resets_total{reason="EXPIRED"}': "0+1x60"},
    "NotificationQueueFills": {"image_gateway_notification_queue_usage": "0.6x60"},
    "TransactionStaysOpen": {"image_gateway_oldest_transaction_seconds": "0+60x60"},
    "MirrorIsOutOfDate": {"image_gateway_mirror_age_seconds": "0+60x60"},
    "LooksFallBehind": {"image_gateway_mirror_marks_waiting": "5000x60"},
    "NotificationsAreAway": {"image_gateway_mirror_bus_connected": "0x60"},
    "CloudDoesNotAnswer": {f'{CALLS}_count{{service="glance",status="unanswered"}}': "0+60x60"},
    "FilesRunOut": {'process_open_fds{job="gateway"}': "900x60", 'process_max_fds{job="gateway"}': "1000x60"},
    "ConnectionsRunOut": {
        "haproxy_process_current_connections": "7900x60",
        "haproxy_process_max_connections": "8000x60",
    },
}
needs_promtool = pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is not installed")


def promtool(*arguments: str) -> str:
    completed = subprocess.run(["promtool", *arguments], capture_output=True, text=True)
    assert completed.returncode == 0, completed.stdout + completed.stderr
    return completed.stdout


@needs_promtool
def test_prometheus_accepts_its_configuration() -> None:
    assert f"{len(alerts())} rules found" in promtool("check", "config", str(DOCKER / "prometheus" / "prometheus.yaml"))


@needs_promtool
def test_every_expression_is_well_formed(tmp_path: Path) -> None:
    rules = [{"record": f"asked:{number}", "expr": question} for number, question in enumerate(queries())]
    (path := tmp_path / "asked.yaml").write_text(yaml.safe_dump({"groups": [{"name": "asked", "rules": rules}]}))

    assert f"{len(rules)} rules found" in promtool("check", "rules", str(path))


@needs_promtool
@pytest.mark.parametrize("name", TROUBLE)
def test_each_alert_fires_in_its_situation_and_no_other_does(name: str, tmp_path: Path) -> None:
    alone = {"alertname": name, "eval_time": "59m"}
    quiet = [{**alone, "alertname": other} for other in alerts() if other not in (name, "NoWorkerServes")]
    assert _fails(tmp_path, TROUBLE[name], [alone]), "it stays quiet"
    promtool("test", "rules", str(_cases(tmp_path, TROUBLE[name], quiet)))


def test_there_is_a_situation_for_each_alert() -> None:
    assert set(TROUBLE) == set(alerts())


def test_the_panels_do_not_overlap() -> None:
    cells = [cell for panel in panels() for cell in _cells(panel["gridPos"])]

    assert len(cells) == len(set(cells))
    assert all(column < 24 for column, _ in cells)
    assert len({panel["id"] for panel in panels()}) == len(panels())
    assert {panel["datasource"]["uid"] for panel in panels()} == {_datasource()["uid"]}


def _cells(place: dict[str, int]) -> list[tuple[int, int]]:
    columns, rows = range(place["x"], place["x"] + place["w"]), range(place["y"], place["y"] + place["h"])
    return [(column, row) for column in columns for row in rows]


def _datasource() -> dict[str, Any]:
    (source,) = yaml.safe_load((DOCKER / "grafana" / "datasources" / "prometheus.yaml").read_text())["datasources"]
    return source


def _cases(folder: Path, series: dict[str, str], expected: list[dict[str, Any]]) -> Path:
    """A test for promtool that expects exactly these alerts."""
    case = {
        "interval": "1m",
        "input_series": [{"series": name, "values": values} for name, values in series.items()],
        "alert_rule_test": expected,
    }
    path = folder / "cases.yaml"
    path.write_text(yaml.safe_dump({"rule_files": [str(ALERTS)], "evaluation_interval": "1m", "tests": [case]}))
    return path


def _fails(folder: Path, series: dict[str, str], expected: list[dict[str, Any]]) -> bool:
    """Whether an unexpected alert has fired."""
    completed = subprocess.run(
        ["promtool", "test", "rules", str(_cases(folder, series, expected))], capture_output=True
    )
    return completed.returncode == 1 and b"FAILED" in completed.stdout + completed.stderr
