import asyncio
from urllib.parse import urlencode

import pytest

from jepa_planner.cli.view.access import NO_TOKEN, OTHER_SITE, Gate, GatedApp, new_token

TOKEN = "a-token-that-nobody-guesses"
LOCAL, OPEN = Gate(8642), Gate(8642, TOKEN)
HERE = {"host": "localhost:8642"}
THERE = {"host": "robot:8642"}


def asked(gate: Gate, headers: dict[str, str], query: str = "", kind: str = "http") -> list[dict]:
    """What is answered to a request; an application behind the gate says so."""
    sent: list[dict] = []

    async def app(scope, receive, send) -> None:
        if kind == "http":
            await send({"type": "http.response.start", "status": 200, "headers": []})
        else:
            await send({"type": "websocket.accept"})

    async def receive() -> dict:
        return {"type": "websocket.connect" if kind == "websocket" else "http.request"}

    async def send(message: dict) -> None:
        sent.append(message)

    named = [(name.encode(), value.encode()) for name, value in headers.items()]
    scope = {"type": kind, "headers": named, "query_string": query.encode()}
    asyncio.run(GatedApp(app, gate)(scope, receive, send))
    return sent


def test_this_computer_needs_no_token():
    assert asked(LOCAL, HERE)[0]["status"] == 200
    assert asked(LOCAL, HERE | {"origin": "http://localhost:8642"}, kind="websocket")[0]["type"] == "websocket.accept"


@pytest.mark.parametrize("gate", [LOCAL, OPEN])
@pytest.mark.parametrize("kind", ["http", "websocket"])
def test_a_page_of_another_site_is_refused(gate, kind):
    (first, *_) = asked(gate, HERE | {"origin": "http://elsewhere.example"}, urlencode({"token": TOKEN}), kind)
    assert first.get("status") == 403 or first["type"] == "websocket.close"


def test_a_name_that_somebody_points_at_this_computer_is_refused():
    first, body = asked(LOCAL, {"host": "elsewhere.example:8642"})
    assert first["status"] == 403 and body["body"].decode().strip() == OTHER_SITE


@pytest.mark.parametrize("query", ["", "token=", "token=wrong", urlencode({"token": TOKEN[:-1]}), "token=%ff%ff"])
def test_without_the_token_nothing_is_shown(query):
    first, body = asked(OPEN, THERE, query)
    assert first["status"] == 403 and body["body"].decode().strip() == NO_TOKEN


def test_the_token_in_the_address_opens_the_page_and_stays_with_the_browser():
    (first,) = asked(OPEN, THERE, urlencode({"token": TOKEN}))
    (cookie,) = [value.decode() for name, value in first["headers"] if name == b"set-cookie"]
    assert (
        cookie.startswith(f"jepa_planner_view_8642={TOKEN}; ") and "HttpOnly" in cookie and "SameSite=Strict" in cookie
    )
    kept = {"cookie": f"other=1; {cookie.split(';')[0]}"}
    assert asked(OPEN, THERE | kept)[0]["status"] == 200
    assert asked(OPEN, THERE | kept, kind="websocket")[0]["type"] == "websocket.accept"


@pytest.mark.parametrize("cookie", ["", "jepa_planner_view_8642=wrong", f"jepa_planner_view_1={TOKEN}", "=;;\x00"])
def test_a_websocket_without_the_token_is_closed(cookie):
    assert asked(OPEN, THERE | {"cookie": cookie}, kind="websocket")[-1]["type"] == "websocket.close"


def test_tokens_are_long_and_differ():
    assert len(new_token()) >= 32 and new_token() != new_token()
