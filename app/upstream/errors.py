"""Errors between the gateway and a service of the cloud.

UpstreamError
├── Unreached     no connection: nothing was sent
├── Unanswered    it may have been carried out: no answer, or one that proves nothing
├── Unreadable    the gateway's own credential may not read it
└── Refused       the service said no, with its status and its reason
"""


class UpstreamError(Exception):
    pass


class Unreached(UpstreamError):
    pass


class Unanswered(UpstreamError):
    pass


class Unreadable(UpstreamError):
    pass


class Refused(UpstreamError):
    """`reason` is a sentence of the service's own, empty when it gave none that can be shown."""

    def __init__(self, status: int, reason: str = "") -> None:
        super().__init__(f"status {status}: {reason}")
        self.status = status
        self.reason = reason
