"use strict";
(async () => {
  const at = (id) => document.getElementById(id);
  const packed = Uint8Array.from(atob(at("data").textContent), (c) => c.charCodeAt(0));
  const unpacked = new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"));
  const study = JSON.parse(await new Response(unpacked).text());
  const cases = study.cases, GOLD = "gold";
  const TASKS = {first_visit: "first visit", follow_up_visit: "follow-up visit"};
  const ORDERS = ["as in the study", "biggest gain", "biggest loss", "lowest score", "highest score"];

  // Everything is made of text nodes: a word of a model can never become markup.
  function make(tag, attributes, ...children) {
    const node = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes || {}))
      if (name === "on") node.addEventListener(...value); else if (value !== null) node.setAttribute(name, value);
    node.append(...children.filter((child) => child !== null && child !== undefined));
    return node;
  }
  const options = (id, names, label = (n) => n) =>
    at(id).append(...names.map((name) => make("option", {value: name}, label(name))));
  const mean = (values) => values.length ? values.reduce((a, b) => a + b, 0) / values.length : NaN;
  const of = (one, arm) =>
    mean(one.answers.flatMap((a) => a.by.filter(([by]) => by === arm).map(() => a.scores.herb_f1 ?? NaN)));
  const signed = (value) => (value > 0 ? "+" : "") + value.toFixed(2);

  // marks of blind reading survive a reload where the browser allows it
  const STORE = "marks of " + study.study;
  let marks = {};
  try { marks = JSON.parse(localStorage.getItem(STORE)) || {}; } catch { marks = {}; }
  const revealed = new Set();
  function mark(id, text, value) {
    marks[id] = {...marks[id], [text]: {mark: value, named: revealed.has(id)}};
    try { localStorage.setItem(STORE, JSON.stringify(marks)); } catch { /* the file that is saved holds them all */ }
  }

  const names = [...study.arms, ...study.others];
  options("task", ["", ...new Set(cases.map((c) => c.task))], (t) => TASKS[t] || "all");
  options("disease", ["", ...[...new Set(cases.map((c) => c.disease))].sort()], (d) => d || "all");
  options("order", ORDERS);
  options("arm", names);
  options("against", names);
  at("arm").value = study.arms.filter((arm) => arm.startsWith("sft_")).pop() || study.arms[study.arms.length - 1];
  at("against").value = study.arms.includes("sft") ? "sft" : study.arms[0];
  const haystack = new Map(cases.map((c) => [c, [c.id, c.text, ...c.answers.map((a) => a.text)].join("\n").toLowerCase()]));

  let shown = [], current = null;
  const gain = (one) => of(one, at("arm").value) - of(one, at("against").value);

  function filter() {
    const words = at("search").value.toLowerCase().split(/\s+/).filter(Boolean);
    shown = cases.filter((c) => (!at("task").value || c.task === at("task").value)
      && (!at("disease").value || c.disease === at("disease").value)
      && words.every((word) => haystack.get(c).includes(word)));
    const order = ORDERS.indexOf(at("order").value);
    const value = order > 2 ? (c) => of(c, at("arm").value) : gain;
    if (order) {
      const down = order === 1 || order === 4;
      const key = (c) => { const v = value(c); return Number.isNaN(v) ? Infinity : down ? -v : v; };
      shown.sort((a, b) => key(a) - key(b));
    }
    at("against").disabled = order > 2;
    at("count").textContent = `${shown.length} of ${cases.length} cases`;
    at("list").replaceChildren(...shown.map((c) => {
      const v = value(c);
      const said = at("blind").checked || Number.isNaN(v) ? "" : order > 2 ? v.toFixed(2) : signed(v);
      return make("li", null, make("a", {href: "#" + encodeURIComponent(c.id), "data-id": c.id},
        make("span", {class: "value"}, said), c.id, make("br"),
        at("blind").checked ? TASKS[c.task] : c.disease || TASKS[c.task]));
    }));
    if (!shown.includes(current)) current = shown[0] || null;
    render();
  }

  function chips(answer) {
    const row = answer.herbs.map(([herb, dose, right, off]) => make("li",
      blind() ? null : {class: right ? "right" : "added", title: off ? "dose far from the physician's" : null},
      blind() ? "" : right ? "✓ " : "+ ", herb + dose, off && !blind() ? make("b", {class: "off"}, " ≠") : null));
    if (!blind()) row.push(...answer.missing.map((herb) => make("li", {class: "missing"}, "− " + herb)));
    return make("ul", {class: "herbs", lang: "zh"}, ...row);
  }
  const blind = () => at("blind").checked && current && !revealed.has(current.id);

  function by(answer) {
    const seeds = new Map();
    for (const [arm, seed] of answer.by) seeds.set(arm, [...(seeds.get(arm) || []), seed].filter((s) => s !== null));
    return [...seeds].map(([arm, list]) => (arm === GOLD ? "physician" : arm) + (list.length ? ` (${list.join(", ")})` : ""));
  }

  function card(answer, number) {
    const hidden = blind(), gold = answer.by.some(([arm]) => arm === GOLD);
    const box = make("section", {class: gold && !hidden ? "card gold" : "card"});
    box.append(make("h3", null, hidden ? "Answer " + (number + 1) : by(answer).join(" · ")));
    if (!hidden) box.append(make("p", {class: "scores"}, `herb F1 ${(answer.scores.herb_f1 ?? NaN).toFixed(2)} · judge ${answer.score.toFixed(2)}`));
    box.append(make("dl", {lang: "zh"}, ...answer.labels.flatMap(([name, said, right]) => [make("dt", null, name),
      make("dd", null, (hidden || right === null ? "" : right ? "✓ " : "✗ ") + (said || "–"))])));
    if (answer.herbs.length || answer.missing.length) box.append(chips(answer));
    for (const [severity, kind, herbs, detail] of answer.findings)
      box.append(make("p", {class: "finding " + severity}, `⚠ ${severity}: ${kind} ${herbs} ${detail}`));
    if (!hidden) {
      const rows = Object.entries(answer.criteria).map(([name, value]) =>
        make("tr", null, make("th", {scope: "row"}, name), make("td", null, value.toFixed(2))));
      box.append(make("details", null, make("summary", null, `what the judge (${study.judge}) goes by`), make("table", null, ...rows)));
    }
    box.append(make("details", null, make("summary", null, "as written"), make("p", {class: "findings", lang: "zh"}, answer.text || "(empty)")));
    if (at("blind").checked) {
      const given = (marks[current.id] || {})[answer.text];
      box.append(make("fieldset", null, make("legend", null, "mark, 1 harmful to 5 as I would have it"),
        ...[1, 2, 3, 4, 5].map((value) => {
          const tick = make("input", {type: "radio", name: "mark" + number, value,
            on: ["change", () => mark(current.id, answer.text, value)]});
          tick.checked = Boolean(given) && given.mark === value;
          return make("label", null, tick, " " + value);
        })));
    }
    return box;
  }

  // the same shuffled order at every visit to a case, and another for each case
  function scramble(text) {
    let hash = 2166136261;
    for (const c of text) hash = Math.imul(hash ^ c.codePointAt(0), 16777619);
    hash = Math.imul(hash ^ (hash >>> 15), 2246822507);
    return (hash ^ (hash >>> 13)) >>> 0;
  }

  function render() {
    for (const link of at("list").querySelectorAll("a")) {
      const here = current && link.dataset.id === current.id;
      if (here) { link.setAttribute("aria-current", "true"); link.scrollIntoView({block: "nearest"}); }
      else link.removeAttribute("aria-current");
    }
    at("save").hidden = !at("blind").checked;
    if (!current) { at("case").replaceChildren(make("p", null, "No case matches.")); return; }
    const rank = (a) => Math.min(...a.by.map(([arm]) => arm === GOLD ? -1 : names.indexOf(arm)));
    const order = blind() ? (a, b) => scramble(current.id + a.text) - scramble(current.id + b.text) : (a, b) => rank(a) - rank(b);
    const parts = [make("h2", null, make("a", {href: "#" + encodeURIComponent(current.id), title: "link to this case"}, current.id),
      ` · ${TASKS[current.task]}`), make("p", {class: "findings", lang: "zh"}, current.text)];
    if (blind()) parts.push(make("p", null, make("button", {type: "button", id: "reveal",
      on: ["click", () => { revealed.add(current.id); render(); }]}, "Show the names")));
    parts.push(make("div", {class: "cards"}, ...[...current.answers].sort(order).map(card)));
    if (!blind()) parts.push(make("details", {class: "evidence"}, make("summary", null, "what patterns and similar training cases lead to expect"),
      make("table", null, ...current.evidence.map(([herb, p]) => make("tr", null, make("th", {scope: "row"}, herb), make("td", null, p.toFixed(2))))),
      make("p", {class: "note"}, "most heard: " + current.heard.map(([who, share]) => `${who} ${(100 * share).toFixed(0)} %`).join(" · "))));
    at("case").replaceChildren(...parts);
  }

  function open(one) {
    if (!one) return;
    current = one;
    history.replaceState(null, "", "#" + encodeURIComponent(one.id));
    render();
    scrollTo({top: Math.min(scrollY, at("case").offsetTop)});
  }
  const linked = () => {
    let id = "";
    try { id = decodeURIComponent(location.hash.slice(1)); } catch { /* no such case */ }
    const found = cases.find((c) => c.id === id);
    if (!found) return;
    current = found;
    if (!shown.includes(found)) for (const control of ["search", "task", "disease"]) at(control).value = "";
    filter();
  };

  for (const id of ["task", "disease", "order", "arm", "against", "blind"]) at(id).addEventListener("change", filter);
  at("search").addEventListener("input", filter);
  at("controls").addEventListener("submit", (event) => event.preventDefault());
  at("list").addEventListener("click", (event) => {
    const link = event.target.closest("a");
    if (link) { event.preventDefault(); open(cases.find((c) => c.id === link.dataset.id)); }
  });
  at("save").addEventListener("click", () => {
    const rows = Object.entries(marks).flatMap(([id, texts]) => {
      const one = cases.find((c) => c.id === id);
      return Object.entries(texts).flatMap(([text, given]) => {
        const answer = one && one.answers.find((a) => a.text === text);
        return answer ? [{case: id, by: answer.by, mark: given.mark, named: given.named, score: answer.score,
          herb_f1: answer.scores.herb_f1 ?? null}] : [];
      });
    });
    const url = URL.createObjectURL(new Blob([JSON.stringify({study: study.study, judge: study.judge, marks: rows}, null, 1)]));
    make("a", {href: url, download: `marks-${study.study}.json`}).click();
    setTimeout(() => URL.revokeObjectURL(url), 1000);
  });
  addEventListener("hashchange", linked);
  addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.target.matches("input[type=search], select")) { if (event.key === "Escape") event.target.blur(); return; }
    const step = {j: 1, k: -1}[event.key];
    if (step) open(shown[shown.indexOf(current) + step]);
    else if (event.key === "/") { event.preventDefault(); at("search").focus(); }
    else if (event.key === "b") at("blind").click();
  });
  filter();
  linked();
})();
