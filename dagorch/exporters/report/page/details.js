// The panel with the details of the selected node run.

const KIND_NAMES = { llm: "LLM", ask: "question" };

function definition(name, value) {
  return value == null || value === "" ? [] : [el("dt", {}, name), el("dd", {}, value)];
}

function attemptTable(node) {
  const rows = node.attempts.map((attempt) => el("tr", {},
    el("th", { scope: "row" }, String(attempt.number)),
    el("td", {}, el("bdi", {}, oneLine(attempt.error ? `${attempt.model} ${attempt.error}` : attempt.model))),
    el("td", { class: "number" }, attempt.started_seconds == null || attempt.ended_seconds == null ? "" : formatDuration(attempt.ended_seconds - attempt.started_seconds)),
    el("td", { class: "number" }, formatTokens(attempt.usage)),
    el("td", { class: "number" }, formatCost(attempt.usage.cost_usd))));
  const headers = ["attempt", "model", "time", "tokens", "cost"].map((name, column) =>
    el("th", { scope: "col", class: column > 1 ? "number" : null }, name));
  return el("table", {}, el("caption", { class: "hidden" }, "Attempts"), el("thead", {}, el("tr", {}, ...headers)), el("tbody", {}, ...rows));
}

const waitOf = (node) => (node.started_seconds != null && node.ready_seconds != null ? node.started_seconds - node.ready_seconds : 0);
const formatWait = (node) => (waitOf(node) > 0.0005 ? formatDuration(waitOf(node)) : "");

function showDetails(path) {
  const node = data.nodes[indexOf.get(path)];
  const close = el("button", { type: "button", class: "close more", "aria-label": "Close" }, "✕");
  close.addEventListener("click", () => $("details").classList.remove("open"));
  const parts = [close, el("h2", { dir: "auto" }, el("bdi", {}, oneLine(path, 2000))),
    el("p", {}, el("span", { class: `state ${node.end}` }, node.end), node.recovered_from ? " by its fallback" : "")];
  const usage = node.usage;
  parts.push(el("dl", {},
    ...definition("kind", [KIND_NAMES[node.kind] || node.kind, node.tier].filter(Boolean).join(", ")),
    ...definition("started", node.started_seconds == null ? "never" : `after ${formatDuration(node.started_seconds)}`),
    ...definition("waited", formatWait(node)),
    ...definition("took", node.started_seconds == null ? "" : formatDuration(node.ended_seconds - node.started_seconds)),
    ...definition("tokens", totalTokens(usage) ? `${formatCount(usage.input_tokens)} in, ${formatCount(usage.output_tokens)} out` : ""),
    ...definition("cost", Number(usage.cost_usd) ? formatCost(usage.cost_usd) + (usage.estimated ? ", partly estimated" : "") : ""),
    ...definition("critical path", critical.has(path) ? "yes" : "")));
  for (const text of new Set([node.error, node.recovered_from, node.error ? "" : node.reason])) {
    if (text) parts.push(el("p", { class: "error", dir: "auto" }, oneLine(text, 4000)));
  }
  if (node.attempts.length > 1) parts.push(el("h3", {}, "Attempts"), attemptTable(node));
  const exchanges = exchangesOf.get(path) || [];
  if (exchanges.length) {
    parts.push(el("h3", {}, exchanges.length > 1 ? "Prompts and replies" : "Prompt and reply"));
    parts.push(...exchanges.slice(0, EXCHANGES_PER_PAGE).map(exchangeElement));
    if (exchanges.length > EXCHANGES_PER_PAGE) parts.push(el("p", { class: "hint" }, `… ${plural(exchanges.length - EXCHANGES_PER_PAGE, "more prompt")} in the list`));
  }
  if (node.value != null) parts.push(el("h3", {}, "Value"), ...longText(node.value, node.value_chars_omitted));
  $("selected").replaceChildren(...parts.filter((part) => part != null));
  $("announcement").textContent = `${oneLine(path)}: ${node.end}${node.started_seconds == null ? "" : `, ${formatDuration(node.ended_seconds - node.started_seconds)}`}`;
  $("details").classList.add("open");
  $("details").scrollTop = 0;
  const open = $("selected").querySelectorAll(".exchange");
  if (open.length === 1) open[0].open = true;
}

selection.listeners.push(showDetails);
