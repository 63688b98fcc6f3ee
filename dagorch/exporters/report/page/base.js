// The data of the run, formatting, and the selected node run.

const data = JSON.parse(document.getElementById("data").textContent);
const indexOf = new Map(data.nodes.map((node, index) => [node.path, index]));
const critical = new Set(data.critical);
const exchangesOf = new Map();
data.exchanges.forEach((exchange, index) => {
  if (!exchangesOf.has(exchange.path)) exchangesOf.set(exchange.path, []);
  exchangesOf.get(exchange.path).push(index);
});

const $ = (id) => document.getElementById(id);

/** Create an element. Strings among the children become text nodes, never markup. */
function el(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === true) element.setAttribute(name, "");
    else if (value !== false && value != null) element.setAttribute(name, value);
  }
  element.append(...children.filter((child) => child != null && child !== ""));
  return element;
}

/** Replace control characters, which have no glyph, by their Unicode symbols. */
const visible = (text) =>
  text.replace(/[\u0000-\u0008\u000b-\u001f\u007f]/g, (c) =>
    c === "\u007f" ? "\u2421" : String.fromCharCode(0x2400 + c.charCodeAt(0)));

/** Put a text on one line, cut to `maxLength`, without characters that change its direction. */
function oneLine(text, maxLength = 300) {
  const cut = text.slice(0, maxLength).replace(/[\u200e\u200f\u202a-\u202e\u2066-\u2069]/g, "");
  return visible(cut.replace(/\s+/g, " ")).trim();
}

function formatDuration(seconds) {
  if (seconds == null) return "";
  if (seconds < 0.9995) return `${Math.round(seconds * 1000)} ms`;
  if (seconds < 59.95) return `${seconds.toFixed(1)} s`;
  const whole = Math.round(seconds);
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${whole % 60} s`;
  return `${Math.floor(whole / 3600)} h ${Math.floor((whole % 3600) / 60)} min`;
}

const formatCount = (number) => number.toLocaleString("en");

const plural = (number, noun) => `${formatCount(number)} ${noun}${number === 1 ? "" : "s"}`;

function formatCost(usd) {
  const value = Number(usd);
  if (!value) return "";
  if (value >= 0.1) return `$${value.toLocaleString("en", { minimumFractionDigits: 2, maximumFractionDigits: 2 })}`;
  return `$${value.toFixed(Math.min(8, 1 - Math.floor(Math.log10(value))))}`;
}

const totalTokens = (usage) => usage.input_tokens + usage.output_tokens;
const formatTokens = (usage) => (totalTokens(usage) ? formatCount(totalTokens(usage)) : "");

/** Merge many calls into one: at the next frame, or after `delay` ms without another call. */
function debounced(action, delay = null) {
  let pending = 0;
  return () => {
    if (delay == null) {
      if (!pending) pending = requestAnimationFrame(() => { pending = 0; action(); });
    } else {
      clearTimeout(pending);
      pending = setTimeout(action, delay);
    }
  };
}

/** The selected node run. The listeners are called with its path. */
const selection = { path: "", listeners: [] };

function select(path) {
  if (!indexOf.has(path) || selection.path === path) return;
  selection.path = path;
  for (const listener of selection.listeners) listener(path);
}

/** The search and the indices of its results; null without a search. */
const search = { words: "", nodes: null, exchanges: null, listeners: [] };
