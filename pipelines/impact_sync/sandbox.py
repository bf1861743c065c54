"""`impact sandbox`: the local API, until interrupted."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from impact_source.errors import ConfigurationError

from .console.exits import Exit, exit_code
from .console.failures import say
from .console.screen import console, table

if TYPE_CHECKING:
    from impact_sandbox import World

SHARED = 0.001
"""The share of actions with another's order id, where the shop's orders are written as well."""


def run(  # noqa: PLR0913 - one for each option
    port: int,
    days: int,
    per_day: int,
    seed: int,
    rate: float,
    *,
    closed: tuple[str, ...] = (),
    orders: str | None = None,
    planted: int = 0,
    **rules: Any,  # noqa: ANN401 - as the sandbox has them
) -> int:
    """Serve an account until interrupted; return the exit code. It keeps nothing, so nothing is said to stay.

    `orders` is a folder for the shop's own orders, in which `planted` differ; `rules` are fields of the
    sandbox's `Rules`.
    """
    try:
        _serve(port, days, per_day, seed, rate, closed=closed, orders=orders, planted=planted, **rules)
    except KeyboardInterrupt as error:
        say("the sandbox has ended; the same options create its account again, without what was changed in it")
        return exit_code(error)
    return Exit.DONE


def _serve(  # noqa: PLR0913 - one for each option
    port: int,
    days: int,
    per_day: int,
    seed: int,
    rate: float,
    *,
    closed: tuple[str, ...],
    orders: str | None,
    planted: int,
    **rules: Any,  # noqa: ANN401 - as the sandbox has them
) -> None:
    """Create the account, print how to sync from it, serve it; at the end count the faults."""
    from impact_sandbox import ACCOUNT_SID, AUTH_TOKEN, Faults, Rules, World, serve  # noqa: PLC0415 - the server is optional

    out = console()
    out.print(f"Creating an account: {days} days of {per_day} conversions, seed {seed}.")
    world = World(seed=seed, days=days, per_day=per_day, rules=Rules(**rules, shared_oids=SHARED if orders else 0.0))
    if unknown := sorted(set(closed) - {campaign.id for campaign in world.campaigns}):
        msg = f"the sandbox has no campaign {', '.join(unknown)}: it has 1000 and 2000"
        raise ConfigurationError(msg)
    for campaign_id in closed:
        world.close_campaign(campaign_id)
    if orders:
        out.print(_write_orders(world, Path(orders), planted))

    def ready(url: str) -> None:
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
        serve(world, port=port, on_ready=ready, faults=Faults(rate, seed), thrown=thrown)
    except OSError as error:
        msg = f"port {port} cannot be used ({error}): choose another with --port"
        raise ConfigurationError(msg) from None
    finally:
        if thrown:
            counts = table("Faults thrown", "fault", "requests", numbers=("requests",))
            for kind, count in thrown.most_common():
                counts.add_row(kind, str(count))
            out.print(counts)


def _write_orders(world: World, folder: Path, planted: int) -> str:
    """Write the shop's own orders, and say what was written."""
    try:
        books = world.shop(planted)
        books.write(folder)
    except ValueError as error:
        raise ConfigurationError(str(error)) from None
    except OSError as error:
        msg = f"{folder} cannot be written ({error}): choose another folder with --orders"
        raise ConfigurationError(msg) from None
    return (
        f"Wrote the shop's {books.orders.num_rows:,} orders to {folder / 'orders.csv'}, their items to order_items.csv "
        f"and the {books.planted.num_rows:,} differences to planted.csv."
    )
