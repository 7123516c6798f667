"""The tenants that an offer names, and the refusals among them, each with its index in the input."""

from collections.abc import Iterable, Iterator, Sequence

from app.errors import BadUserInput, Refusal
from app.sharing import formats
from app.sharing.rules import Verdict


def refusals_at(indexes: Iterable[int], verdicts: Iterable[Verdict]) -> Iterator[Refusal]:
    """The refusals among the verdicts, each with the path of its tenant ID in the input."""
    for index, verdict in zip(indexes, verdicts, strict=True):
        if verdict.refusal is not None:
            verdict.refusal.path = ("input", "tenantIds", str(index))
            yield verdict.refusal


def in_input_order(refusals: Iterable[Refusal]) -> tuple[Refusal, ...]:
    """Refusals of tenant IDs, in the order of the input."""
    return tuple(sorted(refusals, key=_index))


def _index(refusal: Refusal) -> int:
    last = refusal.path[-1] if refusal.path else ""
    return int(last) if last.isdecimal() else -1


def split_by_form(tenant_ids: Sequence[str], pattern: str) -> tuple[dict[int, str], tuple[BadUserInput, ...]]:
    """Split tenant IDs into the well-formed ones, by their index in the input, and refusals of the malformed ones.

    The result does not depend on the image.
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
            # The response does not repeat an ID of any length; the path identifies it anyway.
            repeated = tenant_id if len(tenant_id) <= formats.NAME_LIMIT else None
            malformed.append(BadUserInput(refusal.message, refusal.path, tenant_id=repeated))
    return well_formed, tuple(malformed)
