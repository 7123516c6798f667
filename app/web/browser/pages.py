"""Pages for browsers, with a policy that allows no foreign content and no frames around them."""

from starlette.requests import Request
from starlette.responses import Response

_CLOSED = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"


def page(html: str, policy: str) -> Response:
    """A page that may load only what the policy allows."""
    return Response(
        html,
        media_type="text/html",
        headers={
            "Content-Security-Policy": f"{_CLOSED}; {policy}",
            "Cache-Control": "no-cache",
            "Vary": "Accept",
            "Cross-Origin-Opener-Policy": "same-origin",
        },
    )


def accepts_html(request: Request) -> bool:
    """Whether the request is a browser's for a page. Programs send `*/*` without `text/html`."""
    accepted = (part.partition(";")[0].strip().lower() for part in request.headers.get("accept", "").split(","))
    return request.method in ("GET", "HEAD") and "text/html" in accepted
