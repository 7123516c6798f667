"""Pages for browsers: everything on them comes from this host, and nothing may put them in a frame."""

from starlette.requests import Request
from starlette.responses import Response

_CLOSED = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"


def page(html: str, policy: str) -> Response:
    """A page that may load what the policy adds to nothing at all."""
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


def is_wanted(request: Request) -> bool:
    """Whether a browser asks for something to look at: `*/*` alone is what programs send."""
    accepted = (part.partition(";")[0].strip().lower() for part in request.headers.get("accept", "").split(","))
    return request.method in ("GET", "HEAD") and "text/html" in accepted
