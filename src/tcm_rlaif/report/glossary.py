"""Terms of the reports in plain words: shown where they first stand, and once more at the end of the page."""

import re
from html import escape

FLOOR = (
    "What answers reach that need no trained model, such as the most frequent herbs or the answer to the most similar "
    "training case."
)
SEED = "What the random choices of a training start from; another seed trains another model."
TERMS = {
    "SFT": "Supervised fine-tuning: the model learns to imitate answers of physicians, word by word.",
    "RLAIF": "Reinforcement learning from AI feedback: the model answers several times, a judge says which answers "
    "are better, and the model learns from that.",
    "DPO": "Direct Preference Optimization (arXiv 2305.18290): makes the better answer of a pair likelier and the "
    "worse one less likely, and holds the model near the one that it started from.",
    "TCM": "Traditional Chinese Medicine.",
    "herb_f1": "Herb F1, 0 to 1: how far the herbs of an answer are those of the physician's prescription; 1 = the "
    "same herbs, 0 = none in common.",
    "judge_score": "The judge's own score of an answer, 0 to 1. It is what feedback climbs, so its rise alone proves "
    "little.",
    "usable": "Share of answers that end, read completely, name known herbs once each with doses, and have no safety "
    "finding of high severity.",
    "KL": "Kullback-Leibler divergence: how far the model's answers have moved from those of the model before "
    "feedback; 0 = not at all.",
    "floor": FLOOR,
    "floors": FLOOR,
    "nearest_case": "A floor: the physician's answer to the most similar training case.",
    "copy_previous": "A floor of follow-up visits: the last prescription once more, unchanged.",
    "popularity": "A floor: the herbs that physicians wrote most often in training cases.",
    "expert_rule": "A floor that knows what the judge knows: the pattern of the tables that fits best and its formula.",
    "expert": "A floor that knows what the judge knows: the prescription that patterns, similar training cases and "
    "popularity together lead to expect.",
    "best_per_task": "On each task the best floor that needs no more than the training answers, taken together.",
    "gold": "The physician's own answer in the record.",
    "interval": "Where the true value lies in 95 of 100 such studies (or as many as the study declares).",
    "declared": "Asked in the params file before the results were there.",
    "Holm": "A correction of p for testing several questions at once.",
    "adjusted p": "The chance of such a difference where there is none, corrected (Holm) for all declared questions.",
    "mdd": "Minimum detectable difference: smaller ones may be there unseen.",
    "detectable from": "The smallest difference that such a study sees in four of five repetitions; smaller ones may "
    "be there unseen.",
    "seed": SEED,
    "seeds": SEED,
    "exploratory": "Too few seeds to tell luck in training from an effect: a hint, no finding.",
    "best of n": "The answer that the judge likes best of n drawn from the same model.",
    "margin": "How much more the trained model prefers the chosen answer of a pair to the rejected one than the model "
    "before it did.",
    "LoRA": "Low-rank adaptation: trains a small addition to the model instead of all of it.",
    "证型": "Pattern (syndrome): what TCM diagnoses beside the disease; the treatment follows it.",
    "方剂": "Formula: the classical prescription that a prescription starts from.",
    "处方": "Prescription: herbs with doses.",
}
"""Term -> what it means. It is marked where it first stands in prose, never in headings or in what models say."""
TAG = re.compile(r"""(<(?:[^>"']|"[^"]*"|'[^']*')+>)""")  # a quoted value may hold a >
SKIPPED = frozenset("a abbr h1 h2 h3 pre summary".split())


class Met(dict[str, str]):
    """Terms with their meanings, filled while a page is rendered: the copy that nbconvert makes before is the same."""

    def __deepcopy__(self, memo: dict) -> "Met":
        return self


class Explainer:
    """Marks each term of `TERMS` where it first stands on one page, and keeps which it met.

    Attributes:
        met: terms with their meanings, in the order met; the page's glossary.
    """

    def __init__(self) -> None:
        self.met = Met()
        names = "|".join(re.escape(term) for term in sorted(TERMS, key=len, reverse=True))
        self.pattern = re.compile(rf"(?<![\w-])({names})(?![\w-])", re.ASCII)

    def __call__(self, html: str) -> str:
        """The same HTML with `<abbr>` around terms that stand there for the first time.

        Args:
            html: cleaned HTML of prose.
        """
        parts, inside = TAG.split(html), 0
        for number, part in enumerate(parts):
            if tag := re.match(r"<(/?)(\w+)", part):
                inside += (-1 if tag[1] else 1) * (tag[2] in SKIPPED)
            elif not inside:
                parts[number] = self.pattern.sub(self._marked, part)
        return "".join(parts)

    def _marked(self, found: re.Match) -> str:
        term = found[1]
        if TERMS[term] in self.met.values():
            return term
        self.met[term] = TERMS[term]
        return f'<abbr title="{escape(TERMS[term])}">{term}</abbr>'
