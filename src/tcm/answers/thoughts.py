"""Take the thoughts of a reasoning model off its answer: a draft is not what the model answers.

Read are tags of any spelling (``<think>``, ``<|begin_of_thought|>``, ``[THINK]``, ``◁think▷`` …), headings (``##
Thinking`` … ``## Final Response``), channels of the harmony format, and ``<answer>`` where a model marks the answer.
"""

import re

_NAMES = (
    "think|thinking|thoughts?|reasoning|reason|reflection|analysis|scratchpad|inner[_ ]monologue|思考|思考过程|推理过程"
)
CLOSE = (
    r"(?:[<＜◁]|&lt;)\|?(?:/|/?end_(?:of_)?)(?:\w{1,20}:|ant)?"
    rf"(?:{_NAMES})\s?\|?(?:[>＞▷]|&gt;)|\[/THINK\]|<unused95>|<\|channel\|>final(?:<\|message\|>)?"
    r"|assistantfinal(?![a-z])"
)
OPEN = (
    r"(?:[<＜◁]|&lt;)\|?(?:begin_(?:of_)?|start_(?:of_)?|\w{1,20}:|ant)?"
    rf"(?:{_NAMES})(?:\s[^<>\n/]{{0,80}})?\|?(?:[>＞▷]|&gt;)|\[THINK\]|<unused94>"
    r"|<\|channel\|>(?:analysis|commentary)(?:<\|message\|>)?"
)
"""Patterns (letters of any case) of the tags that end and begin a thought, in answers and in judges' replies alike."""
_TAG = re.compile(rf"(?P<close>{CLOSE})|(?P<open>{OPEN}|\Aanalysis(?=[^a-z\s]))", re.I)
_HEADING = r"(?mi:^[#*\s]{1,6}(?:%s)[*:：\s]{0,4}$)"
_THINKING = re.compile(_HEADING % "thinking|thought process|reasoning|思考|思考过程|推理过程")
_RESPONSE = re.compile(
    _HEADING % "final response|final answer|response|answer|最终回答|最终答案|最终回复|正式回答|回答|答案"
)
_ANSWER = re.compile(r"<(/?)(?:answer|final_answer|final|答案|回答)>|<\|(begin|end)_of_solution\|>", re.I)
_MAYBE = re.compile(r"[<＜◁#*]|&lt;|\[/?THINK|\Aanalysis", re.I)


def without_thoughts(text: str) -> tuple[str, list[str], str]:
    """Cut thoughts out of a text.

    A tag that nothing opened closes what stands before it (chat templates open the thought in the prompt). A thought
    that is never closed goes on to the end. In a text with ``<answer>`` only what the last such tag holds is answer.

    Returns:
        The text without thoughts, the thoughts, and the thought that was never closed ("" where there is none).
    """
    if not _MAYBE.search(text):
        return text, [], ""
    kept, thoughts, start, opened = [], [], 0, False
    for tag in _TAG.finditer(text):
        if tag["open"] and not opened:
            kept.append(text[start : tag.start()])
            start, opened = tag.end(), True
        elif tag["close"]:
            thoughts.append(text[start : tag.start()])
            start, opened = tag.end(), False
    open_end = text[start:] if opened else ""
    rest = "".join(kept) if opened else "".join([*kept, text[start:]])
    if (head := _THINKING.search(rest)) and (end := _RESPONSE.search(rest, head.end())):
        thoughts.append(rest[head.end() : end.start()])
        rest = rest[: head.start()] + rest[end.end() :]
    rest, outside = _answer_only(rest)
    return rest, [t.strip() for t in (*thoughts, *outside) if t.strip()], open_end.strip()


def _answer_only(text: str) -> tuple[str, list[str]]:
    """The last part in answer tags, and what stands outside; the whole text where there is no such tag."""
    opened = [tag for tag in _ANSWER.finditer(text) if tag[1] == "" or tag[2] == "begin"]
    if not opened:
        return text, []
    start = opened[-1].end()
    close = _ANSWER.search(text, start)
    end = close.start() if close else len(text)
    after = _ANSWER.sub("", text[end:])
    return text[start:end], [_ANSWER.sub("", text[: opened[-1].start()]), after]
