// The tables, the search and the start of the page.

function nameCell(path) {
  return el("span", { class: critical.has(path) ? "on-path" : null, title: oneLine(path) + (critical.has(path) ? ", on the critical path" : "") },
    el("bdi", {}, oneLine(path)), critical.has(path) ? el("span", { "aria-hidden": "true" }, " ◆") : "",
    critical.has(path) ? el("span", { class: "hidden" }, " (critical path)") : "");
}

const timeOf = (node) => (node.started_seconds == null ? 0 : node.ended_seconds - node.started_seconds);

function nodeColumns() {
  const columns = [
    { title: "node", cell: (node) => nameCell(node.path), order: (node) => node.path },
    { title: "kind", width: "84px", cell: (node) => node.tier || KIND_NAMES[node.kind] || node.kind },
    { title: "state", width: "108px", cell: (node) => el("span", { class: `state ${node.end}` }, node.end), order: (node) => node.end },
    { title: "start", width: "90px", number: true, cell: (node) => formatDuration(node.started_seconds), order: (node) => node.started_seconds ?? -1 },
    { title: "waited", width: "68px", number: true, cell: (node) => formatWait(node), order: waitOf },
    { title: "time", width: "90px", number: true, cell: (node) => (node.started_seconds == null ? "" : formatDuration(timeOf(node))), order: timeOf },
    { title: "attempts", width: "68px", number: true, cell: (node) => (node.attempts.length ? String(node.attempts.length) : ""), order: (node) => node.attempts.length },
    { title: "tokens", width: "70px", number: true, cell: (node) => formatTokens(node.usage), order: (node) => totalTokens(node.usage) },
  ];
  if (data.costs) columns.push({ title: "cost", width: "80px", number: true, cell: (node) => formatCost(node.usage.cost_usd), order: (node) => Number(node.usage.cost_usd) });
  return columns;
}

const eventColumns = [
  { title: "time", width: "90px", number: true, cell: (event) => formatDuration(event.seconds), order: (event) => event.number },
  { title: "event", width: "150px", cell: (event) => event.type.replaceAll("_", " ") },
  { title: "node", width: "34%", text: true, cell: (event) => el("bdi", {}, oneLine(event.path + (event.attempt > 1 ? ` (attempt ${event.attempt})` : ""))), order: (event) => event.path },
  { title: "details", text: true, cell: (event) => oneLine(event.text), order: (event) => event.text },
];

const nodeTable = new VirtualTable($("nodes-table"), nodeColumns(), (node) => node.path || "", "Node runs");
const eventTable = new VirtualTable($("events-table"), eventColumns, (event) => event.path || "", "Events");

function showRows() {
  const nodes = search.nodes ? data.nodes.filter((_, index) => search.nodes.has(index)) : data.nodes;
  const events = search.nodes ? data.events.filter((event) => search.nodes.has(indexOf.get(event.path))) : data.events;
  nodeTable.show(nodes);
  eventTable.show(events);
  const describe = (found, all) => (all ? (search.nodes ? `${formatCount(found)} of ` : "") + formatCount(all) : "none recorded");
  $("nodes-count").textContent = describe(nodes.length, data.nodes.length);
  $("events-count").textContent = describe(events.length, data.events.length)
    + (data.events_omitted ? `, ${formatCount(data.events_omitted)} more were dropped` : "");
  $("events-table").hidden = !data.events.length;
}

let cachedTexts = null;

/** The searchable texts in lower case, made at the first search. */
function searchTexts() {
  if (cachedTexts) return cachedTexts;
  const lower = (...texts) => texts.join("\n").toLowerCase();
  return (cachedTexts = {
    nodes: data.nodes.map((node) => lower(node.path, node.kind, node.tier, node.end, node.error, node.reason)),
    exchanges: data.exchanges.map((exchange) => lower(exchange.path, exchange.model, exchange.error, exchange.reply, ...exchange.tool_calls,
      ...exchange.messages.flatMap((message) => [message.content, ...message.tool_calls]))),
  });
}

function runSearch(words) {
  search.words = words.trim().toLowerCase();
  search.nodes = search.exchanges = null;
  if (search.words) {
    const { nodes, exchanges } = searchTexts();
    search.nodes = new Set();
    nodes.forEach((text, index) => { if (text.includes(search.words)) search.nodes.add(index); });
    search.exchanges = [];
    exchanges.forEach((text, index) => {
      if (!text.includes(search.words)) return;
      search.exchanges.push(index);
      if (indexOf.has(data.exchanges[index].path)) search.nodes.add(indexOf.get(data.exchanges[index].path));
    });
  }
  $("found").textContent = search.words
    ? `${plural(search.nodes.size, "node run")}, ${plural(search.exchanges.length, "exchange")} found` : "";
  showRows();
  exchangeList.show();
  for (const listener of search.listeners) listener();
}

const field = $("search");
field.addEventListener("input", debounced(() => runSearch(field.value), 120));
field.form.addEventListener("submit", (event) => {
  event.preventDefault();
  runSearch(field.value);
  if (search.nodes && search.nodes.size) select(data.nodes[Math.min(...search.nodes)].path);
});
document.addEventListener("keydown", (event) => {
  if (event.key === "/" && !/^(INPUT|TEXTAREA)$/.test(event.target.tagName)) { event.preventDefault(); field.focus(); field.select(); }
  if (event.key === "Escape") {
    if (event.target === field && field.value) { field.value = ""; runSearch(""); }
    else $("details").classList.remove("open");
  }
});
document.addEventListener("click", (event) => {
  const link = event.target.closest("button[data-path]");
  if (link) select(link.dataset.path);
});

const output = document.querySelector(".output");
let wasOpen = true;
window.addEventListener("beforeprint", () => { if (output) { wasOpen = output.open; output.open = true; } });
window.addEventListener("afterprint", () => { if (output) output.open = wasOpen; });

setUpGraph();
timeline.setUp();
showRows();
exchangeList.show();
$("selected").append(el("p", { class: "hint" }, "Select a node run in the graph, on the timeline or in a table to see its prompts, replies, attempts and value."));
