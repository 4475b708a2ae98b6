"""The only place with the text that a policy is asked: a case as chat messages, an answer as a chat message.

(The text that a judge is asked lies beside the judges.) The answer layout is that of arXiv 2411.00897, with 证型 added.
"""

from tcm import answers
from tcm.answers.wording import case_text
from tcm.cases import Answer, Case

SYSTEM = "你是中医师。请按以下格式作答：中医诊断：…。证型：…。治法：…。方剂：…。处方：…。"
ASK = {"first_visit": "请诊治。", "follow_up_visit": "请复诊调方，可写：守上方，去…，加…，…增至…，…减至…。"}

# What a change of a prescription says; 去 and 加 are parts of other words too, so the tokenizer goes by their place.
CHANGES = ("守上方", "增至", "减至", "改为")

# What every case and answer says in the same words: the tiny tokenizer gives these whole tokens, the layout's words
# even where something follows without punctuation.
LAYOUT_WORDS = (
    *("患者", "主诉", "现病史", "中医诊断", "证型", "治法", "方剂", "处方", "复诊", "水煎服", "加减"),
    *CHANGES,
)
FIXED_WORDING = (
    *LAYOUT_WORDS,
    *("舌", "脉", "诊", "剂", "岁", "去", "加"),
    *("先煎", "后下", "包煎", "烊化", "另煎", "冲服", "system", "user", "assistant", SYSTEM, *ASK.values()),
)  # fmt: skip


def prompt(case: Case) -> list[dict[str, str]]:
    """The messages that pose a case to a policy, in TRL's conversational format."""
    return [
        {"role": "system", "content": SYSTEM},
        {"role": "user", "content": f"{case_text(case)}\n{ASK[case.task]}"},
    ]


def completion(answer: Answer | str) -> list[dict[str, str]]:
    """An answer as the assistant's message."""
    return [{"role": "assistant", "content": answer if isinstance(answer, str) else answers.write(answer)}]
