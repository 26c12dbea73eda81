import io
import json
from pathlib import Path

import typer
from typer.testing import CliRunner

from worker.commands.detect import detect, register

PACKS = Path(__file__).parents[2] / "config" / "phrases"


def run(*lines, packs=PACKS):
    out, err = io.StringIO(), io.StringIO()
    code = detect([line.encode() + b"\n" for line in lines], out, packs, err)
    return code, [json.loads(line) for line in out.getvalue().splitlines()], err.getvalue().splitlines()


def test_a_text_is_answered_with_labels_spans_and_amounts():
    body = "Tagihan kami dobel Rp 12,5 juta. Kalau tidak beres kami pindah ke kompetitor."
    code, (answer,), errors = run(json.dumps({"id": "t1", "channel": "email", "subject": "", "body": body}))
    assert (code, errors) == (0, [])
    assert answer["id"] == "t1"
    assert answer["labels"] == ["churn_threat", "payment_dispute"]
    assert answer["certainty"] == {"churn_threat": "certain", "payment_dispute": "certain"}
    assert all(body[span["start"] : span["end"]] == span["text"] for span in answer["spans"])
    assert answer["amounts"] == [
        {"amount": "12500000", "currency": "IDR", "start": 19, "end": 31, "field": "body", "text": "Rp 12,5 juta"}
    ]


def test_a_weak_hit_is_shown_but_not_asserted():
    _, (answer,), _ = run('{"id": "1", "body": "If we ever wanted to cancel our subscription, how would it work?"}')
    assert (answer["labels"], answer["certainty"]) == ([], {"churn_threat": "possible"})


def test_bad_lines_are_named_and_the_good_ones_go_on():
    code, answers, errors = run(
        '{"id": 1, "body": "halo"}', '{"id": "x", "body" "y"}', '["a"]', '{"body": "x"}', '{"id": "2", "body": 5}',
        '{"id": "3"}', "", '{"id": "4", "subject": null, "body": "we will sue you"}',
    )  # fmt: skip
    assert code == 1
    assert [(answer["id"], answer["labels"]) for answer in answers] == [("1", []), ("4", ["legal_compliance"])]
    faults = [json.loads(line) for line in errors]
    assert [(fault["line"], fault["column"]) for fault in faults] == [(2, 20), (3, 1), (4, 1), (5, 13), (6, 1)]
    assert "body must be a text" in faults[3]["error"]


def test_bytes_that_are_no_utf8():
    out, err = io.StringIO(), io.StringIO()
    assert detect([b'{"id": "1", "body": "\xff"}\n'], out, PACKS, err) == 1
    assert json.loads(err.getvalue())["column"] == 22


def test_what_was_cut_is_told():
    _, (answer,), _ = run(json.dumps({"id": "1", "body": "x" * 70_000}))
    assert answer["cut"] == 70_000 - 65_536


def test_broken_packs_are_named_with_their_place(tmp_path):
    (tmp_path / "p.yaml").write_text("phrases:\n- {id: a}\n", encoding="utf-8")
    code, answers, errors = run('{"id": "1", "body": "x"}', packs=tmp_path)
    assert (code, answers) == (2, [])
    assert errors == [f"{tmp_path}/p.yaml:2:3: a lacks label, patterns, yes, no: add it"]


def test_the_command():
    app = typer.Typer()
    app.callback()(lambda: None)
    register(app)
    result = CliRunner().invoke(
        app, ["detect", "--phrases", str(PACKS)], input='{"id": "1", "body": "we will sue you"}\n'
    )
    assert result.exit_code == 0
    assert json.loads(result.stdout)["labels"] == ["legal_compliance"]
