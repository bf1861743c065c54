"""`impact corrections` as a user runs it: questions, tables, exit codes."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from impact_sandbox import Reply, Rules

from tests.support.commands import IMPACT, clean, environment, impact
from tests.support.desk import HEADER, Desk

Make = Callable[..., Desk]


@pytest.fixture
def one(desk: Make) -> Desk:
    """A synced account with two actions, `A1` and `A2`."""
    made = desk()
    made.create(Id="A1")
    made.create(Id="A2")
    made.sync()
    return made


def user(one: Desk, **changes: str) -> dict[str, str]:
    """The environment of a user of this account, who does not wait for submissions."""
    own = {"SOURCES__IMPACT__POLL_INTERVAL": "0 seconds", "SOURCES__IMPACT__ACTOR": "J. Doe"}
    return environment(one.account, **(own | changes))


def plan(one: Desk, *lines: str) -> str:
    """The id of a plan that the command stored."""
    output = clean(impact("corrections", "plan", str(one.ask(*lines)), env=user(one)), 0)
    found = re.search(r"impact corrections apply (\S+)", output)
    assert found, output
    return found[1]


def test_from_a_file_to_confirmed_corrections(one: Desk) -> None:
    """Plan shows old and new and the money, apply sends, status reports: all with exit code 0."""
    path = one.ask("A1,update,ORDER_UPDATE,TEE,,-5.00,,,,,refund", "A2,reverse,CONS_FRAUD,,,,,,,,")
    output = clean(impact("corrections", "plan", str(path), env=user(one)), 0)
    assert re.search(r"2\W+A1\W+TEE\W+amount \(-5.00\)\W+10.00\W+5.00\W+-0.25\W+2026-\d\d-\d\d \d\d:\d\d", output)
    assert re.search(r"3\W+A2\W+state\W+PENDING\W+REVERSED\W+-2.50", output)
    assert "2 calls; commission changes by about -2.75 USD (touching 2.75)" in output.replace("\n", " ")
    assert "Nothing was sent" in output
    assert one.writes == []
    plan_id = re.findall(r"impact corrections apply (\S+)", output)[0]
    assert "3: run again" not in clean(impact("corrections", "status", plan_id, env=user(one)), 3)
    assert "2 confirmed" in clean(impact("corrections", "apply", plan_id, "--yes", env=user(one)), 0)
    assert len(one.writes) == 2
    assert "J. Doe" in clean(impact("corrections", "status", env=user(one)), 0)
    told = json.loads(impact("corrections", "status", plan_id, "--json", env=user(one)).stdout)
    assert [row["status"] for row in told["corrections"]] == ["confirmed", "confirmed"]
    assert told["plans"][0]["counts"] == {"confirmed": 2}
    assert told["journal_file"].endswith("impact_warehouse.duckdb.corrections.jsonl")
    clean(impact("corrections", "apply", plan_id, "--yes", env=user(one)), 0)
    assert len(one.writes) == 2


def test_a_plan_names_amounts_that_look_like_mistakes(one: Desk) -> None:
    """They are planned all the same: only a person can know."""
    path = one.ask("A1,update,ORDER_UPDATE,,999999999,,,,,,")
    output = clean(impact("corrections", "plan", str(path), env=user(one)), 0)
    assert re.search(r"2\W+A1\W+30.00\W+999,999,999.00\W+30.00\W+USD", output)
    said = " ".join(output.split())
    assert "impact: unusual amounts: 1. Each is more than 10 times what was there" in said
    assert "impact corrections apply" in said


def test_a_journal_file_is_named_only_if_there_is_one(one: Desk) -> None:
    """Before the first plan nothing was written beside the warehouse, and a script must not look for it."""
    nothing = json.loads(impact("corrections", "status", "--json", env=user(one)).stdout)
    assert nothing == {"plans": [], "corrections": [], "journal_file": None, "disagreement": None}
    plan(one, "A1,update,ORDER_UPDATE,TEE,5,,,,,,")
    told = json.loads(impact("corrections", "status", "--json", env=user(one)).stdout)
    assert Path(told["journal_file"]).exists()


def test_bad_lines_stop_the_plan(one: Desk) -> None:
    """Lines that cannot be sent are listed, and nothing is stored unless they are to be skipped."""
    path = str(one.ask("A1,update,ORDER_UPDATE,,12,,,,,,", "A2,update,BECAUSE,,12,,,,,,"))
    output = clean(impact("corrections", "plan", path, env=user(one)), 2)
    assert re.search(r"3\W+A2\W+BECAUSE is not a reason code", output)
    assert "No plan was stored" in output
    assert "were ever planned" in clean(impact("corrections", "status", env=user(one)), 0)
    assert "Left out of the plan: 1" in clean(impact("corrections", "plan", path, "--skip-invalid", env=user(one)), 0)


def test_a_query_is_a_source(one: Desk) -> None:
    """--sql takes corrections from the warehouse."""
    sql = "select id as action_id, 'reverse' as kind, 'CONS_FRAUD' as reason from actions where id = 'A1'"
    assert "1 corrections in 1 calls" in clean(impact("corrections", "plan", "--sql", sql, env=user(one)), 0)


def test_apply_asks_first(one: Desk) -> None:
    """Without --yes somebody must confirm; if nobody is there, nothing is sent."""
    plan_id = plan(one, "A1,update,ORDER_UPDATE,,12,,,,,,")
    assert "pass --yes" in clean(impact("corrections", "apply", plan_id, env=user(one)), 2)
    command = ["script", "-qec", f"{IMPACT} corrections apply {plan_id}", "/dev/null"]

    def answer(word: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(command, env=user(one), input=word, capture_output=True, text=True, check=False)

    said = answer("n\n")
    assert "Nothing was sent" in said.stdout
    assert said.returncode == 3
    assert one.writes == []
    said = answer("y\n")
    assert "1 confirmed" in said.stdout
    assert said.returncode == 0


def test_a_lost_answer_is_resolved_by_a_person(one: Desk) -> None:
    """Unknown calls are listed with what the action shows, and settled by a decision that the journal keeps."""
    plan_id = plan(one, "A1,update,ORDER_UPDATE,TEE,,-2.50,,,,,", "A2,update,ORDER_UPDATE,,12,,,,,,")
    one.sandbox.on_request = lambda request: Reply(503) if request.form.get("ActionId") == "A1" else None
    output = clean(impact("corrections", "apply", plan_id, "--yes", env=user(one)), 1)
    assert f"impact corrections resolve {plan_id}" in output
    output = clean(impact("corrections", "resolve", plan_id, env=user(one)), 1)
    assert "amount of TEE is 10" in output
    assert "--as planned: it took no effect, and apply may send it again" in output
    assert "pass --yes" in clean(impact("corrections", "resolve", plan_id, "--as", "planned", env=user(one)), 2)
    again = ("corrections", "resolve", plan_id, "--line", "2", "--as", "planned", "--yes", "--note", "asked them")
    clean(impact(*again, env=user(one)), 3)
    one.sandbox.on_request = None
    clean(impact("corrections", "apply", plan_id, "--yes", env=user(one)), 0)
    assert "Nothing waits" in clean(impact("corrections", "resolve", plan_id, env=user(one)), 0)
    assert one.journal("settled_by") == [("J. Doe",), (None,)]


def test_a_lost_file_is_written_again_if_a_person_says_so(one: Desk) -> None:
    """Status no longer names the file, planning says what to do, and only a person's word writes it again."""
    plan_id = plan(one, "A1,update,ORDER_UPDATE,TEE,,-2.50,,,,,")
    clean(impact("corrections", "apply", plan_id, "--yes", env=user(one)), 0)
    assert "What was sent is also in" in clean(impact("corrections", "status", env=user(one)), 0)
    file = one.account.path.with_name("impact_warehouse.duckdb.corrections.jsonl")
    file.unlink()
    output = clean(impact("corrections", "status", env=user(one)), 0)
    assert "corrections.jsonl is not there" in output
    assert "What was sent is also in" not in output
    path = str(one.ask("A1,update,ORDER_UPDATE,TEE,,-2.50,,,,,"))
    assert "resolve --to-file" in clean(impact("corrections", "plan", path, env=user(one)), 2)
    resolve = ("corrections", "resolve", "--to-file")
    assert "pass --yes if you are sure" in clean(impact(*resolve, env=user(one)), 2)
    assert "stands alone" in clean(impact(*resolve, plan_id, env=user(one)), 2)
    assert not file.exists()
    assert "corrections.jsonl again" in clean(impact(*resolve, "--yes", env=user(one)), 0)
    clean(impact("corrections", "plan", path, env=user(one)), 0)


def test_an_interrupted_apply_goes_on(one: Desk) -> None:
    """Ctrl-C during the wait for a submission ends with 130; the next apply follows it up and sends nothing again."""
    one.world.rules = Rules(submission_polls=0)
    plan_id = plan(one, "A1,update,ORDER_UPDATE,,12,,,,,,")
    command = [IMPACT, "corrections", "apply", plan_id, "--yes"]
    env = user(one, SOURCES__IMPACT__POLL_INTERVAL="1 second")
    process = subprocess.Popen(command, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    polled = threading.Event()
    one.sandbox.on_request = lambda request: polled.set() if "/APISubmissions/" in request.path else None
    assert polled.wait(60)
    process.send_signal(signal.SIGINT)
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 130, output
    assert "Traceback" not in output
    assert one.statuses() == ["accepted"]
    one.world.advance(seconds=30)
    clean(impact("corrections", "apply", plan_id, "--yes", env=env), 0)
    assert len(one.writes) == 1


def test_what_the_user_can_fix_is_said(one: Desk) -> None:
    """Bad input ends with exit code 2 and one line that says what to do."""
    says = {
        "plan": "give either FILE or --sql",
        "plan x.csv --sql select": "give either FILE or --sql",
        "plan nowhere.csv": "there is no file nowhere.csv",
        "apply 20260115-nothing --yes": "there is no plan 20260115-nothing",
        "status 20260115-nothing": "there is no plan 20260115-nothing",
        "resolve 20260115-nothing": "there is no plan 20260115-nothing",
        "resolve": "name a plan",
        "apply x --limit-amount lots": "'lots' is not an amount",
    }
    for arguments, said in says.items():
        assert said in clean(impact("corrections", *arguments.split(), env=user(one)), 2)


def test_without_a_warehouse_there_is_nothing_to_correct(desk: Make) -> None:
    """Before the first sync every verb says what to do first."""
    one = desk()
    path = str(one.file(f"{HEADER}\nA1,reverse,OTHER,,,,,,,,\n"))
    assert "run `impact sync` first" in clean(impact("corrections", "plan", path, env=user(one)), 2)
    assert not one.account.path.exists()
    assert "run `impact sync` first" in clean(impact("corrections", "status", env=user(one)), 2)
