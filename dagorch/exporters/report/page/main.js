// Everything put together: the tables, the search, and what the page does when it is opened.

function nameCell(path) {
  return el("span", { class: critical.has(path) ? "on-path" : null, title: line(path) + (critical.has(path) ? ", on the critical path" : "") },
    el("bdi", {}, line(path)), critical.has(path) ? el("span", { "aria-hidden": "true" }, " ◆") : "",
    critical.has(path) ? el("span", { class: "hidden" }, " (critical path)") : "");
}

const waitOf = (node) => (node.start != null && node.ready != null ? node.start - node.ready : 0);
const timeOf = (node) => (node.start == null ? 0 : node.finish - node.start);

function nodeColumns() {
  const columns = [
    { title: "node", cell: (node) => nameCell(node.path), order: (node) => node.path },
    { title: "kind", width: "84px", cell: (node) => node.tier || WORDS[node.kind] || node.kind },
    { title: "state", width: "108px", cell: (node) => el("span", { class: `state ${node.end}` }, node.end), order: (node) => node.end },
    { title: "start", width: "90px", number: true, cell: (node) => duration(node.start), order: (node) => node.start ?? -1 },
    { title: "waited", width: "68px", number: true, cell: (node) => (waitOf(node) > 0.0005 ? duration(waitOf(node)) : ""), order: waitOf },
    { title: "time", width: "90px", number: true, cell: (node) => (node.start == null ? "" : duration(timeOf(node))), order: timeOf },
    { title: "tries", width: "48px", number: true, cell: (node) => (node.attempts.length ? String(node.attempts.length) : ""), order: (node) => node.attempts.length },
    { title: "tokens", width: "70px", number: true, cell: (node) => (totalTokens(node.usage) ? count(totalTokens(node.usage)) : ""), order: (node) => totalTokens(node.usage) },
  ];
  if (data.costs) columns.push({ title: "cost", width: "80px", number: true, cell: (node) => money(node.usage.cost), order: (node) => Number(node.usage.cost) });
  return columns;
}

const eventColumns = [
  { title: "time", width: "90px", number: true, cell: (event) => duration(event.seconds), order: (event) => event.number },
  { title: "event", width: "150px", cell: (event) => event.type.replaceAll("_", " ") },
  { title: "node", width: "34%", text: true, cell: (event) => el("bdi", {}, line(event.path + (event.attempt > 1 ? ` (attempt ${event.attempt})` : ""))), order: (event) => event.path },
  { title: "what", text: true, cell: (event) => line(event.told), order: (event) => event.told },
];

const nodeRows = new Rows($("nodes-table"), nodeColumns(), (node) => node.path || "", "Node runs");
const eventRows = new Rows($("events-table"), eventColumns, (event) => event.path || "", "Events");

function showRows() {
  const nodes = search.nodes ? data.nodes.filter((_, index) => search.nodes.has(index)) : data.nodes;
  const events = search.nodes ? data.events.filter((event) => search.nodes.has(indexOf.get(event.path))) : data.events;
  nodeRows.show(nodes);
  eventRows.show(events);
  const told = (found, all) => (all ? (search.nodes ? `${count(found)} of ` : "") + count(all) : "none recorded");
  $("nodes-count").textContent = told(nodes.length, data.nodes.length);
  $("events-count").textContent = told(events.length, data.events.length)
    + (data.eventsLeftOut ? `, ${count(data.eventsLeftOut)} more were missed` : "");
  $("events-table").hidden = !data.events.length;
}

let hay = null;

/** Everything that is searched, in small letters; made at the first search. */
function haystack() {
  if (hay) return hay;
  const low = (...texts) => texts.join("\n").toLowerCase();
  return (hay = {
    nodes: data.nodes.map((node) => low(node.path, node.kind, node.tier, node.end, node.error, node.reason)),
    exchanges: data.exchanges.map((exchange) => low(exchange.path, exchange.model, exchange.error, exchange.reply, ...exchange.calls,
      ...exchange.messages.flatMap((message) => [message.content, ...message.calls]))),
  });
}

function find(words) {
  search.words = words.trim().toLowerCase();
  search.nodes = search.exchanges = null;
  if (search.words) {
    const { nodes, exchanges } = haystack();
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
  for (const tell of search.told) tell();
}

const field = $("search");
field.addEventListener("input", soon(() => find(field.value), 120));
field.form.addEventListener("submit", (event) => {
  event.preventDefault();
  find(field.value);
  if (search.nodes && search.nodes.size) select(data.nodes[Math.min(...search.nodes)].path);
});
document.addEventListener("keydown", (event) => {
  if (event.key === "/" && !/^(INPUT|TEXTAREA)$/.test(event.target.tagName)) { event.preventDefault(); field.focus(); field.select(); }
  if (event.key === "Escape") {
    if (event.target === field && field.value) { field.value = ""; find(""); }
    else $("details").classList.remove("open");
  }
});
document.addEventListener("click", (event) => {
  const link = event.target.closest("button[data-path]");
  if (link) select(link.dataset.path);
});

const outcome = document.querySelector(".output");
let wasOpen = true;
window.addEventListener("beforeprint", () => { if (outcome) { wasOpen = outcome.open; outcome.open = true; } });
window.addEventListener("afterprint", () => { if (outcome) outcome.open = wasOpen; });

setUpGraph();
chart.setUp();
showRows();
exchangeList.show();
$("selected").append(el("p", { class: "hint" }, "Select a node run in the graph, on the timeline or in a table to see its prompts, replies, attempts and value."));
