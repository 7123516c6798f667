"""What Prometheus is told."""

from prometheus_client.parser import text_string_to_metric_families

from tests.harness.server import Server


def _figures(server: Server) -> dict[tuple[str, str], float]:
    told = server.client.get("/metrics")
    assert (told.status_code, told.headers["content-type"].partition(";")[0]) == (200, "text/plain")
    samples = [sample for family in text_string_to_metric_families(told.text) for sample in family.samples]
    return {(sample.name, sample.labels.get("reason", "")): sample.value for sample in samples}


def test_operations_are_counted_by_the_way_that_they_went_and_the_reason(server: Server) -> None:
    token = server.token("1")
    before = _figures(server)
    server.post("{ viewer { id } }", token)
    server.post("{ __schema { queryType { name } } }", token)
    server.post("{ nothing }", token)
    server.post("{ __typename }")
    after = _figures(server)

    def grown(name: str, reason: str = "") -> float:
        key = f"image_gateway_{name}_operations_total", reason
        return after[key] - before.get(key, 0)

    assert grown("planned") == 1
    reasons = ("Query.__schema", "refused", "anonymous")
    assert [grown("unplanned", reason) for reason in reasons] == [1, 1, 1]


def test_no_tenant_and_no_token_is_named(server: Server) -> None:
    server.post("{ viewer { id } }", server.token("90210"))
    assert "90210" not in server.client.get("/metrics").text
