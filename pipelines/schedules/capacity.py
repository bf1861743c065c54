"""How many accounts one machine can sync: change the numbers and run it again.

    python pipelines/schedules/capacity.py --accounts 1000 --actions-a-day 500

The API's hourly limit bounds each account, the processor bounds the machine. `make bench` measured the cost of a
million actions; give your own figures.
"""

from __future__ import annotations

from dataclasses import dataclass

import click


@dataclass(frozen=True)
class Account:
    """The load of one account per day."""

    actions_a_day: int
    open_days: int
    items: bool
    page_size: int
    requests_per_hour: int

    @property
    def open(self) -> int:
        """Actions that can still change: every sync reads them again."""
        return self.actions_a_day * self.open_days

    def requests_a_sync(self) -> int:
        """Requests of one sync: the campaigns, the windows of both passes, and pages beyond the first."""
        windows = 2 + -(-self.open_days // 45)
        return 1 + windows + 2 * self.open // self.page_size

    def syncs_an_hour(self) -> float:
        """Syncs per hour that the API's limit allows, without items."""
        return self.requests_per_hour / self.requests_a_sync()

    def hours_for_items(self) -> float:
        """Hours of the API's limit that items take per day: one request per action, nine tenths of the limit."""
        return self.actions_a_day / (0.9 * self.requests_per_hour) if self.items else 0.0


@click.command()
@click.option("--accounts", default=1_000, show_default=True, help="Accounts on the machine.")
@click.option("--actions-a-day", default=500, show_default=True, help="Conversions of one account a day.")
@click.option("--open-days", default=60, show_default=True, help="Days for which an action can change.")
@click.option("--items/--no-items", default=True, help="Whether items are read.")
@click.option("--syncs-a-day", default=24, show_default=True, help="Runs of one account a day.")
@click.option("--cores", default=2, show_default=True, help="Cores of the machine.")
@click.option(
    "--start-seconds", default=1.7, show_default=True, help="Processor seconds of a sync with nothing to read."
)
@click.option("--import-seconds", default=1.1, show_default=True, help="Those of them that a process needs only once.")
@click.option(
    "--accounts-a-process",
    type=click.IntRange(min=1),
    default=1,
    show_default=True,
    help="Accounts that one process syncs: impact -C 'clients/*' sync.",
)
@click.option("--million-seconds", default=21.0, show_default=True, help="Processor seconds of a million actions.")
@click.option("--item-ms", default=4.0, show_default=True, help="Processor milliseconds of one action's items.")
@click.option("--megabytes", default=600, show_default=True, help="Memory of a run at its peak.")
def main(  # noqa: PLR0913 - the numbers that a reader may change
    *,
    accounts: int,
    actions_a_day: int,
    open_days: int,
    items: bool,
    syncs_a_day: int,
    cores: int,
    start_seconds: float,
    import_seconds: float,
    accounts_a_process: int,
    million_seconds: float,
    item_ms: float,
    megabytes: int,
) -> None:
    """Print the load of one day, and how many accounts fit on the machine."""
    account = Account(actions_a_day, open_days, items, 20_000, 1_000)
    read = syncs_a_day * (account.open + actions_a_day)
    start = start_seconds - import_seconds * (1 - 1 / accounts_a_process)
    seconds = syncs_a_day * start + read / 1e6 * million_seconds + (actions_a_day * item_ms / 1e3 if items else 0)
    room = int(cores * 86_400 / seconds)
    click.echo(f"one account, a day:   {read:,} actions read, {seconds:,.0f} processor seconds")
    click.echo(
        f"  requests of a sync: {account.requests_a_sync()}, {account.syncs_an_hour():,.0f} syncs an hour possible"
    )
    click.echo(f"  items:              {account.hours_for_items():.1f} of the API's 24 hours a day")
    click.echo(f"{accounts:,} accounts, a day:  {accounts * seconds / 3600:,.1f} core hours of {cores * 24}")
    click.echo(f"  memory, {cores} at a time: {cores * megabytes / 1000:.1f} GB")
    click.echo(f"room on this machine: {room:,} accounts" + ("" if room >= accounts else ", too few: add machines"))


if __name__ == "__main__":
    main()
