// What is known of the selected node run.

const WORDS = { llm: "LLM", ask: "question" };

function term(name, value) {
  return value == null || value === "" ? [] : [el("dt", {}, name), el("dd", {}, value)];
}

function attemptTable(node) {
  const rows = node.attempts.map((attempt) => el("tr", {},
    el("th", { scope: "row" }, String(attempt.number)),
    el("td", {}, el("bdi", {}, line(attempt.error ? `${attempt.model} ${attempt.error}` : attempt.model))),
    el("td", { class: "number" }, attempt.start == null || attempt.end == null ? "" : duration(attempt.end - attempt.start)),
    el("td", { class: "number" }, totalTokens(attempt.usage) ? count(totalTokens(attempt.usage)) : ""),
    el("td", { class: "number" }, money(attempt.usage.cost))));
  const heads = ["try", "model", "time", "tokens", "cost"].map((name, at) =>
    el("th", { scope: "col", class: at > 1 ? "number" : null }, name));
  return el("table", {}, el("caption", { class: "hidden" }, "Attempts"), el("thead", {}, el("tr", {}, ...heads)), el("tbody", {}, ...rows));
}

function showDetails(path) {
  const node = data.nodes[indexOf.get(path)];
  const close = el("button", { type: "button", class: "close more", "aria-label": "Close" }, "✕");
  close.addEventListener("click", () => $("details").classList.remove("open"));
  const parts = [close, el("h2", { dir: "auto" }, el("bdi", {}, line(path, 2000))),
    el("p", {}, el("span", { class: `state ${node.end}` }, node.end), node.recovered ? " by its fallback" : "")];
  const waited = node.start != null && node.ready != null ? node.start - node.ready : 0;
  const usage = node.usage;
  parts.push(el("dl", {},
    ...term("kind", [WORDS[node.kind] || node.kind, node.tier].filter(Boolean).join(", ")),
    ...term("started", node.start == null ? "never" : `after ${duration(node.start)}`),
    ...term("waited", waited > 0.0005 ? duration(waited) : ""),
    ...term("took", node.start == null ? "" : duration(node.finish - node.start)),
    ...term("tokens", totalTokens(usage) ? `${count(usage.input)} in, ${count(usage.output)} out` : ""),
    ...term("cost", Number(usage.cost) ? money(usage.cost) + (usage.estimated ? ", in part estimated" : "") : ""),
    ...term("critical path", critical.has(path) ? "yes" : "")));
  for (const text of new Set([node.error, node.recovered, node.error ? "" : node.reason])) {
    if (text) parts.push(el("p", { class: "error", dir: "auto" }, line(text, 4000)));
  }
  if (node.attempts.length > 1) parts.push(el("h3", {}, "Attempts"), attemptTable(node));
  const exchanges = exchangesOf.get(path) || [];
  if (exchanges.length) {
    parts.push(el("h3", {}, exchanges.length > 1 ? "Prompts and replies" : "Prompt and reply"));
    parts.push(...exchanges.slice(0, CHUNK).map(exchangePart));
    if (exchanges.length > CHUNK) parts.push(el("p", { class: "hint" }, `… ${plural(exchanges.length - CHUNK, "more")} in the list below`));
  }
  if (node.value != null) parts.push(el("h3", {}, "Value"), ...longText(node.value, node.cut));
  $("selected").replaceChildren(...parts.filter((part) => part != null));
  $("said").textContent = `${line(path)}: ${node.end}${node.start == null ? "" : `, ${duration(node.finish - node.start)}`}`;
  $("details").classList.add("open");
  $("details").scrollTop = 0;
  const open = $("selected").querySelectorAll(".exchange");
  if (open.length === 1) open[0].open = true;
}

selection.told.push(showDetails);
