"""`impact sandbox`: the local API, until interrupted."""

from __future__ import annotations

from collections import Counter
from typing import Any

from impact_source.errors import ConfigurationError

from .console.exits import Exit
from .console.screen import console, table


def run(  # noqa: PLR0913 - one for each option
    port: int,
    days: int,
    per_day: int,
    seed: int,
    rate: float,
    *,
    closed: tuple[str, ...] = (),
    **rules: Any,  # noqa: ANN401 - as the sandbox has them
) -> int:
    """Create the account, print how to sync from it, serve it; at the end count the faults.

    `rules` are fields of the sandbox's `Rules`.
    """
    from impact_sandbox import ACCOUNT_SID, AUTH_TOKEN, Faults, Rules, World, serve  # noqa: PLC0415 - the server is optional

    out = console()
    out.print(f"Creating an account: {days} days of {per_day} conversions, seed {seed}.")
    world = World(seed=seed, days=days, per_day=per_day, rules=Rules(**rules))
    if unknown := sorted(set(closed) - {campaign.id for campaign in world.campaigns}):
        msg = f"the sandbox has no campaign {', '.join(unknown)}: it has 1000 and 2000"
        raise ConfigurationError(msg)
    for campaign_id in closed:
        world.close_campaign(campaign_id)

    def say(url: str) -> None:
        out.print(
            f"Serving it on {url}; its clock stands at {world.now:%Y-%m-%d %H:%M} UTC and ticks. Ctrl-C ends it.\n"
            "In another terminal:\n\n"
            f"  export SOURCES__IMPACT__BASE_URL={url}\n"
            f"  export SOURCES__IMPACT__ACCOUNT_SID={ACCOUNT_SID}\n"
            f"  export SOURCES__IMPACT__AUTH_TOKEN={AUTH_TOKEN}\n"
            "  export DESTINATION__DUCKDB__CREDENTIALS=impact-sandbox.duckdb\n"
            "  impact check && impact sync\n\n"
            "To let a month pass:\n\n"
            f"  curl {url}/sandbox/clock -H 'Content-Type: application/json' -d '{{\"advance_days\": 30}}'\n",
            soft_wrap=True,
        )

    thrown: Counter[str] = Counter()
    try:
        serve(world, port=port, on_ready=say, faults=Faults(rate, seed), thrown=thrown)
    except OSError as error:
        msg = f"port {port} cannot be used ({error}): choose another with --port"
        raise ConfigurationError(msg) from None
    finally:
        if thrown:
            counts = table("Faults thrown", "fault", "requests", numbers=("requests",))
            for kind, count in thrown.most_common():
                counts.add_row(kind, str(count))
            out.print(counts)
    return Exit.DONE
