"""Orders of SFT: competence grows as the paper's formula says, batches are of one disease, the boundary is fed most."""

import math
import random
from collections import Counter

import pytest
import tiny_model

from tcm_rlaif.training import boundary, by_disease, competence, hooks, order, sft
from tcm_rlaif.training.arguments import run


def trainer(folder, number: int = 8, **changes):
    """An SFT trainer on the first cases with what the parameters ask for."""
    P = tiny_model.params(**{"sft_batch_size": 4, "sft_epochs": 3, **changes})
    cases = tiny_model.cases()[:number]
    made = sft.sft_trainer(*tiny_model.base(), sft.sft_rows(cases), None, P, seed=0, folder=folder)
    hooks.hook(made, cases, P, 0)
    return made


@pytest.mark.parametrize(
    ("step", "share"),
    [(0, 0.2), (50, math.sqrt(0.52)), (100, 1.0), (500, 1.0)],  # 50 (1 - 0.04) / 100 + 0.04 = 0.52
)
def test_competence_at_its_beginning_half_way_and_after_its_end(step, share):
    assert competence.competence(step, duration=100, start=0.2) == pytest.approx(share)


def test_ranks_are_shares_of_what_is_not_above_and_ties_share_theirs():
    assert competence.ranks([3.0, 1.0, 3.0, 2.0]) == [1.0, 0.25, 1.0, 0.5]


def test_a_case_with_more_findings_a_rarer_syndrome_and_a_higher_loss_is_harder():
    one = tiny_model.cases()[0]
    longer = one.visit.model_copy(update={"history": f"{one.visit.history}，口苦，胁痛"})
    rare = one.answer.model_copy(update={"syndrome": "从未见过"})
    cases = [one, one, one.model_copy(update={"visit": longer, "answer": rare})]
    hard = competence.difficulty(cases, [1.0, 2.0, 3.0])
    assert hard == pytest.approx([(2 / 3 + 2 / 3 + 1 / 3) / 3, (2 / 3 + 2 / 3 + 2 / 3) / 3, 1.0])


def test_the_first_batches_are_of_the_easiest_share_and_later_ones_of_all():
    hard = [number / 20 for number in range(20)]
    rows = competence.draws(hard, 0, steps=100, batch=4, duration=50, seed=0)
    batches = [rows[start : start + 4] for start in range(0, 400, 4)]
    for step, batch in enumerate(batches):
        assert len(set(batch)) == 4
        assert max(batch) < max(4, math.ceil(competence.competence(step, 50) * 20))
    assert set(batches[0]) == {0, 1, 2, 3} and max(max(batch) for batch in batches[50:]) == 19


def test_every_batch_is_of_one_disease_and_rare_diseases_come_as_often():
    diseases = ["咳嗽"] * 20 + ["不寐"] * 3 + ["痹证"]
    seen: Counter = Counter()
    for epoch in range(100):
        drawn = by_disease.draws(diseases, 4, random.Random(epoch))
        assert len(drawn) == len(diseases)
        for start in range(0, len(drawn), 4):
            (disease,) = {diseases[row] for row in drawn[start : start + 4]}
            seen[disease] += 1
    assert all(150 < number < 250 for number in seen.values()), seen  # of 600 batches


def test_a_batch_repeats_no_case_while_its_disease_has_others():
    drawn = by_disease.draws(["咳嗽"] * 9, 4, random.Random(0))
    assert [len(set(part)) for part in (drawn[:4], drawn[4:8])] == [4, 4]


def test_the_probability_of_a_part_is_the_geometric_mean_of_its_tokens():
    logps, parts = [math.log(0.5), math.log(0.125), math.log(0.9), -1.0], ["herbs", "herbs", "doses", None]
    assert boundary.held(logps, parts) == pytest.approx({"herbs": 0.25, "doses": 0.9})


def test_what_lies_at_the_boundary_is_fed_and_what_holds_or_is_out_of_reach_hardly():
    answers = [{"herbs": 0.5}, {"herbs": 0.99}, {"herbs": 0.01}]
    half, known, hopeless = boundary.weights(answers, [0, 1, 2])
    assert half == pytest.approx(boundary.FLOOR + 4 * 0.25 * 0.5)
    assert known == pytest.approx(boundary.FLOOR + 4 * 0.0099 * 0.01)
    assert hopeless == pytest.approx(boundary.FLOOR + 4 * 0.0099 * 0.99)


def test_of_one_capability_the_case_that_lacks_more_of_it_is_fed_more():
    lacks, has = boundary.weights([{"formula": 0.2}, {"formula": 0.8}], [1, 1])
    assert (lacks, has) == pytest.approx((boundary.FLOOR + 0.8, boundary.FLOOR + 0.2))  # 4 x 0.5 x 0.5 = 1


def test_every_token_of_an_answer_is_counted_to_its_part():
    _, tokenizer = tiny_model.base()
    text = "中医诊断：咳嗽。证型：风寒。治法：宣肺。方剂：止嗽散。处方：桔梗9g，荆芥6g。7剂，水煎服。"
    ids = tokenizer(text)["input_ids"]
    parts = boundary.fields(tokenizer, ids)
    said = {field: tokenizer.decode([i for i, p in zip(ids, parts, strict=True) if p == field]) for field in {*parts}}
    assert (said["disease"], said["formula"]) == ("咳嗽。", "止嗽散。")
    assert said["doses"] == "9g6g" and said["herbs"] == "桔梗，荆芥。"
    assert "7剂" in said[None] and "证型：" in said[None]


def test_what_holds_is_asked_before_each_epoch_and_is_the_model_s_own_probability(tmp_path):
    made = trainer(tmp_path, sft_order="boundary")
    losses = competence.losses(made)
    log = [row for row in run(made) if "holds_herbs_0" in row]
    assert [row["epoch"] for row in log] == [0, 1, 2]
    rows = made.train_dataset["input_ids"]
    lengths = [len(ids) - begin for ids, begin in zip(rows, competence.begins(made), strict=True)]
    untrained = sft.sft_trainer(*tiny_model.base(), sft.sft_rows(tiny_model.cases()[:8]), None,
                                tiny_model.params(sft_batch_size=4), seed=0, folder=tmp_path / "other")  # fmt: skip
    one_part = [["herbs"] * length for length in lengths]
    assert [answer["herbs"] for answer in boundary.ask(untrained, one_part)] == pytest.approx(
        [math.exp(-loss) for loss in losses], rel=1e-3
    )


@pytest.mark.parametrize("how", [{"sft_order": "competence"}, {"sft_order": "boundary"}, {"sft_batches": "by_disease"}])
def test_an_order_makes_no_step_more(tmp_path, how):
    made = trainer(tmp_path, number=6, **how)
    run(made)
    assert order.steps(made) == (2, 6) and made.state.global_step == 6


def test_without_a_wish_nothing_of_the_trainer_is_changed(tmp_path):
    made = trainer(tmp_path)
    assert not {"_get_train_sampler", "compute_loss"} & set(vars(made))


def test_an_interrupted_curriculum_goes_on_to_the_same_weights(tmp_path):
    from transformers import TrainerCallback

    class Interrupt(TrainerCallback):
        def on_epoch_begin(self, args, state, control, **kwargs):
            if state.epoch >= 1:
                raise KeyboardInterrupt

    def with_validation(folder, how):
        P = tiny_model.params(sft_batch_size=4, sft_epochs=3, **how)
        cases, held = tiny_model.cases()[:8], sft.sft_rows(tiny_model.cases()[8:10])
        made = sft.sft_trainer(*tiny_model.base(), sft.sft_rows(cases), held, P, seed=0, folder=folder)
        hooks.hook(made, cases, P, 0)
        return made

    for how in ({"sft_order": "boundary"}, {"sft_order": "competence"}):
        name = how["sft_order"]
        whole, broken = with_validation(tmp_path / name, how), with_validation(tmp_path / f"{name}-broken", how)
        run(whole)
        broken.add_callback(Interrupt())
        with pytest.raises(KeyboardInterrupt):
            run(broken)
        resumed = with_validation(tmp_path / f"{name}-broken", how)
        run(resumed)
        ends = [{n: p for n, p in made.model.named_parameters() if ".default." in n} for made in (whole, resumed)]
        assert max(float((weight - ends[1][n]).abs().max()) for n, weight in ends[0].items()) < 1e-6
