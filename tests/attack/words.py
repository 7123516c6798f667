"""Valid and invalid parts of HTTP requests."""

NAMES = [
    *("accept", "accept-encoding", "access-control-request-method", "authorization", "connection", "content-encoding"),
    *("content-length", "content-type", "cookie", "expect", "forwarded", "host", "if-none-match", "keep-alive"),
    *("last-event-id", "origin", "proxy-connection", "range", "te", "trailer", "transfer-encoding", "upgrade"),
    *("x-forwarded-for", "x-forwarded-proto", "x-http-method-override", "x-request-id", "sec-websocket-extensions"),
]
VALUES = [
    *("", ",", "0", "-1", "5, 5", "0x5", "1" * 30, "chunked", "chunked, chunked", "gzip", "identity", "close", "*"),
    *("Upgrade", "keep-alive", "websocket", "h2c", "100-continue", "bytes=0-", "*/*", "text/event-stream", "null"),
    *(
        "multipart/mixed",
        "https://evil.example",
        "application/json; charset=utf-16",
        "Bearer",
        "for=1.2.3.4;proto=http",
    ),
    *("application/x-www-form-urlencoded", "Bearer " + "x" * 9_000, "\r\n smuggled: yes", "permessage-deflate"),
]
METHODS = ["GET", "POST", "HEAD", "OPTIONS", "PUT", "DELETE", "TRACE", "CONNECT", "PRI", "post", ""]
PATHS = [
    *("/graphql", "/graphql?query={__typename}", "/graphql?query=mutation{x}", "/livez", "/readyz", "/metrics", "/"),
    *("//", "*", "http://a/graphql", "/graphql/../livez", "/static/../../etc/passwd", "/%00", "/%ff", "/graphql?%"),
    *("?", "a:1", "/schema.graphql", "/demo", "/static/", "/graphql#x", "/graphql;x", "/GRAPHQL", "/" + "a" * 9_000),
]
