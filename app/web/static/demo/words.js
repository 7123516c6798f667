// What the watch tells, in words for people.
const CLOCK = new Intl.DateTimeFormat('en-GB', { hour: '2-digit', minute: '2-digit', second: '2-digit' });
const ANSWERED = { ACCEPTED: 'accepted it', REJECTED: 'rejected it', PENDING: 'put it off, to decide later' };
const GAPS = {
  EXPIRED: 'the log does not reach back so far any more',
  EPOCH_CHANGED: 'the log was replaced',
  AHEAD_OF_LOG: 'the log has lost its end',
  ACCESS_CHANGED: 'the rights of the caller have changed',
  SNAPSHOT_INCOMPLETE: 'the break fell into a snapshot',
};
const ITEMS = {
  MemberState: (item) => `Snapshot: offered to tenant ${isolated(item.tenant.id)}`,
  WatchSynced: () => 'The snapshot is complete; changes from here on',
  WatchReset: (item) => `A gap, since ${GAPS[item.reason]}; the present state follows`,
  WatchBookmark: () => 'Nothing new: everything up to here was delivered',
  MemberStatusChanged: (item) => CHANGES[item.kind](item),
};
const CHANGES = {
  OFFERED: ({ owner, tenant }) => `Tenant ${isolated(owner.id)} offered it to tenant ${isolated(tenant.id)}`,
  ANSWERED: ({ tenant, status }) => `Tenant ${isolated(tenant.id)} ${ANSWERED[status]}`,
  REVOKED: ({ actor, tenant }) => `${actor ? `Tenant ${isolated(actor.id)}` : 'An operator'} revoked it from tenant ${isolated(tenant.id)}`,
  IMAGE_DELETED: ({ owner }) => `Tenant ${isolated(owner.id)} deleted the image`,
};

export const whatHappened = (item) => ITEMS[item.__typename](item);

export const clock = (when) => CLOCK.format(new Date(when));

/** A cursor is opaque, so its beginning is as good as any part of it. */
export const shortened = (cursor) => `${cursor.slice(0, 10)}…`;

export const nameOf = (image, id) => image?.name ?? `image ${id.slice(0, 8)}…`;

/** A name for a sentence that can hold no <bdi>: what is not plain ASCII is kept from turning the words around it. */
export function isolated(name) {
  if (/^[ -~]*$/.test(name)) return name;
  return `\u2068${name.replaceAll(/[\u202a-\u202e\u2066-\u2069]/g, '')}\u2069`;
}

export function factsOf({ origin, sizeBytes }) {
  const from = origin === 'IMPORT' ? 'Import' : 'Snapshot';
  return sizeBytes ? `${from}, ${Math.round(sizeBytes / 2 ** 30)} GiB` : from;
}

/** How a resumption went; the page's claim that nothing was missed is checked against the log, pulled. */
export function howItWent({ after, expected, missed, repeated, reset }) {
  const from = `resumed after cursor ${shortened(after)}`;
  if (reset) return `${from}: it could not go on, since ${GAPS[reset]}, and began anew`;
  const changes = expected.length === 1 ? '1 change' : `${expected.length} changes`;
  const twice = repeated ? `, ${repeated} told twice` : '';
  return `${from}: ${changes} caught up, ${missed || 'none'} missed${twice}`;
}
