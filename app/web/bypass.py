"""No short lane, where each request has to be looked at whole."""

from typing import Any

from app.web.server.fast_path import Quick


class Bypassed(Quick):
    """Leaves every request to the endpoint, which reads the header that names the caller's span."""

    def asked(self, headers: Any, body: Any) -> None:
        return None
