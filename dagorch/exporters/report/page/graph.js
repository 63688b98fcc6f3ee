// The drawing of the graph: chosen by click and by key, larger and smaller.

const graph = { nodes: new Map(), width: 0, scale: 1 };

function setUpGraph() {
  const holder = $("drawing");
  const svg = holder && holder.querySelector("svg");
  if (!svg) return;
  svg.setAttribute("aria-hidden", "true"); // its words are in the table; the group around it takes the keys
  for (const node of svg.querySelectorAll("g.node")) {
    const title = node.querySelector("title");
    const path = title ? title.textContent : "";
    node.querySelectorAll("a").forEach((link) => link.replaceWith(...link.childNodes));
    graph.nodes.set(path, node);
    const run = indexOf.has(path) ? path : path.replace(/(\[…\]|\/…?)$/, "");
    node.addEventListener("click", () => select(run));
  }
  graph.width = svg.viewBox.baseVal.width * 1.1 || 800;
  const size = () => { svg.setAttribute("width", Math.round(graph.width * graph.scale)); svg.removeAttribute("height"); };
  const fit = () => {
    graph.scale = Math.max(0.5, Math.min(1, (holder.clientWidth - 4) / graph.width));
    size();
  };
  $("graph-fit").addEventListener("click", fit);
  for (const [id, factor] of [["graph-in", 1.25], ["graph-out", 0.8]]) {
    $(id).addEventListener("click", () => { graph.scale = Math.max(0.05, Math.min(8, graph.scale * factor)); size(); });
  }
  fit();
  holder.addEventListener("keydown", (event) => {
    const steps = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 };
    if (!(event.key in steps)) return;
    event.preventDefault();
    const paths = [...graph.nodes.keys()].filter((path) => indexOf.has(path));
    const at = paths.indexOf(selection.path);
    select(paths[(at + steps[event.key] + paths.length) % paths.length]);
  });
  selection.told.push(showInGraph);
}

/** The box that a node run has, or that it is counted in: with others of its kind, or its container's. */
function boxOf(path) {
  const shape = (text) => text.replace(/\d+/g, "#");
  const endOf = (at) => (data.nodes[indexOf.get(at)] || {}).end;
  for (let at = path; at; at = at.includes("/") ? at.slice(0, at.lastIndexOf("/")) : "") {
    for (const id of [at, at + "/", at.replace(/\[\d+\]$/, "[…]"), at.replace(/\[\d+\]$/, "")]) {
      if (graph.nodes.has(id)) return graph.nodes.get(id);
    }
    for (const [id, node] of graph.nodes) {
      const first = id.slice(0, -3);
      if (id.endsWith("[…]") && shape(first) === shape(at) && endOf(first) === endOf(at)) return node;
    }
  }
  return null;
}

function showInGraph(path) {
  for (const node of graph.nodes.values()) node.classList.remove("chosen");
  const box = boxOf(path);
  if (!box) return;
  box.classList.add("chosen");
  const holder = $("drawing");
  const inside = holder.getBoundingClientRect();
  const place = box.getBoundingClientRect();
  if (place.left < inside.left || place.right > inside.right) holder.scrollLeft += place.left - inside.left - inside.width / 2;
  if (place.top < inside.top || place.bottom > inside.bottom) holder.scrollTop += place.top - inside.top - inside.height / 2;
}

search.told.push(() => {
  for (const [path, node] of graph.nodes) {
    const index = indexOf.get(path);
    node.classList.toggle("faint", Boolean(search.nodes) && !(index != null && search.nodes.has(index)));
  }
});
