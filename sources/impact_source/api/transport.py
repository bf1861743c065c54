"""How a client connects: through which proxy, and with which certificates."""

from __future__ import annotations

import os
import ssl
from pathlib import Path
from urllib.request import getproxies, proxy_bypass

import httpx

from ..errors import ConfigurationError
from ..settings import IN_FLIGHT_MAX, IR_VERSION, Settings
from .connections import Connections


def build_http_client(
    settings: Settings, timeout: httpx.Timeout, connections: Connections, *, keepalive: int = IN_FLIGHT_MAX
) -> httpx.Client:
    """An HTTP client for the account's API that follows no redirects and keeps so many idle connections.

    Raises `ConfigurationError` that names the environment variable that cannot be used.
    """
    base = httpx.URL(settings.base_url)
    loopback = base.scheme == "http"  # settings allow plain http for loopback only
    limits = httpx.Limits(max_connections=IN_FLIGHT_MAX, max_keepalive_connections=keepalive)
    # Credentials meant for this machine must not go through a proxy.
    transport = _transport(None if loopback else _proxy(base), limits, trust_env=not loopback)
    transport._pool._network_backend = connections  # noqa: SLF001 - httpx cannot pass one to httpcore; test_insides.py
    return httpx.Client(
        base_url=settings.base_url,
        auth=httpx.BasicAuth(settings.account_sid, settings.auth_token),
        headers={
            "Accept": "application/json",
            "Accept-Encoding": "gzip",  # what `transfer` unpacks
            "IR-Version": IR_VERSION,
            "User-Agent": "impact-sync",
        },
        timeout=timeout,
        transport=transport,
        follow_redirects=False,
        trust_env=False,
    )


def _transport(proxy: httpx.Proxy | None, limits: httpx.Limits, *, trust_env: bool) -> httpx.HTTPTransport:
    if trust_env:
        _check_certificates()
    try:
        # Reading the certificates takes as long as dozens of requests; on loopback none are needed, nor trusted.
        verify = True if trust_env else ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        return httpx.HTTPTransport(verify=verify, proxy=proxy, limits=limits, trust_env=trust_env)
    except ImportError:
        msg = (
            "the environment names a SOCKS proxy (ALL_PROXY or HTTPS_PROXY), for which a package is missing: "
            "pip install socksio, or unset the variable for this command"
        )
        raise ConfigurationError(msg) from None
    except OSError as error:
        name = "SSL_CERT_FILE" if os.environ.get("SSL_CERT_FILE") else "SSL_CERT_DIR"
        msg = f"{name} names no certificates that can be read ({error}): correct it, or unset it"
        raise ConfigurationError(msg) from None


def _check_certificates() -> None:
    """Raise if the environment names certificates that are not there: OpenSSL reports nothing, and trusts no server."""
    for name, there in (("SSL_CERT_FILE", Path.is_file), ("SSL_CERT_DIR", Path.is_dir)):
        if (path := os.environ.get(name)) and not there(Path(path)):
            msg = f"{name} is {path!r}, which does not exist: correct it, or unset it"
            raise ConfigurationError(msg)


def _proxy(base: httpx.URL) -> httpx.Proxy | None:
    """The proxy that the environment names for our one origin; httpx fails on an IPv6 range in NO_PROXY."""
    found = getproxies()
    name = next((name for name in (base.scheme, "all") if found.get(name)), None)
    if name is None or proxy_bypass(base.host):
        return None
    address = found[name] if "://" in found[name] else f"http://{found[name]}"
    try:
        return httpx.Proxy(address)
    except (httpx.InvalidURL, ValueError):
        msg = f"{name.upper()}_PROXY is not the address of a proxy: correct it, or unset it for this command"
        raise ConfigurationError(msg) from None
