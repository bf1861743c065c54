"""Runs Singer's tap for impact unchanged, but for the host: what it sends to the published one goes to a sandbox.

For the interpreter of the tap's environment. PEERS_BASE_URL is the sandbox's address; arguments are the tap's.
"""

import os

import requests
from tap_impact import main

PUBLISHED = "https://api.impact.com"
_send = requests.Session.send


def _send_elsewhere(
    session: requests.Session, request: requests.PreparedRequest, **options: object
) -> requests.Response:
    request.url = str(request.url).replace(PUBLISHED, os.environ["PEERS_BASE_URL"], 1)
    return _send(session, request, **options)


if __name__ == "__main__":
    setattr(requests.Session, "send", _send_elsewhere)  # noqa: B010 - mypy takes an assignment for a mistake
    main()
