"""A user of the double's API, for tests."""

from typing import Any

from nexudus_sandbox.erpnext import ERPNextDouble
from nexudus_sandbox.wire import Request, Response
from nexudus_sync import codec

OPPORTUNITY = "/api/resource/Opportunity"
OF_LEAD = {"opportunity_from": "Lead", "party_name": "CRM-LEAD-2026-00001"}
OF_CUSTOMER = {"opportunity_from": "Customer", "party_name": "Acme Test SL"}
OF_PROSPECT = {"opportunity_from": "Prospect", "party_name": "Prospect Test SL"}


class Client:
    """Sends requests to a double as one of its users."""

    def __init__(self, double: ERPNextDouble, user: str | None = "sync") -> None:
        self.double, self.user = double, user

    def send(self, method: str, path: str, body: Any = None, **query: Any) -> Response:
        headers = {"content-type": "application/json"}
        if self.user is not None:
            headers["authorization"] = self.double.authorization(self.user)
        text = body if isinstance(body, str) else "" if body is None else codec.dumps(body)
        texts = {key: value if isinstance(value, str) else codec.dumps(value) for key, value in query.items()}
        return self.double.handle(Request(method, path, texts, headers, text.encode()))

    def get(self, path: str, **query: Any) -> Any:
        return self.send("GET", path, **query).json()

    def list(self, **query: Any) -> Any:
        return self.get(OPPORTUNITY, **query)["data"]

    def create(self, **values: Any) -> Any:
        response = self.send("POST", OPPORTUNITY, {**OF_LEAD, **values})
        assert response.status == 200, response.body
        return response.json()["data"]

    def update(self, name: str, /, **values: Any) -> Any:
        response = self.send("PUT", f"{OPPORTUNITY}/{name}", values)
        assert response.status == 200, response.body
        return response.json()["data"]
