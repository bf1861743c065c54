"""Settings of a sandbox world: its campaigns, and how the API behaves where sources disagree."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal


@dataclass(frozen=True)
class Campaign:
    """One campaign (program) of the account.

    `share` is its part of the world's conversions a day; 0 leaves it empty. `locking` says when its actions lock:
    some days after the event, or all of a month on one shared day of the next. Conversions begin at `since`
    (default: as far back as the world goes) and end at `until`.
    """

    id: str
    name: str
    state: str = "ACTIVE"
    share: float = 1.0
    locking: Literal["after_days", "shared_day"] = "after_days"
    since: datetime | None = None
    until: datetime | None = None


@dataclass(frozen=True)
class Rules:
    """How the API behaves. The defaults are what is documented; each field selects another reading of it.

    Answers:
        wire: every value a string, or numbers, nulls and UTC timestamps with milliseconds.
        single_as_object: a list of one is a bare object.
        null_bodies: the body of every n-th list answer is `null`; 0 for never.
        items_key: the key of the list of items.
        submissions_key: the key of the list of submissions; the first is the published one.
        order: newest created first, or no order at all.
        unknown_fields: from this instant on, records carry fields that no document names.
        unknown_states: `LOCKED` after locking and `PAID` after clearing instead of `APPROVED`.

        partners_key: the key of the list of partners; the first is the published one.

    Requests:
        seven_day_default_on_all: without StartDate, every query is limited to the last 7 days of updates.
        three_years_on_all: every range, not only StartDate, begins at most 1,095 days ago.
        max_page_size: a larger PageSize is refused; None for no limit.
        most_a_page: a page holds at most this many actions whatever PageSize says, as its envelope shows, so only ten
            times as many can be paged through; None to follow PageSize.
        refusal: the form in which too many matches are refused: a 400 without Errors, one whose Errors name PageSize
            or the bounds of the dates that were sent, or a 200 whose Status is ERROR.
        refusal_names_total: the refusal of too many matches says how many there are.
        precision: the unit to which the bounds of dates, and the dates they are compared with, are cut.
        exclusive_ends: the end of a range of dates is not part of it.
        filters: a list holds what meets all ranges of dates and the state that were sent, or what meets any of them.
        refused: campaigns whose actions are refused, and the words.
        slow: a date and a number: lists filtered by the date with more matches than that end in a 504.
        total_too_high: ids of actions; a list that holds one of them says that it holds one more than it does.
        lagging: ids of actions that no list holds and whose own endpoints answer 404, as on a replica that lags.
        lagging_share: the share of all actions that lag in the same way.
        unlisted: ids of campaigns missing from the list of campaigns.
        campaign_alone: the endpoint of one campaign answers, or returns 404 or 403.
        broken: ids of actions whose own endpoints, items included, answer 500.
        listed_twice: ids of actions; a page that holds one of them lists it twice.
        withheld: resources by the last part of their path, each with the status, 403 or 404, that it answers.
        time_zone: the account's, as CompanyInformation names it; invoices have its months. Actions lock at Pacific
            midnights, and instants are sent with Pacific offsets, whatever it is.
        invoices_a_month: invoices that a partner gets for what cleared in a month, one a day from the 1st on; actions
            are dealt out among them.
        reference_days: lists of what surrounds the actions refuse a longer range of dates; None for no limit.
        rate_limit_headers: which headers report the budget.
        reset_as_epoch: the reset is an epoch second of the world's clock instead of seconds to wait.
        wrong_date_every: the Date of every n-th answer, the first included, is that of a wrong clock; 0 for none.
        wrong_date_seconds: how far the wrong clock is ahead.

    Life of an action:
        visibility_lag: a created or changed row shows up to this many seconds late.
        lock_days: days from creation to the midnight of locking (campaigns that lock after days).
        shared_locking_day: all campaigns lock on this day of the next month.
        early_approval_moves_lock: a manual approval moves LockingDate to its instant.
        open_ended: share of actions whose LockingDate is empty and set late or never.
        approval_delay_days: approval comes this many days after LockingDate.
        clearing_touches: clearing moves the last-updated date.
        reversal_touches: so do reversals and restorations.
        duplicate_skus: share of actions with several items in which one Sku is listed twice.
        odd_items: share of actions whose items are worth 1.00 more than the action.
        shared_oids: share of actions with the Oid of the conversion before, whatever its event type.

    The change feed (ActionUpdates):
        feed_rows: a change has a row for each item that it changed, or one for the order, whose Sku is empty.
        feed_turns: reversals and restorations have rows too.
        feed_restorations: a restoration has rows.
        feed_approvals: an approval has rows too, whose deltas are 0.
        feed_twins: items with the same Sku have rows of their own, or one row together.
        feed_quantity: Quantity is the item's after the change, or by how much the change moved it.
        feed_removed: the Quantity of a removed item is 0, or its last one.
        feed_lag: rows show up to this many seconds after the change itself, each at its own time.
        feed_keeps_days: rows of older changes are gone; None to keep all.
        feed_odd_deltas: share of actions whose deltas add up to 1.00 more than they are worth.
        feed_lacks_items: share of items that have no rows.
        feed_adds_items: share of actions that have a row for an item that they do not list, worth nothing.
        feed_renames_items: share of items whose rows carry another Sku than the list does.

    Writes:
        submission_seconds: how long each stage of a submission, Queued and In Progress, lasts by the world's clock.
        submission_polls: a stage also ends with the poll after this many, if the clock stands; 0 for the clock only.
        queued_uri: the link to a submission ends in its BatchId, or in `.json`, a query or a slash.
        no_error: the ErrorType and ErrorReason of a submission that was carried out.
        values_checked: invalid values are found on processing, or refused at once with a 400.
        most_modifications: the most modifications of an action.
        custom_codes: reasons and disposition codes that the account has configured in addition to the documented ones.
        customer_statuses: those that are configured.
        shared_order: a write by the order of several actions of one event type hits the newest, or none.
        amount_beside_sku: Amount beside Sku is the item's, or still the order's.
        quantity_scales_amount: a new Quantity alone moves the item's amount in proportion.
        zero_quantity: an item whose Quantity becomes 0 is no longer listed, or listed with an amount of 0.
        reversed_takes_updates: an update with an amount restores a reversed action; else only RESET does.
        second_reversal: reversing a reversed action does nothing, or is an error.
        unchanged_touches: an update that changes nothing moves the last-updated date and counts as a modification.
    """

    wire: Literal["strings", "typed"] = "strings"
    single_as_object: bool = False
    null_bodies: int = 0
    items_key: Literal["ActionItems", "Items"] = "ActionItems"
    submissions_key: Literal["APISubmission", "APISubmissions"] = "APISubmission"
    partners_key: Literal["Partners", "MediaPartners"] = "Partners"
    order: Literal["created", "shuffled"] = "created"
    unknown_fields: datetime | None = None
    unknown_states: bool = False

    seven_day_default_on_all: bool = False
    three_years_on_all: bool = False
    max_page_size: int | None = None
    most_a_page: int | None = None
    refusal: Literal["plain", "page_size", "dates", "ok"] = "plain"
    refusal_names_total: bool = False
    precision: Literal["millisecond", "second", "minute", "day"] = "millisecond"
    exclusive_ends: bool = False
    filters: Literal["all", "any"] = "all"
    refused: tuple[tuple[str, str], ...] = ()
    slow: tuple[Literal["updated", "event", "locking"], int] | None = None
    total_too_high: tuple[str, ...] = ()
    lagging: tuple[str, ...] = ()
    lagging_share: float = 0.0
    unlisted: tuple[str, ...] = ()
    campaign_alone: Literal["answers", "unknown", "forbidden"] = "answers"
    broken: tuple[str, ...] = ()
    listed_twice: tuple[str, ...] = ()
    withheld: tuple[tuple[str, int], ...] = ()
    time_zone: str = "(GMT -08:00) Pacific Time (US & Canada); Tijuana"
    invoices_a_month: int = 1
    reference_days: int | None = None
    rate_limit_headers: Literal["standard", "hour", "retry_after", "none"] = "standard"
    reset_as_epoch: bool = False
    wrong_date_every: int = 0
    wrong_date_seconds: int = 108_000

    visibility_lag: int = 0
    lock_days: int = 30
    shared_locking_day: int | None = None
    early_approval_moves_lock: bool = False
    open_ended: float = 0.0
    approval_delay_days: int = 0
    clearing_touches: bool = False
    reversal_touches: bool = True
    duplicate_skus: float = 0.0
    odd_items: float = 0.0
    shared_oids: float = 0.0

    feed_rows: Literal["item", "order"] = "item"
    feed_turns: Literal["item", "order"] = "item"
    feed_restorations: bool = True
    feed_approvals: bool = False
    feed_twins: Literal["apart", "together"] = "apart"
    feed_quantity: Literal["current", "delta"] = "current"
    feed_removed: Literal["zero", "last"] = "zero"
    feed_lag: int = 0
    feed_keeps_days: int | None = None
    feed_odd_deltas: float = 0.0
    feed_lacks_items: float = 0.0
    feed_adds_items: float = 0.0
    feed_renames_items: float = 0.0

    submission_seconds: int = 5
    submission_polls: int = 1
    queued_uri: Literal["", ".json", "?format=json", "/"] = ""
    no_error: Literal["", "NONE", "None", "null"] = ""
    values_checked: Literal["processing", "at_once"] = "processing"
    most_modifications: int = 1000
    custom_codes: tuple[str, ...] = ()
    customer_statuses: tuple[str, ...] = ("NEW", "EXISTING")
    shared_order: Literal["newest", "refused"] = "newest"
    amount_beside_sku: Literal["item", "order"] = "item"
    quantity_scales_amount: bool = True
    zero_quantity: Literal["removes", "zeroes"] = "removes"
    reversed_takes_updates: bool = False
    second_reversal: Literal["nothing", "refused"] = "nothing"
    unchanged_touches: bool = True

    @property
    def life(self) -> tuple[object, ...]:
        """The rules that shape what happens to actions and what is recorded of it, not how the API reports it."""
        return (
            self.visibility_lag,
            self.lock_days,
            self.shared_locking_day,
            self.early_approval_moves_lock,
            self.open_ended,
            self.approval_delay_days,
            self.clearing_touches,
            self.reversal_touches,
            self.duplicate_skus,
            self.odd_items,
            self.shared_oids,
            self.feed_rows,
            self.feed_turns,
            self.feed_restorations,
            self.feed_approvals,
            self.feed_twins,
            self.feed_quantity,
            self.feed_removed,
            self.feed_lag,
            self.feed_odd_deltas,
            self.feed_lacks_items,
            self.feed_adds_items,
            self.feed_renames_items,
        )
