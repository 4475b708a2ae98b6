"""The health panel's KL estimate is that of the tokens that were drawn: right where a text would be spelt anew."""

import math
from collections.abc import Iterator
from statistics import fmean, stdev

import pytest
import tiny_model

from tcm_rlaif.models import prompts
from tcm_rlaif.models.logps import answer_logps, sample_logps
from tcm_rlaif.models.sampling import prompt_ids, sample
from tcm_rlaif.training.health import HealthPanel, kl_estimate

TOKENS, NUMBER = 24, 48  # length of answers; answers to each of the twelve cases


def panel(model, tokenizer) -> HealthPanel:
    P = tiny_model.params(candidate_max_new_tokens=TOKENS)
    return HealthPanel(model, tokenizer, tiny_model.cases(), [], lambda case, text: 0.0, P, 0)


@pytest.fixture
def watch() -> HealthPanel:
    """A panel on a policy some way from its frozen reference."""
    import torch

    torch.manual_seed(0)  # a fresh adapter is drawn
    model, tokenizer = tiny_model.with_adapter_and_reference()
    tiny_model.perturb(model, 0.05, seed=1)
    return panel(model, tokenizer)


def draw(watch: HealthPanel, number: int):
    """Answers as the panel samples them, and the case of each."""
    settings = {"temperature": 1.0, "max_new_tokens": TOKENS, "batch_size": 96, "seed": watch.seed}
    cases = [case for case in watch.cases for _ in range(number)]
    return cases, sample(watch.model, watch.tokenizer, watch.cases, number=number, **settings)


def both(watch: HealthPanel, logps, *args) -> Iterator[tuple]:
    """What policy and reference say of each answer."""
    policy = logps(watch.model, watch.tokenizer, *args)
    with watch.as_reference():
        return zip(policy, logps(watch.model, watch.tokenizer, *args), strict=True)


def estimates(watch: HealthPanel, cases, samples) -> list[float]:
    """The panel's estimate for each answer."""
    return [kl_estimate(policy, reference) for policy, reference in both(watch, sample_logps, cases, samples)]


def exact_kls(watch: HealthPanel, cases, samples) -> list[float]:
    """KL(policy || reference) of each answer, summed over the whole vocabulary at each of its places."""
    import torch

    kls = []
    for head, s in zip(prompt_ids(watch.tokenizer, cases), samples, strict=True):
        row = torch.tensor([[*head, *s.ids]])
        with torch.inference_mode():
            policy = watch.model(row).logits[0, len(head) - 1 : -1].double().log_softmax(-1)
            with watch.as_reference():
                reference = watch.model(row).logits[0, len(head) - 1 : -1].double().log_softmax(-1)
        kls.append((policy.exp() * (policy - reference)).sum().item())
    return kls


def test_a_policy_is_at_no_distance_from_itself():
    watch = panel(*tiny_model.with_adapter_and_reference())
    watch.check(0)
    assert watch.rows[0]["kl_per_token"] == 0.0


def test_the_panel_reads_the_answers_it_drew(watch):
    watch.check(0)
    cases, samples = draw(watch, 1)
    found, row = estimates(watch, cases, samples), watch.rows[0]
    assert row["kl_per_token"] == pytest.approx(sum(found) / sum(s.tokens for s in samples), rel=1e-4)
    assert row["kl"] == pytest.approx(fmean(found), rel=1e-4)


def test_an_estimate_is_never_below_0_and_is_the_sum_over_tokens_by_hand():
    import torch

    policy, reference = torch.tensor([-1.0, -2.0]), torch.tensor([-0.5, -2.5])
    by_hand = (math.exp(0.5) - 1 - 0.5) + (math.exp(-0.5) - 1 + 0.5)
    assert kl_estimate(policy, reference) == pytest.approx(by_hand) and (policy - reference).sum() == 0
    near = policy + torch.tensor([1e-6, -1e-6])
    assert 0 <= kl_estimate(policy, near) < 1e-11, "no rounding takes it below"


def test_the_estimate_agrees_with_the_exact_kl_along_the_drawn_tokens_and_that_of_the_text_does_not(watch):
    """The exact value takes the expectation over each next token in place of the one that was drawn
    (Rao-Blackwellised): the two have the same mean, so their mean difference is 0 within its standard error."""
    cases, samples = draw(watch, NUMBER)
    spelt = [watch.tokenizer(s.text)["input_ids"] == list(s.ids)[: s.tokens - s.finished] for s in samples]
    assert fmean(spelt) < 0.5  # else this model would not show the difference
    exact = exact_kls(watch, cases, samples)
    of_tokens, ratios = estimates(watch, cases, samples), both(watch, sample_logps, cases, samples)
    log_ratios = [(policy - reference).sum().item() for policy, reference in ratios]
    said = [(prompts.prompt(c), prompts.completion(s.text)) for c, s in zip(cases, samples, strict=True)]
    of_text = [p - r for p, r in both(watch, lambda *args: answer_logps(*args)[0], said)]
    off = [[e - x for e, x in zip(of, exact, strict=True)] for of in (of_tokens, log_ratios, of_text)]
    right, noisy, wrong = off
    right_error, noisy_error, wrong_error = (stdev(differences) / len(samples) ** 0.5 for differences in off)
    print(f"KL of an answer {fmean(exact):.3f}; estimated {fmean(of_tokens):.3f} ± {right_error:.3f}; ", end="")
    print(f"by the log-ratio {fmean(log_ratios):.3f} ± {noisy_error:.3f}; ", end="")
    print(f"of the text {fmean(of_text):.3f} ± {wrong_error:.3f}")
    assert fmean(exact) > 10 * right_error  # enough answers to see a KL at all
    assert abs(fmean(right)) < 3 * right_error and abs(fmean(noisy)) < 3 * noisy_error
    assert right_error < noisy_error and min(of_tokens) >= 0 > min(log_ratios)
    assert abs(fmean(wrong)) > 10 * wrong_error
