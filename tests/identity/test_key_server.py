"""What a key server may answer: keys, in a little time and room, from the address that the operator gave."""

import asyncio
import gzip
import json
import ssl
from collections.abc import Generator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from threading import Event

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from app.web.callers.key_server import MAX_BYTES
from app.web.callers.key_server import KeyServer as Client
from app.web.callers.keys import NoKeys, parse_keys
from tests.harness.databases import SqliteDatabases
from tests.harness.issuer import signing_key
from tests.harness.key_server import Behaviour, KeyServer, reply, run_key_server
from tests.harness.trusting_gateway import TrustingGateway, run_trusting_gateway, short_times

__all__ = ["short_times"]
KEY, STRANGER = signing_key("first", "RS256"), signing_key("stranger", "RS256", 2_056)
GOOD = json.dumps({"keys": [KEY.public_jwk()]}).encode()


def says(body: bytes, status: int = 200, **headers: str) -> Behaviour:
    return lambda request, _: reply(request, body, status, **headers)


def _drips(request: BaseHTTPRequestHandler, waking: Event) -> None:
    """One byte after the other, so that no single wait is long."""
    request.send_response(200)
    request.end_headers()
    for place in range(len(GOOD)):
        request.wfile.write(GOOD[place : place + 1])
        request.wfile.flush()
        if waking.wait(0.05):
            return


def _ends_early(request: BaseHTTPRequestHandler, waking: Event) -> None:
    request.send_response(200)
    request.send_header("content-length", str(len(GOOD) + 1))
    request.end_headers()
    request.wfile.write(GOOD)


def _never_ends(request: BaseHTTPRequestHandler, waking: Event) -> None:
    request.send_response(200)
    request.end_headers()
    while not waking.is_set():
        request.wfile.write(b" " * 65_536)


def _is_no_http(request: BaseHTTPRequestHandler, waking: Event) -> None:
    request.wfile.write(b"SSH-2.0-OpenSSH_9.2\r\n\r\n")


def _hangs_up(request: BaseHTTPRequestHandler, waking: Event) -> None:
    """Close without a word."""


LIES: dict[str, tuple[Behaviour, str]] = {
    "not found": (says(GOOD, 404), "status 404"),
    "a fault": (says(GOOD, 500), "status 500"),
    "nothing": (says(b"", 204), "status 204"),
    "part of it": (says(GOOD, 206), "status 206"),
    "elsewhere": (says(GOOD, 302, location="/elsewhere"), "status 302"),
    "elsewhere for good": (says(GOOD, 308, location="/elsewhere"), "status 308"),
    "empty": (says(b""), "not JSON"),
    "a page": (says(b"<html>Sign in</html>"), "not JSON"),
    "no text": (says(b"\xff\xfe\x00"), "not JSON"),
    "nested without end": (says(b"[" * 100_000), "not JSON"),
    "a list": (says(b"[]"), "not a JSON Web Key Set"),
    "another object": (says(b'{"error": "busy"}'), "not a JSON Web Key Set"),
    "keys in an object": (says(b'{"keys": {"first": 1}}'), "not a JSON Web Key Set"),
    "no keys": (says(b'{"keys": []}'), "none of its 0 keys"),
    "junk for keys": (says(b'{"keys": [null, 1, "x", [], {}]}'), "none of its 5 keys"),
    "too many keys": (says(json.dumps({"keys": [KEY.public_jwk()] * 101}).encode()), "lists 101 keys"),
    "too much": (says(GOOD + b" " * MAX_BYTES), f"larger than {MAX_BYTES} bytes"),
    "without end": (_never_ends, f"larger than {MAX_BYTES} bytes"),
    "compressed": (says(gzip.compress(GOOD + b" " * 10**8), content_encoding="gzip"), "compressed"),
    "cut short": (_ends_early, "RemoteProtocolError"),
    "another protocol": (_is_no_http, "RemoteProtocolError"),
    "an end without a word": (_hangs_up, "RemoteProtocolError"),
    "byte by byte": (_drips, "within 1 seconds"),
}


@pytest.fixture
def keys() -> Generator[KeyServer]:
    with run_key_server(KEY) as keys:
        yield keys


async def _fetched(url: str) -> bytes:
    client = Client(url)
    try:
        return await client.fetch()
    finally:
        await client.close()


@pytest.mark.usefixtures("short_times")
@pytest.mark.parametrize("name", LIES)
async def test_an_answer_that_is_no_key_set_is_named(keys: KeyServer, name: str) -> None:
    keys.behaviour, reason = LIES[name]

    with pytest.raises(NoKeys, match=reason):
        parse_keys(await _fetched(keys.url), ["RS256"])


@pytest.mark.slow
async def test_through_all_lies_the_known_keys_count_and_no_other(
    sqlite_databases: SqliteDatabases, keys: KeyServer, short_times: None
) -> None:
    async with run_trusting_gateway(sqlite_databases, keys, auth_jwks_refresh_seconds=3_600) as gateway:
        await gateway.wait_for_status(KEY.token(), 200)
        for name, (behaviour, _) in LIES.items():
            await _has_met(gateway, name, behaviour)
    assert set(keys.fetches) == {"/keys"}


async def _has_met(gateway: TrustingGateway, name: str, behaviour: Behaviour) -> None:
    before, gateway.keys.behaviour = len(gateway.keys.fetches), behaviour
    while len(gateway.keys.fetches) == before:
        assert await gateway.status(STRANGER.token()) == 503, name
        await asyncio.sleep(0.02)  # until the next look is due
    assert await gateway.status(STRANGER.token()) == 503, name
    assert await gateway.status(KEY.token()) == 200, name


def _authority(folder: Path, *names: str) -> tuple[ssl.SSLContext, Path]:
    """A server's side of TLS for these names, and the file of whoever trusts it."""
    key, name = ec.generate_private_key(ec.SECP256R1()), x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "tests")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(one) for one in names]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    kept = folder / "server.pem"
    kept.write_bytes(
        key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()) + certificate.public_bytes(Encoding.PEM)
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(kept)
    return context, kept


async def test_keys_come_over_tls_from_a_server_that_can_prove_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    context, trusted = _authority(tmp_path, "localhost")
    with run_key_server(KEY, tls=context) as keys:
        with pytest.raises(NoKeys, match="CERTIFICATE_VERIFY_FAILED"):
            await _fetched(keys.url)
        monkeypatch.setenv("SSL_CERT_FILE", str(trusted))
        assert parse_keys(await _fetched(keys.url), ["RS256"])


async def test_keys_do_not_come_from_a_server_of_another_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    context, trusted = _authority(tmp_path, "elsewhere.example")
    monkeypatch.setenv("SSL_CERT_FILE", str(trusted))
    with run_key_server(KEY, tls=context) as keys, pytest.raises(NoKeys, match="CERTIFICATE_VERIFY_FAILED"):
        await _fetched(keys.url)


async def test_no_proxy_stands_before_the_loopback(keys: KeyServer, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")

    assert parse_keys(await _fetched(keys.url), ["RS256"])
