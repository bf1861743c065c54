"""Submissions: writes that wait for their turn, and what the API reports about them.

A submission is Queued, then In Progress, then Complete. A stage ends `Rules.submission_seconds` of the world's clock
after it began, or once `Rules.submission_polls` polls have shown it, whichever comes first, so a clock that stands
still does not keep a caller waiting for ever. The write takes effect at the instant of completion; pending writes are
processed in the order of those instants. Errors exist only in Complete submissions.
"""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import NAMESPACE_URL, uuid5

from .processing import Outcome
from .records import Record
from .rules import Rules
from .times import wire_time
from .writes import Write

ACCOUNT_ID = "2026001"
OURS = "SANDBOX_"
"""The prefix of error codes that are in no published list: the API's own codes for these cases are not known."""
DATA_ERRORS = frozenset({"MALFORMED", "ACTION_REF_NOT_FOUND", "SANDBOX_ACTION_REF_NOT_UNIQUE", "SANDBOX_SKU_NOT_FOUND"})
"""What is wrong with the data sent, in addition to codes of invalid values; all else is due to the action's state."""


@dataclass
class Submission:
    """An accepted write: when its stages began, how many polls have shown the current one, and how it ended."""

    batch_id: str
    submitted: datetime
    write: Write
    started: datetime | None = None
    completed: datetime | None = None
    polls: int = 0
    outcome: Outcome | None = None

    def status(self, now: datetime) -> str:
        """Return the stage at an instant."""
        if self.completed and self.completed <= now:
            return "Complete"
        return "In Progress" if self.started and self.started <= now else "Queued"

    def move_by_clock(self, now: datetime, rules: Rules) -> datetime | None:
        """Start the stages that the clock has reached; return the instant of completion once it has come."""
        stage = timedelta(seconds=rules.submission_seconds)
        if self.started is None and self.submitted + stage <= now:
            self.started, self.polls = self.submitted + stage, 0
        if self.started is None or self.completed is not None or self.started + stage > now:
            return None
        return self.started + stage

    def move_by_polls(self, now: datetime, rules: Rules) -> datetime | None:
        """Count a poll and start the stage that it brings about; return the instant of completion if it completes."""
        due = self.completed is None and 0 < rules.submission_polls <= self.polls
        self.polls = 1 if due else self.polls + 1
        if due and self.started is not None:
            return now
        if due:
            self.started = now
        return None

    def record(self, account_sid: str, now: datetime, rules: Rules) -> Record:
        """Return the submission as the API reports it; values of the action are known once it was found."""
        complete = self.status(now) == "Complete"
        outcome = self.outcome if complete and self.outcome else Outcome(())
        action = outcome.action or {}
        nothing = rules.no_error if complete else ""
        return {
            "BatchId": self.batch_id,
            "AccountId": ACCOUNT_ID,
            "SubmissionDate": wire_time(self.submitted),
            "CampaignId": action.get("CampaignId", ""),
            "ActionTrackerId": action.get("ActionTrackerId", self.write.tracker_id or ""),
            "MediaPartnerId": action.get("MediaPartnerId", ""),
            "EventCode": action.get("EventCode", ""),
            "OrderId": action.get("Oid", self.write.order_id or ""),
            "Payload": self.write.payload,
            "Type": self.write.kind,
            "Status": self.status(now),
            "CompletionDate": wire_time(self.completed) if complete and self.completed else "",
            "ErrorType": _error_type(outcome.errors) or nothing,
            "ErrorReason": " ".join(outcome.errors) or nothing,
            "Uri": self.uri(account_sid),
        }

    def uri(self, account_sid: str) -> str:
        """Return the path of the submission."""
        return f"/Advertisers/{account_sid}/APISubmissions/{self.batch_id}"


@dataclass
class Queue:
    """The submissions of an account, in the order they came; the same seed gives the same ids."""

    account_sid: str
    seed: int
    submissions: list[Submission] = field(default_factory=list)

    def add(self, write: Write, now: datetime) -> Submission:
        """Take in a write."""
        name = uuid5(NAMESPACE_URL, f"{self.account_sid}/{self.seed}/{len(self.submissions)}")
        self.submissions.append(Submission(f"A-{name}", now, write))
        return self.submissions[-1]

    def move_by_clock(self, now: datetime, rules: Rules) -> list[tuple[datetime, Submission]]:
        """Start the stages that the clock has reached; return what is to be completed and when, in that order."""
        moved = [(submission.move_by_clock(now, rules), submission) for submission in self.submissions]
        return sorted(((at, submission) for at, submission in moved if at), key=lambda entry: entry[0])


def _error_type(errors: tuple[str, ...]) -> str:
    if not errors:
        return ""
    data = any(code in DATA_ERRORS or code.startswith(f"{OURS}INVALID_") for code in errors)
    return "Validation" if data else "Sandbox Error"
