"""Who may come in: tokens, refresh tokens that are used once, one-time codes, Basic, and roles.

Facts from the pages on authentication: form-encoded bodies only; tokens live 7 days, refresh tokens 15, and the latter
are replaced at each use.
"""

import base64
import binascii
import random
from dataclasses import dataclass
from datetime import datetime, timedelta
from urllib.parse import parse_qsl

import pyotp

from nexudus_sandbox.wire import Request, Response, json_response

TOKEN_SECONDS = 604_799
REFRESH_SECONDS = 15 * 86_400


@dataclass(slots=True)
class Account:
    """One login. `roles` None: an unrestricted administrator. `totp_secret` (base 32): a password alone will not do."""

    email: str
    password: str
    roles: frozenset[str] | None = None
    totp_secret: str | None = None

    def may(self, role: str) -> bool:
        """Does the login hold the role?"""
        return not role or self.roles is None or role in self.roles


@dataclass(frozen=True, slots=True)
class _Grant:
    email: str
    client_id: str
    ends: datetime


class Login:
    """Accounts and what they were given."""

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng
        self._accounts: dict[str, Account] = {}
        self._tokens: dict[str, _Grant] = {}
        self._refresh: dict[str, _Grant] = {}

    def add(self, account: Account) -> None:
        """Register a login; one of the same e-mail is replaced."""
        self._accounts[account.email.casefold()] = account

    def account(self, email: str) -> Account:
        """The login of that e-mail. Raises KeyError."""
        return self._accounts[email.casefold()]

    def end_sessions(self) -> None:
        """Make every token worthless, as a restart of the server or a changed password does."""
        self._tokens.clear()
        self._refresh.clear()

    def token(self, request: Request, now: datetime) -> Response:
        """Answer `POST /api/token`."""
        form = self._form(request)
        client_id = request.headers.get("client_id", "")
        if form.get("grant_type") == "password":
            account = self._accounts.get(form.get("username", "").casefold())
            if account is None or not self._proves(account, form, now):
                return _refusal("invalid_grant", "The user name or password is incorrect.")
            return self._grant(account.email, client_id or account.email, now)
        if form.get("grant_type") == "refresh_token":
            grant = self._refresh.pop(form.get("refresh_token", ""), None)
            if grant is None or grant.ends <= now or (client_id or grant.email) != grant.client_id:
                return _refusal("invalid_grant", "The refresh token is not valid.")
            return self._grant(grant.email, grant.client_id, now)
        return _refusal("unsupported_grant_type", "")

    def who(self, request: Request, now: datetime) -> Account | None:
        """The login a request shows, None when it shows none that holds."""
        scheme, _, credential = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer":
            grant = self._tokens.get(credential)
            return self._accounts.get(grant.email.casefold()) if grant and grant.ends > now else None
        if scheme.lower() == "basic":
            return self._basic(credential)
        return None

    def _basic(self, credential: str) -> Account | None:
        try:
            email, _, password = base64.b64decode(credential, validate=True).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            return None
        account = self._accounts.get(email.casefold())
        return account if account is not None and account.password == password else None

    def _form(self, request: Request) -> dict[str, str]:
        kind = request.headers.get("content-type", "").partition(";")[0].strip()
        if kind != "application/x-www-form-urlencoded":
            return {}
        return dict(parse_qsl(request.body.decode(errors="replace")))

    def _proves(self, account: Account, form: dict[str, str], now: datetime) -> bool:
        if form.get("password") != account.password:
            return False
        if account.totp_secret is None:
            return True
        return pyotp.TOTP(account.totp_secret).verify(form.get("totp", ""), for_time=now, valid_window=1)

    def _grant(self, email: str, client_id: str, now: datetime) -> Response:
        token, refresh = f"{self._rng.getrandbits(256):064x}", f"{self._rng.getrandbits(256):064x}"
        self._tokens[token] = _Grant(email, client_id, now + timedelta(seconds=TOKEN_SECONDS))
        self._refresh[refresh] = _Grant(email, client_id, now + timedelta(seconds=REFRESH_SECONDS))
        return json_response(
            200,
            {
                "access_token": token,
                "token_type": "bearer",
                "expires_in": TOKEN_SECONDS,
                "refresh_token": refresh,
            },
        )


def _refusal(error: str, description: str) -> Response:
    body = {"error": error} | ({"error_description": description} if description else {})
    return json_response(400, body)
