"""The documents that the tests send."""

_MEMBER = "id status createdAt updatedAt tenant { id } image { id name }"
_IMAGE = """
id name externalId owner { id } origin serverId sourceUrl status visibility sizeBytes minDiskGb minRamMb osType
checksum diskFormat containerFormat tags protected hidden createdAt updatedAt
"""
_ERRORS = "errors { code message path tenantId member { id status } } clientMutationId"


def _mutation(name: str, input_type: str, result: str) -> str:
    return f"mutation($input: {input_type}!) {{ {name}(input: $input) {{ {result} {_ERRORS} }} }}"


MUTATIONS = {
    "registerImage": _mutation("registerImage", "RegisterImageInput", f"image {{ {_IMAGE} }}"),
    "updateImage": _mutation("updateImage", "UpdateImageInput", f"image {{ {_IMAGE} }}"),
    "deleteImage": _mutation("deleteImage", "DeleteImageInput", "deletedImageId"),
    "offerImage": _mutation("offerImage", "OfferImageInput", f"members {{ {_MEMBER} }}"),
    "acceptOffer": _mutation("acceptOffer", "AcceptOfferInput", f"member {{ {_MEMBER} }}"),
    "rejectOffer": _mutation("rejectOffer", "RejectOfferInput", f"member {{ {_MEMBER} }}"),
    "deferOffer": _mutation("deferOffer", "DeferOfferInput", f"member {{ {_MEMBER} }}"),
    "revokeMember": _mutation("revokeMember", "RevokeMemberInput", "revokedMemberId"),
}

IMAGE = f"""query($id: ID!) {{ image(id: $id) {{
  {_IMAGE} viewerMembership {{ {_MEMBER} }} members {{ totalCount nodes {{ {_MEMBER} }} }}
}} }}"""

NODE = f"""query($id: ID!) {{ node(id: $id) {{
  __typename id ... on Image {{ {_IMAGE} }} ... on Member {{ answer: status tenant {{ id }} image {{ id }} }}
}} }}"""

IMAGES = "query($status: [MemberStatus!]) { images(memberStatus: $status, first: 100) { totalCount nodes { id } } }"
DEFAULT_IMAGES = "{ images(first: 100) { totalCount nodes { id } } }"
OFFERS = f"""query($status: [MemberStatus!]) {{
  offers(status: $status, first: 100) {{ totalCount nodes {{ {_MEMBER} }} }}
}}"""
SENT_OFFERS = f"""query($imageId: ID, $tenantId: ID) {{
  sentOffers(imageId: $imageId, tenantId: $tenantId, first: 100) {{ totalCount nodes {{ {_MEMBER} }} }}
}}"""

_MANNER = "$initial: WatchInitial! = CHANGES, $onGap: GapPolicy! = RESET, $bookmarks: Boolean! = true"
_AS_ASKED = "after: $after, filter: $filter, initial: $initial, onGap: $onGap, bookmarks: $bookmarks"

WATCH = f"""subscription($after: Cursor, $filter: OfferWatchFilter, {_MANNER}) {{ watchOffers({_AS_ASKED}) {{
  __typename cursor
  ... on MemberStatusChanged {{
    occurredAt kind previousStatus status memberId imageId owner {{ id }} tenant {{ id }} actor {{ id }}
    member {{ id status }}
  }}
  ... on MemberState {{ memberId imageId owner {{ id }} tenant {{ id }} status member {{ id status image {{ id }} }} }}
  ... on WatchReset {{ reason }}
}} }}"""

WATCH_IMAGES = f"""subscription($after: Cursor, $filter: ImageWatchFilter, {_MANNER}) {{ watchImages({_AS_ASKED}) {{
  __typename cursor
  ... on ImageChanged {{
    occurredAt kind imageId owner {{ id }} previousStatus state: status previousVisibility sight: visibility
    image {{ id status visibility }}
  }}
  ... on ImageState {{ imageId state: status sight: visibility image {{ id }} }}
  ... on WatchReset {{ reason }}
}} }}"""

OFFER_EVENTS = """query($after: Cursor, $first: Int! = 100, $filter: OfferWatchFilter) {
  offerEvents(after: $after, first: $first, filter: $filter) {
    nodes { cursor kind status memberId } edges { cursor node { cursor } }
    pageInfo { hasNextPage hasPreviousPage startCursor endCursor }
  }
}"""
