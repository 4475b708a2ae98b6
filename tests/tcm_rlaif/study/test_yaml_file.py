"""A params file that cannot be used is refused in one short line with its name, at once, whatever is wrong with it."""

import time
from pathlib import Path

import pytest

from tcm_rlaif.study import params
from tcm_rlaif.study.params import ParamsError

BOMB = "a: &a [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{new}: &{new} [{', '.join([f'*{old}'] * 10)}]\n" for old, new in zip("abcdefgh", "bcdefghi", strict=True)
)
REFUSED = {  # what is wrong: (the file, what the message says)
    "empty": ("", "is empty; write at least `study: NAME`"),
    "only a comment": ("# sft_epochs: 3\n", "is empty"),
    "an empty document": ("---\n", "is empty"),
    "null": ("~", "is empty"),
    "a list": ("[]", "must hold `key: value` lines, not a list"),
    "a list of mappings": ("- study: a\n", "not a list"),
    "zero": ("0", "not a int"),
    "a number": ("2.5", "not a float"),
    "false": ("false", "not a bool"),
    "a word": ("hello", "not a str"),
    "prose": ("This is my study.", "not a str"),
    "a list as a key": ("[1]: x", "line 1: a list as a key"),
    "a long list as a key": ("? [a, b]\n: c", "line 1: a list as a key"),
    "a mapping as a key": ("{a: 1}: x", "line 1: a dict as a key"),
    "a number as a key": ("7: x", "7: no such key"),
    "nothing as a key": ("~: x", "no such key"),
    "yes as a key": ("yes: x", "no such key"),
    "a key twice": ("study: a\nstudy: b", "line 2: study: occurs twice"),
    "a key twice in quotes": ("study: a\n'study': b", "line 2: study: occurs twice"),
    "a key twice in an arm": ("arms:\n  x:\n    training: sft\n    training: dpo", "line 4: training: occurs twice"),
    "an arm twice": ("arms:\n  x: {}\n  x: {}", "line 3: x: occurs twice"),
    "an unknown key": ("dpo_betta: 1", "did you mean 'dpo_beta'?"),
    "a key in capitals": ("Study: a", "Study: no such key"),
    "a tag for a number": ("study: !!int abc", "line 1: a tag (!!int)"),
    "a tag for a date": ("study: !!timestamp x", "line 1: a tag (!!timestamp)"),
    "a tag for bytes": ("study: !!binary x", "line 1: a tag (!!binary)"),
    "a tag for a set": ("seeds: !!set {1, 2}", "line 1: a tag (!!set)"),
    "a tag for pairs": ("arms: !!omap [a: 1]", "line 1: a tag (!!omap)"),
    "a tag for a float": ("dpo_beta: !!float x", "line 1: a tag (!!float)"),
    "a tag for a truth": ("data_allow_few: !!bool x", "line 1: a tag (!!bool)"),
    "a tag that would run code": ("study: !!python/object/apply:os.getcwd []", "line 1: a tag (!!python"),
    "a tag of one's own": ("study: !secret x", "line 1: a tag (!secret)"),
    "an alias bomb": (BOMB, "line 1: an anchor or alias"),
    "a list in itself": ("a: &a [*a]", "line 1: an anchor or alias"),
    "an anchor": ("study: &name x", "line 1: an anchor or alias"),
    "a merge": ("<<: {study: x}", ""),
    "a day that does not exist": ("study: a\nseeds: 2023-02-30", "seeds"),
    "a date as a number": ("data_cases: 2023-02-03", "data_cases: Input should be a valid integer"),
    "sixties": ("data_cases: 190:20:30", "line 1: 190:20:30: no number"),
    "5,000 digits": ("data_cases: " + "9" * 5000, "line 1: no value (Exceeds the limit"),
    "30 digits": ("data_cases: " + "9" * 30, "data_cases: Input should be less than"),
    "30 digits elsewhere": ("sft_cases: " + "9" * 30, "sft_cases: Input should be less than"),
    "an exponent": ("dpo_beta: 1.0e400", "dpo_beta: Input should be a finite number"),
    "no number": ("dpo_beta: .nan", "dpo_beta: Input should be a finite number"),
    "endless": ("dpo_beta: -.inf", "dpo_beta: Input should be a finite number"),
    "yes as a number": ("data_cases: yes", "data_cases: a number is needed"),
    "hexadecimal": ("data_cases: 0x", "data_cases: Input should be a valid integer"),
    "a fraction of a case": ("data_cases: 2.5", "data_cases: Input should be a valid integer"),
    "1,500 lists": ("seeds: " + "[" * 1500 + "]" * 1500, "line 1: more than 20 levels"),
    "1,500 mappings": ("{a: " * 1500 + "}" * 1500, "line 1: more than 20 levels"),
    "a megabyte": ("study: " + "a" * 1_000_001, "is larger than 1000000 bytes"),
    "two documents": ("study: a\n---\nstudy: b", "no valid YAML"),
    "a tab": ("\tstudy: x", "no valid YAML"),
    "an open bracket": ("seeds: [1, 2", "line 1, column"),
    "an open quote": ('study: "a', "no valid YAML"),
    "no space after the colon": ("study:a", "not a str"),
    "a control character": ("study: a\x07b", "no valid YAML"),
    "an escape sequence": ('study: "\\e[31mred"', "study: String should match"),
    "a seed below zero": ("seeds: [-1]", "seeds.0: Input should be greater"),
    "a huge seed": ("seeds: [99999999999999999999]", "seeds.0: Input should be less"),
    "a seed twice": ("seeds: [1, 1]", "seeds: each seed once"),
    "hundreds of seeds": ("seeds: [" + ", ".join(map(str, range(500))) + "]", "seeds: Tuple should have at most 100"),
    "no arm": ("arms: {}", "arms: Dictionary should have at least 1"),
    "an arm that is none": ("arms: {x: 3}", "arms.x: Input should be a valid dictionary"),
    "a study above": ("study: ..", "study: String should match"),
    "a study in another folder": ("study: a/b", "study: String should match"),
    "a study with a long name": ("study: " + "a" * 300, "study: String should have at most 60"),
    "the cache": ("study: cache", "choose another name"),
    "heads that do not divide": ("base_hidden: 191", "base_hidden: 191 is no multiple of 2 * base_heads (8)"),
    "a model too big": ("base_hidden: 100000000", "base_hidden: Input should be less"),
    "layers without end": ("base_layers: 100000", "base_layers: Input should be less"),
    "a path with a NUL": ('data_path: "a\\0b"', "data_path: no path of a file"),
    "a path of 5,000 letters": ("data_path: " + "a" * 5000, "data_path: no path of a file"),
    "another version": ("%YAML 9.9\n---\nstudy: a", "no valid YAML: found incompatible YAML document"),
    "TOML": ('study = "a"\n[arms]\n', "must hold `key: value` lines, not a str"),
    "an ini file": ("[study]\nname=a\n", "no valid YAML"),
    "a colon of full width": ("study： a", "must hold `key: value` lines, not a str"),
    "a blank that is none": ("study:\u00a0a", "must hold `key: value` lines, not a str"),
    "digits of full width": ("data_cases: ４０", "data_cases: Input should be a valid integer"),
    "a key in Chinese": ("研究: a", "研究: no such key; known: study"),
    "a key of full width": ("ｓｔｕｄｙ: a", "no such key"),
    "a mark of direction in a key": ("stu\u202edy: a", "no such key; did you mean 'study'?"),
    "two byte order marks": ("\ufeff\ufeffstudy: a", "no such key; did you mean 'study'?"),
    "a name of two lines": ("study: |\n  a\n  b\n", "study: String should match"),
    "thousands of arms": (
        "arms: {" + ", ".join(f"a{n}: {{training: sft}}" for n in range(5000)) + "}",
        "arms: Dictionary should have at most 100 items",
    ),
    "an arm with a long name": (f"arms: {{{'a' * 300}: {{training: sft}}}}", "letters, digits and _ (at most 60)"),
    "an arm in another folder": ("arms: {../x: {training: sft}}", "letters, digits and _ (at most 60)"),
    "an arm without name": ("arms: {'': {training: sft}}", "letters, digits and _ (at most 60)"),
    "an arm in an arm": ("arms: {x: {arms: {y: {}}}}", "arms.x.arms: arms are compared on the same cases"),
    "a comma in a fraction": ("sft_learning_rate: 0,005", "sft_learning_rate: Input should be a valid number"),
    "percent": ("data_test_share: 20%", "data_test_share: Input should be a valid number"),
    "nothing as a number": ("sft_epochs:", "sft_epochs: Input should be a valid number"),
    "shares that leave nothing": ("data_test_share: 0.6\ndata_validation_share: 0.6", "leave nothing to train on"),
    "a key in place of its variable": ("judge_key_variable: sk-planted", "judge_key_variable: String should match"),
    "records without a path": ("data_source: own", "data_path: tell where"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_a_file_that_cannot_be_used_is_refused_in_one_line_at_once(tmp_path: Path, what: str) -> None:
    text, said = REFUSED[what]
    path = tmp_path / "mine.yaml"
    path.write_text(text, "utf-8")
    started = time.process_time()
    with pytest.raises(ParamsError) as caught:
        params.load(path)
    message = str(caught.value)
    assert message.startswith(str(path)) and said in message
    assert "\n" not in message and len(message) < 2500 and time.process_time() - started < 10


def test_there_are_enough_of_them() -> None:
    assert len(REFUSED) >= 60


@pytest.mark.parametrize("name", ["x" * 5000, "a\0b", "params"], ids=["too long", "with a NUL", "a folder"])
def test_a_path_that_leads_nowhere_is_named(name: str) -> None:
    with pytest.raises(ParamsError, match="no such params file; params/ holds"):
        params.load(name)


def test_bytes_that_are_no_text_are_named(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_bytes("study: 失眠".encode("gb18030"))
    with pytest.raises(ParamsError, match="mine.yaml: is not UTF-8"):
        params.load(path)


def test_a_file_of_defaults_says_so_by_an_empty_mapping(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text("{}\n", "utf-8")
    assert params.differences(params.load(path)) == {}
