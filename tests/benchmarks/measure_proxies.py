"""Measures what makes cases alike: shared characters and signs, hidden states, or syndrome proxies trained on these.

For each case its nearest training case is looked up, in five folds by patient and near-duplicate group, and asked how
much of syndrome and herbs the two share. Training cases alone: test cases of the default split are never read. Public
cases are read where they lie (``TCM_DATA``, or ../shared/data). Writes the table as JSON. No test: run it by hand, e.g.

    python tests/benchmarks/measure_proxies.py --model runs/cache/tiny-… --out reports/proxies.json
"""

import argparse
import json
import os
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import proxies

from tcm.cases import Case
from tcm.cases.splits import folds, groups, split
from tcm.evidence.similarity import Similarity
from tcm.files import write_json
from tcm.invented import invent_cases
from tcm.metrics.intervals import interval
from tcm.metrics.labels import label_f1
from tcm.metrics.sets import herb_set, overlap
from tcm.sources import SOURCES
from tcm_rlaif.models import hidden_states, loading
from tcm_rlaif.study.schema import Params

DATA = Path(os.environ.get("TCM_DATA", Path(__file__).resolve().parents[2].parent / "shared" / "data"))
PLACES = {"best4sdt": DATA / "best4sdt" / "TCM_SDT_192.json", "mtcmb": DATA / "mtcmb"}
DEPTH = 2 / 3  # of the layers: which hidden states are read; our choice
SEEDS = (0, 1, 2)  # of the embedding; a case's values are averaged over them
HOW = ("trigrams", "states", "proxies")
MEASURES = ("syndrome_f1", "herb_f1")


def training_cases(source: str, P: Params) -> list[Case]:
    """The training part of a source under the default split, cases with a syndrome."""
    if source == "invented":
        how = (P.data_follow_up_share, P.data_seed, P.base_patterns, P.data_physicians)
        cases = invent_cases(600, *how)
    else:
        cases = SOURCES[source](PLACES[source]).cases
    place = split(cases, groups(cases), P.data_validation_share, P.data_test_share, P.data_seed)
    found = [case for case, name in zip(cases, place, strict=True) if name == "train"]
    return [case for case in found if case.answer and case.answer.syndrome]


def shared(case: Case, other: Case) -> dict[str, float]:
    """How much two cases share: F1 of syndromes and of herbs at base level; NaN where one has none."""
    herbs = [herb_set(c.answer.herbs, "base") for c in (case, other)]
    return {
        "syndrome_f1": label_f1(case.answer.syndrome, other.answer.syndrome),
        "herb_f1": overlap(*herbs)["f1"] if all(herbs) else np.nan,
    }


def nearest(
    train: Sequence[Case], test: Sequence[Case], states: dict[str, np.ndarray], seed: int
) -> dict[str, list[int]]:
    """Place of the nearest training case of each test case, by each of `HOW`."""
    known, asked = (np.stack([states[case.id] for case in part]) for part in (train, test))
    mean, spread = known.mean(0), np.maximum(known.std(0), 1e-6)
    plain = [(x - mean) / spread / np.linalg.norm((x - mean) / spread, axis=1, keepdims=True) for x in (asked, known)]
    embedding = proxies.Embedding(known, proxies.syndromes(train), seed)
    alike = {
        "trigrams": Similarity(train).to(test),
        "states": plain[0] @ plain[1].T,
        "proxies": embedding(asked) @ embedding(known).T,
    }
    return {how: values.argmax(1).tolist() for how, values in alike.items()}


def measure(cases: list[Case], model, tokenizer) -> dict:
    """The table of one source: means, and differences to trigrams, with 95 % intervals over cases."""
    layers = hidden_states.of_cases(model, tokenizer, cases)["mean"]
    layer = round(DEPTH * (len(layers) - 1))
    states = {case.id: values for case, values in zip(cases, layers[layer], strict=True)}
    found: dict[str, dict[str, list[dict[str, float]]]] = {how: {} for how in HOW}
    for seed in SEEDS:
        for train, test in folds(cases, seed):
            for how, places in nearest(train, test, states, seed).items():
                for case, place in zip(test, places, strict=True):
                    found[how].setdefault(case.id, []).append(shared(case, train[place]))
    rows = []
    for key in MEASURES:
        means = {how: {i: np.mean([v[key] for v in values]) for i, values in found[how].items()} for how in HOW}
        kept = [i for i in means["trigrams"] if not np.isnan([means[how][i] for how in HOW]).any()]
        for how in HOW:
            values = np.array([means[how][i] for i in kept])
            gain = values - np.array([means["trigrams"][i] for i in kept])
            low, high = interval(gain, 0.95, 2000)
            rows.append({"measure": key, "alike by": how, "mean": float(values.mean()), "n": len(kept),
                         "gain over trigrams": float(gain.mean()), "low": low, "high": high})  # fmt: skip
    return {"cases": len(cases), "layer": layer, "layers": len(layers) - 1, "rows": rows}


def main() -> None:
    """Measure every source that is there, and put the table beside those of other models in the file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", required=True, help="hub id, folder or .gguf file, as base_model")
    parser.add_argument("--name", help="what to call it in the file; the last part of --model where left out")
    parser.add_argument("--sources", nargs="+", default=["invented", *PLACES])
    parser.add_argument("--out", type=Path, default=Path("reports/proxies.json"))
    options = parser.parse_args()
    P = Params(base_model="own" if options.model.endswith(".gguf") else "tiny")
    model, tokenizer = loading.load_base(options.model, P)
    name = options.name or Path(options.model).stem
    for source in options.sources:
        if source in PLACES and not PLACES[source].exists():
            print(f"{source}: no cases at {PLACES[source]}; set TCM_DATA")
            continue
        started = time.time()
        table = measure(training_cases(source, P), model, tokenizer)
        print(f"\n{name}, {source}: {table['cases']} training cases, layer {table['layer']} of {table['layers']}, "
              f"{time.time() - started:.0f} s")  # fmt: skip
        for row in table["rows"]:
            print(f"| {row['measure']} | {row['alike by']} | {row['mean']:.3f} | {row['gain over trigrams']:+.3f} "
                  f"({row['low']:+.3f} to {row['high']:+.3f}) | {row['n']} |", flush=True)  # fmt: skip
        whole = json.loads(options.out.read_text("utf-8")) if options.out.exists() else {}
        whole.setdefault(name, {})[source] = table
        write_json(options.out, whole)


if __name__ == "__main__":
    main()
