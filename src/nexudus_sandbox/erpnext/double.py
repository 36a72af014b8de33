"""The ERPNext double: how a request reaches the site, and what people do at their desks."""

import contextlib
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, Literal
from zoneinfo import ZoneInfo

from nexudus_sandbox.double import Double, Row
from nexudus_sandbox.erpnext import errors, lead, opportunity, others, v1, v2
from nexudus_sandbox.erpnext.answers import page, refuse, respond
from nexudus_sandbox.erpnext.documents import Document
from nexudus_sandbox.erpnext.gate import RateLimiter, log_in, read_form, url_length
from nexudus_sandbox.erpnext.meta import DocType
from nexudus_sandbox.erpnext.naming import new_name
from nexudus_sandbox.erpnext.options import ERPNextOptions
from nexudus_sandbox.erpnext.permissions import ADMINISTRATOR, GUEST, SYSTEM_MANAGER, User
from nexudus_sandbox.erpnext.renames import rename
from nexudus_sandbox.erpnext.seed import fill, users
from nexudus_sandbox.erpnext.session import Session
from nexudus_sandbox.erpnext.site import Site
from nexudus_sandbox.wire import Request, Response

OPPORTUNITY = "Opportunity"
CONTROLLED = (lead, opportunity, others)
"""The modules whose import gives the DocTypes their code."""

Version = Literal[15, 16]
Action = Callable[[Session], Any]


class ERPNextDouble(Double):
    """An ERPNext site in memory.

    `clock` gives true time, `offset` is how many seconds the site's own clock runs ahead of it, `time_zone` what it
    writes its stamps in, `url` its address in links. `users` may log in; `site` is all it remembers. People's edits go
    through `create`, `edit`, `move`, `delete`, `set_lost_reasons`, `rename` and `quote`; other documents through `add`
    and `change`.
    """

    def __init__(
        self,
        clock: Callable[[], datetime],
        *,
        version: Version = 16,
        seed: int = 0,
        options: ERPNextOptions | None = None,
        offset: float = 0.0,
        time_zone: str = "Europe/Madrid",
        url: str = "http://127.0.0.1:8800",
        company: str = "Example Coworking",
        currency: str = "EUR",
        country: str = "Spain",
    ) -> None:
        super().__init__(clock, seed=seed, offset=offset)
        self.options = options or ERPNextOptions()
        defaults = {"company": company, "currency": currency, "country": country, "language": "en"}
        self.site = Site(version, self._exact_now, self.rng, ZoneInfo(time_zone), url, defaults)
        self._limiter = RateLimiter()
        fill(self.site)
        self.users: dict[str, User] = {}
        """Everybody who can log in, by name."""
        for user in users():
            self.add_user(user)

    def _exact_now(self) -> datetime:
        return self.clock() + timedelta(seconds=self.offset)

    def add_user(self, user: User) -> None:
        """Let somebody log in; they appear among the site's users too."""
        self.users[user.name] = user
        first_name, at, _ = user.name.partition("@")
        email = user.name if at else f"{first_name.lower()}@example.com"
        kind = "System User" if user.is_system_user else "Website User"
        self.add("User", ADMINISTRATOR, name=user.name, email=email, first_name=first_name, user_type=kind)

    def authorization(self, alias: str) -> str:
        """The header a user logs in with; `alias` is their key ("admin", "sync", "sales", "noperm")."""
        return f"token {alias}:{next(user.api_secret for user in self.users.values() if user.api_key == alias)}"

    def answer(self, request: Request) -> tuple[str, Response]:
        """Measure, limit, log in, then serve; what fails leaves no trace in the site."""
        if url_length(request) > self.options.longest_url:
            return GUEST, page(414, "Request-URI Too Large", "Request Line is too large")
        limit, at = self.options.rate_limit, self._exact_now().timestamp()
        if limit is None:
            return self._answer(request)
        if self._limiter.refuses(limit, at):
            headers = self._limiter.headers(limit, at)
            refusal = respond(429, {"exc_type": "TooManyRequestsError"})
            waits = {"Retry-After": headers["X-RateLimit-Reset"]}
            return GUEST, replace(refusal, headers={**refusal.headers, **headers, **waits})
        self._limiter.spend(self.options.seconds_per_call)
        who, response = self._answer(request)
        return who, replace(response, headers={**response.headers, **self._limiter.headers(limit, at)})

    def _answer(self, request: Request) -> tuple[str, Response]:
        session = Session(self.site, User(GUEST))
        root, api, version = _api(request.path)
        try:
            if self.options.maintenance:
                raise errors.FrappeError("SessionStopped", "Session Stopped")
            form = read_form(self.site.version, request)
            session.user = log_in(self.users.values(), request.headers.get("authorization", ""))
            if not isinstance(form, dict):
                raise errors.python("TypeError", "pop expected at most 1 argument, got 2")
            if not root:
                return session.user.name, page(404, "Not Found", "Not Found")
            response = (v2 if version == 2 else v1).serve(session, request.method, api, form)
            self._commit(session)
            return session.user.name, response
        except errors.FrappeError as error:
            self.site.rollback()
            return session.user.name, refuse(session, version, error)
        except (TypeError, ValueError, KeyError, AttributeError) as error:
            self.site.rollback()
            return session.user.name, refuse(session, version, errors.python(type(error).__name__, str(error)))

    def _commit(self, session: Session) -> None:
        if self.site.writes and self.options.deadlocks:
            self.options.deadlocks -= 1
            raise errors.deadlock()
        self._note(session.user.name)

    def _note(self, by: str) -> None:
        """Keep what was written, and note what changed; a child row's new stamp alone is not a change."""
        for write in self.site.commit():
            meta = self.site.doctypes[write.doctype]
            before, after = (self._content(meta, row) for row in (write.before, write.after))
            self.changed(by, write.doctype, write.name, before, after)

    def _content(self, meta: DocType, row: Row | None) -> Row | None:
        if row is None or not meta.tables:
            return row
        content = dict(row)
        for table in meta.tables:
            names = ("name", *(field.name for field in self.site.doctypes[table.options].columns))
            content[table.name] = [{name: child[name] for name in names} for child in row[table.name]]
        return content

    def collide(self, doctype: str, name: str) -> None:
        """The next save of this document finds that somebody else saved it in between."""
        self.site.collisions.add((doctype, name))

    def add(self, doctype: str, by: str, **values: Any) -> str:
        """A person adds a document of any kind; gives its name. Raises FrappeError."""
        with self.lock:
            self.settle()
            document = Document.new(Session(self.site, _person(by)), doctype, values)
            if not self.options.late_commit:
                self._act(by, lambda _session: document.insert())
                return document.name
            return self._add_late(document, by, values)

    def _add_late(self, document: Document, by: str, values: Row) -> str:
        """Show nothing yet of a new document but that its name is taken."""
        doctype, began = document.meta.name, self.site.moment()
        try:
            document.insert()
        finally:
            self.site.rollback()
        if document.meta.autoname == "series":
            new_name(self.site, document.meta, document.values, given=None)
            self.site.commit()
        insert = lambda session: Document.new(session, doctype, values).insert(name=document.name)  # noqa: E731
        self.later(self.options.late_commit, lambda: self._commit_late(by, began, insert))
        return document.name

    def create(self, by: str, **values: Any) -> str:
        """A person adds an opportunity; gives its name. Raises FrappeError."""
        return self.add(OPPORTUNITY, by, **values)

    def change(self, doctype: str, name: str, by: str, **changes: Any) -> None:
        """A person saves a document with other values. Raises KeyError when there is none, FrappeError."""
        with self.lock:
            self.settle()
            opened = self._existing(doctype, name)

            def save(session: Session) -> None:
                _save(session, doctype, name, changes)

            if not self.options.late_commit:
                self._act(by, save)
                return
            began = self.site.moment()

            def commit() -> None:
                latest = self.site.find(doctype, name)
                overtaken = latest is not None and latest["modified"] != opened["modified"]
                self._commit_late(by, None if overtaken else began, save)

            self.later(self.options.late_commit, commit)

    def edit(self, name: str, by: str, **changes: Any) -> Row:
        """A person changes fields of an opportunity. Raises KeyError when there is none, FrappeError."""
        self.change(OPPORTUNITY, name, by, **changes)
        return self.record(name)

    def move(self, name: str, stage: str, by: str) -> Row:
        """A person sets an opportunity's sales stage."""
        return self.edit(name, by, sales_stage=stage)

    def delete(self, name: str, by: str) -> None:
        """A person deletes an opportunity. Raises KeyError when there is none, FrappeError when others link to it."""
        with self.lock:
            self.settle()
            self._existing(OPPORTUNITY, name)
            self._act(by, lambda session: Document.load(session, OPPORTUNITY, name).delete())

    def set_lost_reasons(self, name: str, reasons: Sequence[str], by: str) -> None:
        """A person replaces an opportunity's lost reasons. Raises KeyError when there is no such opportunity."""
        self.edit(name, by, lost_reasons=[{"lost_reason": reason} for reason in reasons])

    def lost_reasons(self, name: str) -> list[str]:
        """An opportunity's lost reasons, in their order."""
        with self.lock:
            return [row["lost_reason"] for row in self._existing(OPPORTUNITY, name)["lost_reasons"]]

    def rename(self, old_name: str, new_name: str, by: str, *, doctype: str = OPPORTUNITY, merge: bool = False) -> None:
        """A person renames a document, or merges it into another; no stamp moves but that of a merge's target."""
        with self.lock:
            self.settle()
            self._act(by, lambda session: rename(session, doctype, old_name, new_name, merge=merge))

    def quote(self, name: str, by: str) -> str:
        """A person submits a quotation for an opportunity, which becomes a "Quotation"; gives the quotation's name."""
        row = self.record(name)
        party = {"quotation_to": row["opportunity_from"], "party_name": row["party_name"]}
        quotation = self.add("Quotation", by, opportunity=row["name"], company=row["company"], **party)
        self.change("Quotation", quotation, by, docstatus=1)
        return quotation

    def touch(self, name: str, by: str) -> None:
        """Something happens about an opportunity that moves its stamp and nothing else, such as a sent e-mail."""
        with self.lock:
            self.settle()
            self._existing(OPPORTUNITY, name)
            self._act(by, lambda session: Document.load(session, OPPORTUNITY, name).set_directly())

    def record(self, name: str) -> Row:
        """An opportunity as it is now, blank fields too. Raises KeyError when there is none."""
        with self.lock:
            self.settle()
            return self._shown(self._existing(OPPORTUNITY, name))

    def records(self) -> dict[str, Row]:
        """All opportunities by name, as they are now."""
        with self.lock:
            self.settle()
            return {name: self._shown(row) for name, row in self.site.tables[OPPORTUNITY].rows.items()}

    def _shown(self, row: Row) -> Row:
        session = Session(self.site, User(ADMINISTRATOR))
        return Document(session, self.site.doctypes[OPPORTUNITY], row).as_dict(nulls=True)

    def _existing(self, doctype: str, name: str) -> Row:
        row = self.site.find(doctype, name)
        if row is None:
            raise KeyError(name)
        return row

    def _act(self, by: str, action: Action) -> None:
        session = Session(self.site, _person(by))
        try:
            action(session)
        except errors.FrappeError:
            self.site.rollback()
            raise
        self._note(by)

    def _commit_late(self, by: str, began: datetime | None, action: Action) -> None:
        """Commit what began earlier, stamped as of then; what is refused now is a person's failed save."""
        self.site.stamped = began
        try:
            with contextlib.suppress(errors.FrappeError):
                self._act(by, action)
        finally:
            self.site.stamped = None


def _api(path: str) -> tuple[bool, str, int]:
    """Is it one, what stands behind its root, and which version answers."""
    for root, version in (("/api/v2/", 2), ("/api/v1/", 1), ("/api/", 1)):
        if path.startswith(root):
            return True, path.removeprefix(root), version
    return False, path, 1


def _person(name: str) -> User:
    """Somebody at the desk, with all rights."""
    return User(name, frozenset({SYSTEM_MANAGER}))


def _save(session: Session, doctype: str, name: str, changes: Row) -> None:
    document = Document.load(session, doctype, name)
    document.update(changes)
    document.save()
