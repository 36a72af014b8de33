"""The way to a system's server: which proxy, which certificates. Only what the configuration says, never a variable.

A proxy from the environment would see what is sent to a server that is reached without encryption, passwords included.
"""

import base64
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal
from urllib.parse import quote, unquote, urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr, field_validator

from nexudus_sync.errors import ConfigError

if TYPE_CHECKING:
    import ssl

    import httpx

    from nexudus_sync.connectors.way import Way


def _for_a_header(text: str) -> str:
    """Refuse a secret that a header cannot carry: the token of another program, or one copied with surrounding text."""
    if not (text.isascii() and text.isprintable()) or " " in text:
        raise ValueError("cannot be sent: only ASCII letters, digits and signs are allowed, no spaces; copy it again")
    return text


def _secret_for_a_header(secret: SecretStr) -> SecretStr:
    _for_a_header(secret.get_secret_value())
    return secret


HeaderText = Annotated[str, AfterValidator(_for_a_header)]
"""Text that is sent in a header as it is."""
HeaderSecret = Annotated[SecretStr, AfterValidator(_secret_for_a_header)]
"""A secret that is sent in a header as it is."""


class Network(BaseModel):
    """The keys that any system's table may have.

    `proxy` is the address of an HTTP proxy; `ca_file` holds the certificates (PEM) to trust in place of the usual
    ones. `http` is what carries the requests: the sync's own transport, or httpx's. `record_url` is where people open a
    record in a browser, with `{id}` for its id; a system that knows its own pages overrides `url_of`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    proxy: str | None = Field(default=None, repr=False)
    ca_file: Path | None = None
    http: Literal["fast", "httpx"] = "fast"
    record_url: str | None = None

    def url_of(self, record_id: str) -> str | None:
        """Where a person opens this record in a browser; None where that is not known."""
        if self.record_url is None or not record_id:
            return None
        return self.record_url.replace("{id}", quote(record_id, safe=""))

    @field_validator("record_url")
    @classmethod
    def _opens_records(cls, template: str | None) -> str | None:
        if template is not None:
            try:
                parts = urlsplit(template.replace("{id}", "1"))
                known = parts.scheme in {"http", "https"} and bool(parts.hostname)
            except ValueError:
                known = False
            if not known or "{id}" not in template or not template.isprintable() or " " in template:
                raise ValueError('is not the address of a record; write one like "https://crm.example.com/deals/{id}"')
        return template

    @field_validator("proxy")
    @classmethod
    def _is_address(cls, proxy: str | None) -> str | None:
        if proxy is not None:
            try:
                parts = urlsplit(proxy)
                known = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
            except ValueError:
                known = False
            if not known:
                raise ValueError('is not the address of an HTTP proxy; write one like "http://proxy.example.com:3128"')
        return proxy

    def way(self, base_url: str, transport: "httpx.AsyncBaseTransport | None" = None) -> "Way":
        """The way to the system's server; `transport` takes the network's place.

        Raises ConfigError, naming the file, for certificates that cannot be read.
        """
        from nexudus_sync.connectors.way import Way

        return Way(base_url, transport or self._transport())

    def _transport(self) -> "httpx.AsyncBaseTransport":
        import certifi
        import httpx

        from nexudus_sync.connectors.fast import FastTransport

        usual = Path(certifi.where())
        trust = _shared(self.ca_file or usual)
        proxy = None if self.proxy is None else httpx.Proxy(self.proxy)
        if self.http == "httpx":
            return httpx.AsyncHTTPTransport(verify=trust, trust_env=False, proxy=proxy)
        encrypted = proxy is not None and proxy.url.scheme == "https"
        return FastTransport(trust, proxy, _shared(usual) if encrypted else None)

    def proxy_headers(self) -> dict[str, str]:
        """The header in which the proxy is told who is calling, where its address says that."""
        parts = urlsplit(self.proxy or "")
        if not parts.password:
            return {}
        pair = f"{unquote(parts.username or '')}:{unquote(parts.password)}"
        return {"Proxy-Authorization": f"Basic {base64.b64encode(pair.encode()).decode()}"}

    def remedy(self, error: Exception) -> str:
        """What to check when the server cannot be reached."""
        import httpx

        if isinstance(error, httpx.ProxyError):
            return f"check the network and proxy ({self._proxy_host()})"
        if "CERTIFICATE_VERIFY_FAILED" in str(error):
            source = "name your CA's certificate in ca_file" if self.ca_file is None else f"see ca_file, {self.ca_file}"
            return f"its certificate is not trusted: check base_url, or {source}"
        return "check the network and base_url" + (f" and proxy ({self._proxy_host()})" if self.proxy else "")

    def _proxy_host(self) -> str:
        return urlsplit(self.proxy or "").hostname or "?"


def _shared(path: Path) -> "ssl.SSLContext":
    """Trust in the certificates of a file as it is now, the same for all who ask: it takes a megabyte and 15 ms."""
    try:
        version = path.stat().st_mtime_ns
    except OSError:
        version = 0
    return _trusted(path, version)


@cache
def _trusted(path: Path, version: int) -> "ssl.SSLContext":
    del version
    trust = certificates(path)
    trust.set_alpn_protocols(["http/1.1"])
    return trust


def certificates(path: Path, where: str = "ca_file") -> "ssl.SSLContext":
    """Trust in the certificates of a file. Raises ConfigError, naming it and the key `where` it stands."""
    import ssl

    remedy = "name a PEM file with the CA's certificate"
    if not path.is_file():
        raise ConfigError(where, f"there is no file at {path}", remedy)
    # not Python's default one: that writes the keys of every connection to the file that SSLKEYLOGFILE names
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    try:
        context.load_verify_locations(cafile=str(path))
    except ssl.SSLError:
        raise ConfigError(where, f"{path} does not contain a certificate", remedy) from None
    except OSError as error:
        raise ConfigError(where, f"{path} cannot be read: {error.strerror}", remedy) from None
    return context
