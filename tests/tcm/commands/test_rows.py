"""A file or row that cannot be scored is refused with file, line, field and the fix."""

import pytest

from tcm.commands.rows import AuditRow, RowError, ScoreRow, read_rows, save


def refused(path, kind) -> str:
    with pytest.raises(RowError) as caught:
        read_rows(path, kind)
    return str(caught.value)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('{"id": 1, "text": "x"}', "pred.jsonl:2:id: 1 stands already on line 1; give every row its own id"),
        ('{"id": "1", "text": "x"}', "pred.jsonl:2:id: '1' stands already on line 1"),
        ('{"id": 2, "text": ', "pred.jsonl:2:line: no JSON"),
        ("[2]", "pred.jsonl:2:line: a JSON list; give an object"),
        ('{"text": "x"}', "pred.jsonl:2:id: Field required; give a text or a whole number"),
        ('{"id": true, "text": "x"}', "pred.jsonl:2:id: an id is a text or a whole number, not true"),
        ('{"id": 2}', "pred.jsonl:2:text, herbs: neither given; give one of them"),
        ('{"id": 2, "text": "x", "herbs": []}', "pred.jsonl:2:text, herbs: both given"),
        ('{"id": 2, "herbs": "甘草"}', 'pred.jsonl:2:herbs: Input should be a list, not "甘草"; give a list of names'),
        (
            '{"id": 2, "herbs": [{"herb": "甘草", "dose_g": -3}]}',
            "pred.jsonl:2:herbs.0.dose_g: Input should be greater",
        ),
        (
            '{"id": 2, "herbs": [{"herb": "甘草", "dose_g": NaN}]}',
            "pred.jsonl:2:herbs.0.dose_g: Input should be a finite",
        ),
        ('{"id": 2, "text": "x", "age": 300}', "pred.jsonl:2:age: Input should be less than or equal to 120, not 300"),
    ],
)
def test_a_bad_row_is_named_by_file_line_field_and_fix(tmp_path, line, message):
    pred = tmp_path / "pred.jsonl"
    pred.write_text('{"id": 1, "text": ""}\n' + line + "\n", "utf-8")
    assert message in refused(pred, ScoreRow)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "cannot be read"),
        (b"", "no row in it"),
        ("柴胡".encode("gb18030"), "not utf-8"),
    ],
)
def test_a_file_that_cannot_be_read_is_named(tmp_path, content, message):
    path = tmp_path / "rows.jsonl"
    if content is not None:
        path.write_bytes(content)
    assert message in refused(path, AuditRow)


def test_an_output_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").write_text("", "utf-8")
    with pytest.raises(RowError, match=r"out\.json: cannot be written .* give --json another file"):
        save(tmp_path / "file" / "out.json", [])
