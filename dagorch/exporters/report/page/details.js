// The panel with the details of the selected node run.

const KIND_NAMES = { llm: "LLM", ask: "question" };

function definition(name, value) {
  return value == null || value === "" ? [] : [el("dt", {}, name), el("dd", {}, value)];
}

function attemptTable(node) {
  const rows = node.attempts.map((attempt) => el("tr", {},
    el("th", { scope: "row" }, String(attempt.number)),
    el("td", {}, el("bdi", {}, oneLine(attempt.error ? `${attempt.model} ${attempt.error}` : attempt.model))),
    el("td", { class: "number" }, attempt.start == null || attempt.end == null ? "" : formatDuration(attempt.end - attempt.start)),
    el("td", { class: "number" }, formatTokens(attempt.usage)),
    el("td", { class: "number" }, formatCost(attempt.usage.cost))));
  const headers = ["attempt", "model", "time", "tokens", "cost"].map((name, column) =>
    el("th", { scope: "col", class: column > 1 ? "number" : null }, name));
  return el("table", {}, el("caption", { class: "hidden" }, "Attempts"), el("thead", {}, el("tr", {}, ...headers)), el("tbody", {}, ...rows));
}

const waitOf = (node) => (node.start != null && node.ready != null ? node.start - node.ready : 0);
const formatWait = (node) => (waitOf(node) > 0.0005 ? formatDuration(waitOf(node)) : "");

function showDetails(path) {
  const node = data.nodes[indexOf.get(path)];
  const close = el("button", { type: "button", class: "close more", "aria-label": "Close" }, "✕");
  close.addEventListener("click", () => $("details").classList.remove("open"));
  const parts = [close, el("h2", { dir: "auto" }, el("bdi", {}, oneLine(path, 2000))),
    el("p", {}, el("span", { class: `state ${node.state}` }, node.state), node.recoveredFrom ? " by its fallback" : "")];
  const usage = node.usage;
  parts.push(el("dl", {},
    ...definition("kind", [KIND_NAMES[node.kind] || node.kind, node.tier].filter(Boolean).join(", ")),
    ...definition("started", node.start == null ? "never" : `after ${formatDuration(node.start)}`),
    ...definition("waited", formatWait(node)),
    ...definition("took", node.start == null ? "" : formatDuration(node.end - node.start)),
    ...definition("tokens", totalTokens(usage) ? `${formatCount(usage.input)} in, ${formatCount(usage.output)} out` : ""),
    ...definition("cost", Number(usage.cost) ? formatCost(usage.cost) + (usage.estimated ? ", partly estimated" : "") : ""),
    ...definition("critical path", critical.has(path) ? "yes" : "")));
  for (const text of new Set([node.error, node.recoveredFrom, node.error ? "" : node.reason])) {
    if (text) parts.push(el("p", { class: "error", dir: "auto" }, oneLine(text, 4000)));
  }
  if (node.attempts.length > 1) parts.push(el("h3", {}, "Attempts"), attemptTable(node));
  const exchanges = exchangesOf.get(path) || [];
  if (exchanges.length) {
    parts.push(el("h3", {}, exchanges.length > 1 ? "Prompts and replies" : "Prompt and reply"));
    parts.push(...exchanges.slice(0, EXCHANGES_PER_PAGE).map(exchangeElement));
    if (exchanges.length > EXCHANGES_PER_PAGE) parts.push(el("p", { class: "hint" }, `… ${plural(exchanges.length - EXCHANGES_PER_PAGE, "more prompt")} in the list`));
  }
  if (node.value != null) parts.push(el("h3", {}, "Value"), ...longText(node.value, node.valueCharsOmitted));
  $("selected").replaceChildren(...parts.filter((part) => part != null));
  $("announcement").textContent = `${oneLine(path)}: ${node.state}${node.start == null ? "" : `, ${formatDuration(node.end - node.start)}`}`;
  $("details").classList.add("open");
  $("details").scrollTop = 0;
  const open = $("selected").querySelectorAll(".exchange");
  if (open.length === 1) open[0].open = true;
}

selection.listeners.push(showDetails);
