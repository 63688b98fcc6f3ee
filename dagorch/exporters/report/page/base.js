// The run's data, how it is written for people, and which node run is selected.

const data = JSON.parse(document.getElementById("data").textContent);
const indexOf = new Map(data.nodes.map((node, index) => [node.path, index]));
const critical = new Set(data.critical);
const exchangesOf = new Map();
data.exchanges.forEach((exchange, index) => {
  if (!exchangesOf.has(exchange.path)) exchangesOf.set(exchange.path, []);
  exchangesOf.get(exchange.path).push(index);
});

const $ = (id) => document.getElementById(id);

/** Make an element; texts among the children stay texts, whatever is in them. */
function el(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === true) element.setAttribute(name, "");
    else if (value !== false && value != null) element.setAttribute(name, value);
  }
  element.append(...children.filter((child) => child != null && child !== ""));
  return element;
}

/** Show control characters, which a font leaves out, as their pictures. */
const visible = (text) =>
  text.replace(/[\u0000-\u0008\u000b-\u001f\u007f]/g, (c) =>
    c === "\u007f" ? "\u2421" : String.fromCharCode(0x2400 + c.charCodeAt(0)));

/** Put a text on one line of at most so many characters, without what turns its direction. */
function line(text, most = 300) {
  const short = text.slice(0, most).replace(/[\u200e\u200f\u202a-\u202e\u2066-\u2069]/g, "");
  return visible(short.replace(/\s+/g, " ")).trim();
}

function duration(seconds) {
  if (seconds == null) return "";
  if (seconds < 0.9995) return `${Math.round(seconds * 1000)} ms`;
  if (seconds < 59.95) return `${seconds.toFixed(1)} s`;
  const whole = Math.round(seconds);
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${whole % 60} s`;
  return `${Math.floor(whole / 3600)} h ${Math.floor((whole % 3600) / 60)} min`;
}

const count = (number) => number.toLocaleString("en");

const plural = (number, noun, more = noun + "s") => `${count(number)} ${number === 1 ? noun : more}`;

function money(usd) {
  const value = Number(usd);
  if (!value) return "";
  if (value >= 0.1) return `$${value.toLocaleString("en", { minimumFractionDigits: 2, maximumFractionDigits: 2 })}`;
  return `$${value.toFixed(Math.min(8, 1 - Math.floor(Math.log10(value))))}`;
}

const totalTokens = (usage) => usage.input + usage.output;

/** Do something once, soon, however often it is asked for. */
function soon(action, wait = null) {
  let asked = 0;
  return () => {
    if (wait == null) {
      if (!asked) asked = requestAnimationFrame(() => { asked = 0; action(); });
    } else {
      clearTimeout(asked);
      asked = setTimeout(action, wait);
    }
  };
}

/** What is selected everywhere, and who is told of it. */
const selection = { path: "", told: [] };

function select(path) {
  if (!indexOf.has(path) || selection.path === path) return;
  selection.path = path;
  for (const tell of selection.told) tell(path);
}

/** What the search has found; null while nothing is searched for. */
const search = { words: "", nodes: null, exchanges: null, told: [] };
