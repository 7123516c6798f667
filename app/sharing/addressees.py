"""The tenants that an offer names, and what is refused of them, each with its place in the input."""

from collections.abc import Iterable, Iterator, Sequence

from app.errors import BadUserInput, Refusal
from app.sharing import formats
from app.sharing.rules import Verdict


def refused_at(places: Iterable[int], verdicts: Iterable[Verdict]) -> Iterator[Refusal]:
    """The refusals among the verdicts, each with its place in the input."""
    for place, verdict in zip(places, verdicts, strict=True):
        if verdict.refusal is not None:
            verdict.refusal.path = ("input", "tenantIds", str(place))
            yield verdict.refusal


def sorted_by_form(tenant_ids: Sequence[str], pattern: str) -> tuple[dict[int, str], tuple[BadUserInput, ...]]:
    """The tenant IDs to ask the store about, by their places in the input, and the refusals of the rest.

    None of this depends on the image.
    """
    if not 1 <= len(tenant_ids) <= formats.OFFER_LIMIT:
        message = f"Offer to 1 to {formats.OFFER_LIMIT} tenants at a time; these are {len(tenant_ids)}."
        return {}, (BadUserInput(message, ("input", "tenantIds")),)
    well_formed: dict[int, str] = {}
    malformed: list[BadUserInput] = []
    for index, tenant_id in enumerate(tenant_ids):
        try:
            well_formed[index] = formats.tenant_id(tenant_id, pattern, "input", "tenantIds", str(index))
        except BadUserInput as refusal:
            # One that is too long to be a tenant ID is not sent back; the path has its place in the input.
            told = tenant_id if len(tenant_id) <= formats.NAME_LIMIT else None
            malformed.append(BadUserInput(refusal.message, refusal.path, tenant_id=told))
    return well_formed, tuple(malformed)
