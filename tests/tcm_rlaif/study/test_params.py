"""Params files: what is accepted, what is refused with which words, and which questions a study asks."""

from pathlib import Path

import pytest
import shipped

from tcm_rlaif.study import params
from tcm_rlaif.study.params import ParamsError
from tcm_rlaif.study.schema import DEFAULT_QUESTIONS, Params

FILES = shipped.PARAMS


def refused(values) -> str:
    """The message with which values are refused."""
    with pytest.raises(ParamsError) as caught:
        params.validated(values, "my.yaml")
    return str(caught.value)


def yaml_file(folder: Path, text: str) -> Path:
    path = folder / "my.yaml"
    path.write_text(text, "utf-8")
    return path


# what is accepted


@pytest.mark.parametrize("path", FILES, ids=lambda p: p.stem)
def test_every_params_file_loads_and_is_named_as_its_study(path: Path) -> None:
    assert params.load(path).study == path.stem.replace("-", "_")


def test_the_three_promised_params_files_are_there() -> None:
    assert {"smoke", "default", "mtcmb"} <= {p.stem for p in FILES}


@pytest.mark.parametrize("path", FILES, ids=lambda p: p.stem)
def test_a_params_file_names_only_what_differs_from_the_defaults(path: Path) -> None:
    said_for_clarity = {"study", "seeds"}
    assert set(params.read_yaml(path)) - said_for_clarity <= set(params.differences(params.load(path)))


def test_keyword_arguments_override_the_file(tmp_path: Path) -> None:
    assert params.load(yaml_file(tmp_path, "dpo_beta: 0.2\n"), dpo_beta=0.3).dpo_beta == 0.3


def test_1e_5_without_a_point_becomes_the_float_and_not_a_string(tmp_path: Path) -> None:
    P = params.load(yaml_file(tmp_path, "dpo_learning_rate: 1e-5\n"))
    assert P.dpo_learning_rate == 1.0e-5 and isinstance(P.dpo_learning_rate, float)


def test_1e_5_in_an_arm_becomes_the_float_too(tmp_path: Path) -> None:
    P = params.load(yaml_file(tmp_path, "arms:\n  slow:\n    dpo_learning_rate: 1e-5\n"))
    assert params.for_arm(P, "slow").dpo_learning_rate == 1.0e-5


def test_a_whole_number_is_a_float_where_a_float_is_meant() -> None:
    assert params.validated({"sft_epochs": 3}, "x").sft_epochs == 3.0


def test_one_judge_may_stand_without_brackets() -> None:
    assert params.validated({"judge": "rubric"}, "x").judge == ("rubric",)


def test_han_text_in_a_params_file_is_kept(tmp_path: Path) -> None:
    text = "data_source: own\ndata_path: 病历.csv\ndata_columns:\n  chief_complaint: 主诉\n"
    P = params.load(yaml_file(tmp_path, text))
    assert (P.data_path, P.data_columns) == ("病历.csv", {"chief_complaint": "主诉"})


def test_differences_round_trip_through_the_checks() -> None:
    P = params.validated({"seeds": [3], "dpo_beta": 0.5, "arms": {"base": {"training": "none"}}}, "x")
    assert params.validated(params.differences(P), "x") == P
    assert set(params.differences(P)) == {"seeds", "dpo_beta", "arms"}


def test_parameters_cannot_be_changed_afterwards() -> None:
    with pytest.raises(ValueError, match="frozen"):
        Params().dpo_beta = 1.0


# what is refused


def test_an_unknown_key_is_refused_with_file_key_and_nearest_key() -> None:
    assert refused({"dpo_betta": 0.1}) == "my.yaml: dpo_betta: no such key; did you mean 'dpo_beta'?"


def test_a_key_like_no_other_is_refused_with_all_keys() -> None:
    assert "known: study, seeds, arms" in refused({"处方": 1})


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"dpo_beta": "strong"}, "dpo_beta: Input should be a valid number"),
        ({"sft_batch_size": 2.5}, "sft_batch_size: Input should be a valid integer"),
        ({"study": 7}, "study: Input should be a valid string"),
        ({"seeds": 0}, "seeds: Input should be a valid tuple"),
        ({"data_columns": "主诉"}, "data_columns: Input should be a valid dictionary"),
        ({"arms": {"sft": None}}, "arms.sft: Input should be a valid dictionary"),
        ({"judge_mode": "tournament"}, "judge_mode: Input should be 'pointwise', 'pairwise' or 'listwise'"),
        ({"judge": ["rubric", "oracle"]}, "judge.1: Input should be 'rubric', 'evidence', 'format', 'openai' or"),
    ],
)
def test_a_wrong_type_is_refused_with_the_key_and_what_it_should_be(values, words) -> None:
    assert refused(values).startswith(f"my.yaml: {words}")


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"dpo_beta": 0}, "greater than 0"),
        ({"sft_learning_rate": 1.0}, "less than 1"),
        ({"data_test_share": 1.2}, "less than or equal to 1"),
        ({"data_test_share": 0}, "greater than 0"),
        ({"candidate_number": 1}, "greater than or equal to 2"),
        ({"candidate_temperature": 2.1}, "less than or equal to 2"),
        ({"base_heads": 3}, "multiple of 2"),
        ({"dpo_label_smoothing": 0.5}, "less than 0.5"),
        ({"audit_min_kendall_tau": -1.1}, "greater than or equal to -1"),
        ({"ablation_confidence": 1}, "less than 1"),
        ({"sft_batch_size": 0}, "greater than or equal to 1"),
        ({"sft_epochs": 1.0e9}, "less than or equal to 1000"),
        ({"judge": ["rubric", "rubric"]}, "name each once"),
        ({"gpus": -1}, "greater than or equal to 0"),
        ({"seeds": []}, "at least 1 item"),
        ({"arms": {}}, "at least 1 item"),
        ({"study": "My Study"}, "match pattern"),
        ({"study": "../elsewhere"}, "match pattern"),
        ({"dpo_beta": float("nan")}, "finite number"),
        ({"dpo_label_smoothing": 0.1}, "the loss robust alone reads it"),
    ],
)
def test_a_value_out_of_range_is_refused_with_the_key_and_the_limit(values, words) -> None:
    (key,) = values
    message = refused(values)
    assert message.startswith(f"my.yaml: {key}: ") and words in message


@pytest.mark.parametrize("worse", [{"judge_noise": 0.5}, {"judge_leave_out": "dose"}, {"judge_bias": 1.0}])
def test_a_judge_that_is_no_computation_is_not_made_worse(worse) -> None:
    (key,) = worse
    assert f"{key}: judges that compute are made worse" in refused({"judge": "openai", "judge_model": "m", **worse})


def test_kto_needs_two_answers_in_a_batch() -> None:
    assert "dpo_batch_size: kto holds" in refused({"preference_training": "kto", "dpo_batch_size": 1})


@pytest.mark.parametrize("key", ["sft_epochs", "dpo_epochs", "dpo_beta", "judge_timeout_s"])
def test_infinity_is_out_of_range(key: str) -> None:
    assert key in refused({key: float("inf")})


@pytest.mark.parametrize("values", [{"seeds": [-1]}, {"base_seed": -1}])
def test_a_negative_seed_is_out_of_range(values) -> None:
    assert "seed" in refused(values)


@pytest.mark.parametrize("word", ["yes", "no", "on", "off", "true", "False"])
@pytest.mark.parametrize("key", ["sft_epochs", "sft_batch_size", "lora_dropout", "dpo_label_smoothing"])
def test_yes_and_no_are_no_numbers(tmp_path: Path, key: str, word: str) -> None:
    with pytest.raises(ParamsError, match=f"{key}: a number is needed, not yes/no"):
        params.load(yaml_file(tmp_path, f"{key}: {word}\n"))


def test_yes_among_the_seeds_is_no_number() -> None:
    assert "seeds.1: a number is needed" in refused({"seeds": [0, True]})


def test_several_faults_are_told_at_once() -> None:
    message = refused({"dpo_beta": -1, "sft_epochs": 0})
    assert "dpo_beta" in message and "sft_epochs" in message


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"dpo_loss_type": ["sigmoid", "ipo"]}, "one weight for each entry of dpo_loss_type"),
        ({"data_validation_share": 0.5, "data_test_share": 0.5}, "leave nothing to train on"),
        ({"data_source": "mtcmb"}, "data_path: tell where the mtcmb records lie"),
        ({"seeds": [1, 1]}, "seeds: each seed once"),
        ({"judge": "openai"}, "judge_model: name the model that judges"),
        ({"pair_strategy": "gold_sample"}, "judge_sees_gold: true"),
        ({"eval_number": 4}, "set eval_temperature"),
        ({"candidate_engine": "vllm", "base_model": "q4.GGUF"}, "with no .gguf file; set it to transformers"),
        (
            {"candidate_engine": "vllm", "base_quantization": "4bit"},
            "set it to transformers, or base_quantization: none",
        ),
    ],
)
def test_values_that_contradict_each_other_are_refused_with_the_fix(values, words) -> None:
    assert words in refused(values)


# a file that is not there


def test_a_missing_params_file_is_refused_with_those_there_are() -> None:
    with pytest.raises(ParamsError, match=r"defualt\.yaml: no such params file; params/ holds .*default\.yaml"):
        params.load("params/defualt.yaml")


# arms


def test_an_arm_may_differ_in_three_keys() -> None:
    arm = {"dpo_beta": 0.2, "dpo_epochs": 1, "preference_rounds": 2}
    assert params.for_arm(params.validated({"arms": {"three": arm}}, "x"), "three").preference_rounds == 2


def test_an_arm_that_differs_in_four_keys_is_refused() -> None:
    arm = {"dpo_beta": 0.2, "dpo_epochs": 1, "preference_rounds": 2, "pair_margin": 0.1}
    assert refused({"arms": {"four": arm}}) == (
        "my.yaml: arms.four: 4 keys differ; an arm differs in at most 3 beside which stages train"
    )


def test_an_arm_may_answer_by_choosing_among_draws_and_which_stages_train_is_no_key_that_counts() -> None:
    arm = {"training": "sft", "eval_number": 8, "eval_temperature": 0.8, "eval_choice": "consensus"}
    P = params.validated({"arms": {"sft": {"training": "sft"}, "mbr": arm}}, "x")
    assert params.for_arm(P, "mbr").eval_number == 8 and params.for_arm(P, "sft").eval_number == 1


@pytest.mark.parametrize(
    "difference",
    [
        {"data_cases": 50},
        {"data_test_share": 0.5},
        {"eval_cases": 5},
        {"eval_max_new_tokens": 80},
        {"ablation_confidence": 0.9},
        {"seeds": [7]},
        {"study": "other"},
        {"arms": {}},
        {"gpus": 2},
    ],
    ids=lambda d: next(iter(d)),
)
def test_an_arm_that_changes_cases_or_the_way_they_are_scored_is_refused(difference) -> None:
    (key,) = difference
    message = refused({"arms": {"sft": {"training": "sft"}, "unfair": difference}})
    assert message.startswith(f"my.yaml: arms.unfair.{key}: arms are compared on the same cases in the same way")


def test_an_arm_that_changes_the_edition_that_cases_are_about_is_refused() -> None:
    assert "arms are compared on the same cases" in refused({"arms": {"other": {"base_patterns": 30}}})


@pytest.mark.parametrize("name", ["a-b", "1st", "a b", "../x", "shared", "class", ""])
def test_an_arm_needs_a_name_that_can_be_a_folder(name: str) -> None:
    assert "an arm's name is letters, digits and _" in refused({"arms": {name: {}}})


@pytest.mark.parametrize("name", ["gold", "popularity", "empty"])
def test_an_arm_must_not_be_named_like_a_floor_or_the_gold_answers(name: str) -> None:
    assert "arms" in refused({"arms": {name: {}}})


def test_a_typo_in_an_arm_is_refused_with_the_nearest_key() -> None:
    assert refused({"arms": {"b": {"dpo_bta": 1}}}) == "my.yaml: arms.b: dpo_bta: no such key; did you mean 'dpo_beta'?"


def test_a_value_out_of_range_in_an_arm_is_refused_with_the_arm() -> None:
    assert refused({"arms": {"b": {"dpo_beta": -1}}}).startswith("my.yaml: arms.b: dpo_beta: Input should be greater")


def test_an_arm_that_the_study_does_not_have_is_refused_with_the_nearest() -> None:
    with pytest.raises(ParamsError, match=r"study 'default' has no arm 'sftdpo'; did you mean 'sft_dpo'\?"):
        params.for_arm(Params(), "sftdpo")


def test_an_arm_is_the_study_with_its_difference() -> None:
    P = Params()
    assert params.for_arm(P, "sft_dpo") == P
    assert params.for_arm(P, "dpo_only") == P.model_copy(update={"training": "dpo", "audit_override": True})


# the questions


def test_the_default_study_asks_what_each_training_adds() -> None:
    assert params.questions(Params()) == {tuple(q.split(" - ")): shows for q, shows in DEFAULT_QUESTIONS.items()}


def test_of_the_default_questions_those_are_asked_whose_arms_are_in_the_study() -> None:
    P = params.validated({"arms": {"base": {"training": "none"}, "sft": {"training": "sft"}}}, "x")
    assert list(params.questions(P)) == [("sft", "base")]


def test_a_study_of_other_arms_asks_what_each_of_them_changes_of_the_first() -> None:
    P = params.validated({"arms": {"plain": {}, "firm": {"dpo_beta": 0.5}, "loose": {"dpo_beta": 0.01}}}, "x")
    assert params.questions(P) == {("firm", "plain"): "what firm changes", ("loose", "plain"): "what loose changes"}


def test_a_study_of_one_arm_asks_nothing() -> None:
    assert params.questions(params.validated({"arms": {"plain": {}}}, "x")) == {}


def test_a_study_asks_its_own_questions_and_no_others() -> None:
    own = {"sft_dpo - base": "what all of it is worth"}
    assert params.questions(params.validated({"ablation_questions": own}, "x")) == {
        ("sft_dpo", "base"): "what all of it is worth"
    }


@pytest.mark.parametrize("question", ["sft - baes", "sft", "sft_dpo - sft - base", "sft-base"])
def test_a_question_about_an_arm_that_the_study_does_not_have_is_refused_with_its_arms(question: str) -> None:
    advice = "write `arm - arm` of these arms: base, sft, dpo_only, sft_dpo"
    assert refused({"ablation_questions": {question: "?"}}) == f"my.yaml: ablation_questions.{question}: {advice}"


# secrets

SECRET = "sk-proj-4f9aQeX1secret"


def test_a_key_pasted_where_its_variable_belongs_is_refused_and_not_echoed() -> None:
    message = refused({"judge_key_variable": SECRET})
    assert "judge_key_variable" in message and SECRET not in message and "secret" not in message


def test_a_key_pasted_into_an_arm_is_not_echoed_either() -> None:
    message = refused({"arms": {"judged": {"judge_key_variable": SECRET}}})
    assert "judge_key_variable" in message and SECRET not in message


def test_a_key_under_a_name_of_its_own_is_refused_and_not_echoed() -> None:
    message = refused({"judge_api_key": SECRET})
    assert message.startswith("my.yaml: judge_api_key: no such key") and SECRET not in message


def test_an_address_is_shown_without_its_secrets_in_an_arm_too_and_kept_whole_for_the_runs() -> None:
    address = "https://tester:open-sesame@judge.invalid:8000/v1?api-key=x#y"
    arm = {"judge": "openai", "judge_model": "m", "judge_base_url": address}
    P = params.validated({**arm, "arms": {"base": {"training": "none"}, "other": arm}}, "x")
    said = params.differences(P)
    assert said["judge_base_url"] == said["arms"]["other"]["judge_base_url"] == "https://judge.invalid:8000/v1"
    assert "sesame" not in str(said) and params.validated(params.changes(P), "x") == P


def test_what_is_no_address_is_not_shown_at_all() -> None:
    assert params.shown("http://[u:secret@host") == "(no address)"
