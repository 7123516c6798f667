// The tables through better-sqlite3, with statements that are prepared once: what the peers in Node share.
import { randomUUID } from 'node:crypto';
import Database from 'better-sqlite3';

const database = new Database(process.argv[2]);
for (const pragma of ['journal_mode = WAL', 'synchronous = FULL', 'foreign_keys = ON', 'busy_timeout = 5000']) {
  database.pragma(pragma);
}

const PARTY = `(i.owner_id = @me OR i.visibility = 'SHARED' AND EXISTS
  (SELECT 1 FROM member r WHERE r.image_id = i.id AND r.tenant_id = @me))`;
const IMAGE = `i.id, i.name, i.status, i.visibility, i.created_at AS createdAt, i.updated_at AS updatedAt,
  CASE WHEN ${PARTY} THEN i.owner_id END AS ownerId`;
const MEMBER = `m.id, m.image_id AS imageId, m.tenant_id AS tenantId, m.status, m.created_at AS createdAt,
  m.updated_at AS updatedAt`;
const SEEN = `(i.visibility IN ('COMMUNITY', 'PUBLIC') OR ${PARTY})`;
const NEWEST = 'ORDER BY created_at DESC, id DESC LIMIT @size';
const WAYS = `
  SELECT * FROM (SELECT created_at, id FROM image WHERE owner_id = @me AND NOT hidden ${NEWEST})
  UNION SELECT * FROM (SELECT created_at, id FROM image WHERE visibility = 'PUBLIC' AND NOT hidden ${NEWEST})
  UNION SELECT * FROM (SELECT i.created_at, i.id FROM member m JOIN image i ON i.id = m.image_id
    WHERE m.tenant_id = @me AND m.status = 'ACCEPTED' AND i.visibility = 'SHARED' AND NOT i.hidden
    ORDER BY i.created_at DESC, i.id DESC LIMIT @size)`;

const one = database.prepare(`SELECT ${IMAGE} FROM image i WHERE i.id = @id AND ${SEEN}`);
const many = database.prepare(
  `SELECT ${IMAGE} FROM image i WHERE i.id IN (SELECT value FROM json_each(@ids)) AND ${SEEN}`);
const listed = database.prepare(`WITH ways (made, id) AS (${WAYS})
  SELECT ${IMAGE} FROM ways JOIN image i ON i.id = ways.id ORDER BY ways.made DESC, ways.id DESC LIMIT @size`);
const offered = database.prepare(`SELECT ${MEMBER} FROM member m JOIN image i ON i.id = m.image_id
  WHERE m.tenant_id = @me AND m.status = 'PENDING' AND i.visibility = 'SHARED'
  ORDER BY m.created_at DESC, m.id DESC LIMIT @size`);
const membersOf = database.prepare(`SELECT * FROM (
    SELECT ${MEMBER}, row_number() OVER (PARTITION BY m.image_id ORDER BY m.created_at DESC, m.id DESC) AS place
    FROM member m JOIN image i ON i.id = m.image_id
    WHERE m.image_id IN (SELECT value FROM json_each(@ids))
      AND (i.owner_id = @me OR m.tenant_id = @me AND i.visibility = 'SHARED'))
  WHERE place <= @size ORDER BY place`);

const cursor = (row) => Buffer.from(`${row.createdAt.slice(0, -1)}+00:00 ${row.id}`).toString('base64url');

export function page(rows, first) {
  const edges = rows.slice(0, first).map((node) => ({ cursor: cursor(node), node }));
  return { edges, pageInfo: { hasNextPage: rows.length > first, endCursor: edges.at(-1)?.cursor ?? null } };
}
export const image = (me, id) => one.get({ me, id });
export const images = (me, first) => page(listed.all({ me, size: first + 1 }), first);
export const offers = (me, first) => page(offered.all({ me, size: first + 1 }), first);

// For each ID its image, in the order asked for.
export function imagesById(me, ids) {
  const found = new Map(many.all({ me, ids: JSON.stringify([...new Set(ids)]) }).map((row) => [row.id, row]));
  return ids.map((id) => found.get(id) ?? null);
}

// For each image that is asked for the page of its members, in the order asked for; mostly all are of one size.
export function membersById(me, asked) {
  const pages = new Map();
  for (const first of new Set(asked.map((one) => one.first))) {
    const rows = new Map(asked.filter((one) => one.first === first).map((one) => [one.id, []]));
    for (const row of membersOf.all({ me, ids: JSON.stringify([...rows.keys()]), size: first + 1 })) {
      rows.get(row.imageId).push(row);
    }
    for (const [id, found] of rows) pages.set(`${id} ${first}`, page(found, first));
  }
  return asked.map(({ id, first }) => pages.get(`${id} ${first}`));
}

const rowOf = database.prepare(`SELECT ${MEMBER} FROM member m WHERE m.image_id = ? AND m.tenant_id = ?`);
const taken = database.prepare(
  `SELECT count(*) FROM member WHERE image_id = ? AND status IN ('PENDING', 'ACCEPTED')`).pluck();
const add = database.prepare(`INSERT INTO member (id, image_id, tenant_id, status, created_at, updated_at)
  VALUES (@id, @imageId, @tenantId, @status, @createdAt, @updatedAt)`);
const change = database.prepare('UPDATE member SET status = @status, updated_at = @updatedAt WHERE id = @id');
const tell = database.prepare(`INSERT INTO event (occurred_at, kind, member_id, previous_status, status, image_id,
  owner_id, tenant_id, actor_id, image_status, visibility) VALUES (@now, @kind, @member, @before, @status, @image,
  @owner, @tenant, @actor, @imageStatus, @visibility)`);

// To the microsecond in form; a clock in JavaScript has milliseconds.
const clock = () => `${new Date().toISOString().slice(0, -1)}000Z`;
const refused = (code, message, tenantId = null) => ({ code, message, tenantId });

function record(me, found, kind, member, before, now) {
  tell.run({ now, kind, member: member.id, before, status: member.status, image: found.id, owner: found.ownerId,
    tenant: member.tenantId, actor: me, imageStatus: found.status, visibility: found.visibility });
}

export const offer = database.transaction((me, imageId, tenantIds) => {
  const found = one.get({ me, id: imageId });
  if (!found) return { members: [], errors: [refused('NOT_FOUND', 'There is no such image.')] };
  if (found.ownerId !== me || found.visibility !== 'SHARED') {
    return { members: [], errors: [refused('FORBIDDEN', 'It takes no offers of yours.')] };
  }
  const result = { members: [], errors: [] };
  let filled = taken.get(imageId);
  for (const tenantId of tenantIds) {
    if (tenantId === me) result.errors.push(refused('BAD_USER_INPUT', 'It is yours.', tenantId));
    else if (rowOf.get(imageId, tenantId)) result.errors.push(refused('CONFLICT', 'It is offered.', tenantId));
    else if (filled >= 128) result.errors.push(refused('LIMIT_EXCEEDED', 'The quota is full.', tenantId));
    else {
      const now = clock();
      const member = { id: randomUUID(), imageId, tenantId, status: 'PENDING', createdAt: now, updatedAt: now };
      add.run(member);
      record(me, found, 'OFFERED', member, null, now);
      result.members.push(member);
      filled += 1;
    }
  }
  return result;
}).immediate;

export const accept = database.transaction((me, imageId) => {
  const found = one.get({ me, id: imageId });
  if (!found) return { member: null, errors: [refused('NOT_FOUND', 'There is no such image.')] };
  if (found.ownerId === me) return { member: null, errors: [refused('FORBIDDEN', 'It is yours.')] };
  const row = found.visibility === 'SHARED' ? rowOf.get(imageId, me) : undefined;
  if (!row) return { member: null, errors: [refused('NOT_FOUND', 'There is no such offer.')] };
  if (row.status === 'ACCEPTED') return { member: row, errors: [] };
  const now = clock();
  const member = { ...row, status: 'ACCEPTED', updatedAt: now };
  change.run(member);
  record(me, found, 'ANSWERED', member, row.status, now);
  return { member, errors: [] };
}).immediate;
