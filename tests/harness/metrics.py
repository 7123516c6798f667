"""Reads the metrics of a server as Prometheus does."""

import httpx2
from prometheus_client.parser import text_string_to_metric_families

PREFIX = "image_gateway_"


class Metrics:
    """The samples of one scrape."""

    def __init__(self, text: str) -> None:
        self.text = text
        families = list(text_string_to_metric_families(text))
        self.samples = [sample for family in families for sample in family.samples]
        self.help = {family.name: family.documentation for family in families}

    def total(self, name: str, **labels: str) -> float:
        """The sum of all samples with this name and these labels."""
        named = [sample for sample in self.samples if sample.name == PREFIX + name]
        return sum(sample.value for sample in named if labels.items() <= sample.labels.items())

    def has(self, name: str) -> bool:
        return any(sample.name == PREFIX + name for sample in self.samples)


async def scrape(port: int) -> Metrics:
    """Scrape a server on this machine."""
    async with httpx2.AsyncClient(timeout=30) as client:
        response = await client.get(f"http://127.0.0.1:{port}/metrics")
    assert (response.status_code, response.headers["content-type"].partition(";")[0]) == (200, "text/plain")
    return Metrics(response.text)
