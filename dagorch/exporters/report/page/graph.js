// The drawing of the graph: selection by click and key, and zoom.

const graph = { nodes: new Map(), width: 0, scale: 1 };

function setUpGraph() {
  const holder = $("drawing");
  const svg = holder && holder.querySelector("svg");
  if (!svg) return;
  svg.setAttribute("aria-hidden", "true"); // the table has its text, and the group around it takes the focus
  for (const node of svg.querySelectorAll("g.node")) {
    const title = node.querySelector("title");
    const path = title ? title.textContent : "";
    node.querySelectorAll("a").forEach((link) => link.replaceWith(...link.childNodes));
    graph.nodes.set(path, node);
    const run = indexOf.has(path) ? path : path.replace(/(\[…\]|\/…?)$/, "");
    node.addEventListener("click", () => select(run));
  }
  graph.width = svg.viewBox.baseVal.width * 1.1 || 800;
  const resize = () => { svg.setAttribute("width", Math.round(graph.width * graph.scale)); svg.removeAttribute("height"); };
  const fit = () => {
    graph.scale = Math.max(0.5, Math.min(1, (holder.clientWidth - 4) / graph.width));
    resize();
  };
  $("graph-fit").addEventListener("click", fit);
  for (const [id, factor] of [["graph-in", 1.25], ["graph-out", 0.8]]) {
    $(id).addEventListener("click", () => { graph.scale = Math.max(0.05, Math.min(8, graph.scale * factor)); resize(); });
  }
  fit();
  holder.addEventListener("keydown", (event) => {
    const steps = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 };
    if (!(event.key in steps)) return;
    event.preventDefault();
    const paths = [...graph.nodes.keys()].filter((path) => indexOf.has(path));
    const current = paths.indexOf(selection.path);
    select(paths[(current + steps[event.key] + paths.length) % paths.length]);
  });
  selection.listeners.push(showInGraph);
}

/** The box of a node run: its own, one that stands for many similar node runs, or its container's. */
function boxOf(path) {
  const withoutNumbers = (text) => text.replace(/\d+/g, "#");
  const endOf = (of) => (data.nodes[indexOf.get(of)] || {}).end;
  for (let ancestor = path; ancestor; ancestor = ancestor.slice(0, Math.max(0, ancestor.lastIndexOf("/")))) {
    for (const id of [ancestor, ancestor + "/", ancestor.replace(/\[\d+\]$/, "[…]"), ancestor.replace(/\[\d+\]$/, "")]) {
      if (graph.nodes.has(id)) return graph.nodes.get(id);
    }
    for (const [id, node] of graph.nodes) {
      const first = id.slice(0, -3);
      if (id.endsWith("[…]") && withoutNumbers(first) === withoutNumbers(ancestor) && endOf(first) === endOf(ancestor)) return node;
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
  const view = holder.getBoundingClientRect();
  const rect = box.getBoundingClientRect();
  if (rect.left < view.left || rect.right > view.right) holder.scrollLeft += rect.left - view.left - view.width / 2;
  if (rect.top < view.top || rect.bottom > view.bottom) holder.scrollTop += rect.top - view.top - view.height / 2;
}

search.listeners.push(() => {
  for (const [path, node] of graph.nodes) {
    const index = indexOf.get(path);
    node.classList.toggle("faint", Boolean(search.nodes) && !(index != null && search.nodes.has(index)));
  }
});
