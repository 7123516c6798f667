-- What PostGraphile shows to a tenant, with the rights of the gateway's own list.
CREATE FUNCTION listed_images() RETURNS SETOF image LANGUAGE sql STABLE AS $$
  SELECT i.* FROM image i WHERE NOT i.hidden AND i.id IN (
    SELECT o.id FROM image o WHERE o.owner_id = current_setting('bench.tenant')
    UNION SELECT p.id FROM image p WHERE p.visibility = 'PUBLIC'
    UNION SELECT s.id FROM member m JOIN image s ON s.id = m.image_id
      WHERE m.tenant_id = current_setting('bench.tenant') AND m.status = 'ACCEPTED' AND s.visibility = 'SHARED')
  ORDER BY i.created_at DESC, i.id DESC
$$;
CREATE FUNCTION image_producer(i image) RETURNS text LANGUAGE sql STABLE AS $$
  SELECT CASE WHEN i.owner_id = current_setting('bench.tenant') OR i.visibility = 'SHARED' AND EXISTS (
    SELECT 1 FROM member m WHERE m.image_id = i.id AND m.tenant_id = current_setting('bench.tenant')) THEN i.owner_id END
$$;
CREATE FUNCTION image_seen_members(i image) RETURNS SETOF member LANGUAGE sql STABLE AS $$
  SELECT m.* FROM member m WHERE m.image_id = i.id AND (i.owner_id = current_setting('bench.tenant')
    OR m.tenant_id = current_setting('bench.tenant') AND i.visibility = 'SHARED')
  ORDER BY m.created_at DESC, m.id DESC
$$;
