"""The tiny base is built once for all studies that want the same, and anew when anything that makes it changes."""

from dataclasses import replace

import pytest
import tiny_model

from tcm.invented import corpus, textbook
from tcm_rlaif.models import prompts, tiny
from tcm_rlaif.study.params import ROOT
from tcm_rlaif.training import arguments, pretraining
from tcm_rlaif.training.pretraining import cached_folder


def test_studies_that_differ_in_no_base_key_share_the_folder() -> None:
    folder = cached_folder(tiny_model.params())
    assert folder == cached_folder(tiny_model.params(sft_epochs=1, data_seed=3, study="other"))
    assert folder.parent == ROOT / "runs" / "cache"


@pytest.mark.parametrize("change", [{"base_steps": 1}, {"base_seed": 1}, {"base_patterns": 20}, {"base_hidden": 64}])
def test_another_base_key_gives_another_folder(change) -> None:
    assert cached_folder(tiny_model.params(**change)) != cached_folder(tiny_model.params())


@pytest.mark.parametrize("words", ["LAYOUT_WORDS", "FIXED_WORDING"])
def test_another_wording_of_the_layout_gives_another_folder(monkeypatch, words: str) -> None:
    before = cached_folder(tiny_model.params())
    monkeypatch.setattr(prompts, words, (*getattr(prompts, words), "辨证"))
    assert cached_folder(tiny_model.params()) != before


def test_another_corpus_gives_another_folder(monkeypatch) -> None:
    before = cached_folder(tiny_model.params())
    monkeypatch.setattr(corpus, "statements", lambda seed, patterns: iter(["麻黄，发汗。"]))
    assert cached_folder(tiny_model.params()) != before


def test_one_herb_that_is_told_otherwise_gives_another_folder(monkeypatch) -> None:
    P, book = tiny_model.params(), textbook.edition(tiny_model.params().base_patterns)
    before, rare = cached_folder(P), replace(book.herbs[-1], dose_max_g=1234.0)
    monkeypatch.setattr(textbook, "edition", lambda patterns: replace(book, herbs=(*book.herbs[:-1], rare)))
    assert cached_folder(P) != before


@pytest.mark.parametrize("module", [tiny, arguments, pretraining], ids=lambda m: m.__name__.rsplit(".", 1)[1])
def test_another_code_of_tokenizer_model_or_training_gives_another_folder_and_a_comment_does_not(
    tmp_path, monkeypatch, module
) -> None:
    before = cached_folder(tiny_model.params())
    with open(module.__file__, encoding="utf-8") as file:
        code = file.read()
    copy = tmp_path / "copy.py"
    monkeypatch.setattr(module, "__file__", str(copy))
    copy.write_text(f"{code}\n# a remark\n", "utf-8")
    assert cached_folder(tiny_model.params()) == before
    copy.write_text(f"{code}\nWEIGHT_DECAY = 0.1\n", "utf-8")
    assert cached_folder(tiny_model.params()) != before


def test_pretraining_reads_blocks_of_the_corpus_and_lowers_its_loss(tmp_path) -> None:
    P = tiny_model.params(base_steps=8, base_batch_size=4, base_block=32, base_learning_rate=5.0e-3)
    _, tokenizer = tiny_model.base()
    trainer = pretraining.trainer(tiny.new_tiny(P, tokenizer), tokenizer, P, tmp_path)
    assert {len(row["input_ids"]) for row in trainer.train_dataset} == {32} and len(trainer.train_dataset) == 32
    said = tokenizer.decode([token for row in trainer.train_dataset for token in row["input_ids"]])
    assert next(corpus.statements(P.base_seed + 1, P.base_patterns)).split("，")[0] in said
    log = arguments.run(trainer)
    assert log[-1]["loss"] < log[0]["loss"]
