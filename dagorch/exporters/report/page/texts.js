// Prompts and replies: folded, and of a long one the rest when it is asked for.

const PIECE = 6000;
const CHUNK = 100;

/** Write a text, what is searched for marked. */
function marked(text) {
  const words = search.words;
  const shown = visible(text);
  if (!words) return [shown];
  const parts = [];
  const low = shown.toLowerCase();
  if (low.length !== shown.length) return [shown]; // letters that change their length: places would be off
  let at = 0;
  for (let n = 0; n < 200; n++) {
    const next = low.indexOf(words, at);
    if (next < 0) break;
    parts.push(shown.slice(at, next), el("mark", {}, shown.slice(next, next + words.length)));
    at = next + words.length;
  }
  parts.push(shown.slice(at));
  return parts.filter((part) => part !== "");
}

function longText(text, leftOut = 0) {
  const pre = el("pre", { dir: "auto", tabindex: "0" }, ...marked(text.slice(0, PIECE)));
  const end = leftOut ? ` (${count(leftOut)} more characters were not kept)` : "";
  if (text.length <= PIECE) return [pre, leftOut ? el("p", { class: "hint" }, end) : null];
  const more = el("button", { type: "button", class: "more" }, `Show all ${count(text.length)} characters${end}`);
  more.addEventListener("click", () => {
    pre.replaceChildren(...marked(text));
    more.remove();
    pre.focus();
  });
  return [pre, more];
}

/** A part that is filled when it is first opened. */
function folded(summary, fill, attributes = {}) {
  const body = el("div", { class: "body" });
  const part = el("details", attributes, el("summary", {}, ...summary), body);
  part.addEventListener("toggle", () => {
    if (part.open && !body.childNodes.length) body.append(...fill().filter((child) => child != null));
  });
  return part;
}

function calls(names) {
  return names.length ? [el("p", { class: "role" }, "tool calls"), ...names.flatMap((call) => longText(call))] : [];
}

function exchangePart(index) {
  const exchange = data.exchanges[index];
  const facts = [exchange.model, duration(exchange.end - exchange.start)];
  if (totalTokens(exchange.usage)) facts.push(`${count(totalTokens(exchange.usage))} tok`);
  if (Number(exchange.usage.cost)) facts.push(money(exchange.usage.cost));
  const prompt = exchange.messages.length ? exchange.messages[exchange.messages.length - 1].content : "";
  const tries = exchange.attempt > 1 ? ` (attempt ${exchange.attempt})` : "";
  const failed = exchange.error || (exchange.finish ? "" : "no reply: cancelled");
  const part = folded([
    el("span", { class: "who" }, el("bdi", {}, line(exchange.path) + tries)),
    el("span", { class: failed ? "first failed-text" : "first" }, line(failed || exchange.reply || exchange.calls.join(" ") || prompt)),
    el("span", { class: "facts" }, facts.join(" · ")),
  ], () => [
    ...exchange.messages.flatMap((message) => [
      el("p", { class: "role" }, message.role),
      ...longText(message.content),
      ...message.images.map((image) => el("p", { class: "hint" }, `image: ${line(image)}`)),
      ...calls(message.calls),
    ]),
    exchange.messages.length ? null : el("p", { class: "hint" }, "The prompt was not recorded."),
    el("p", { class: "role" }, exchange.finish ? `reply (${exchange.finish})` : "no reply"),
    ...(failed ? [el("p", { class: "error", dir: "auto" }, line(failed, 4000))] : []),
    ...(exchange.reply ? longText(exchange.reply) : []),
    ...calls(exchange.calls),
  ], { class: "exchange", "data-exchange": index });
  part.addEventListener("toggle", () => { if (part.open && part.isConnected && part.closest("#exchange-list")) select(exchange.path); });
  return part;
}

/** The list of all exchanges, or of those found, a hundred at a time. */
const exchangeList = {
  show() {
    const found = search.exchanges || data.exchanges.map((_, index) => index);
    const list = $("exchange-list");
    list.replaceChildren();
    $("exchanges-count").textContent = data.exchanges.length
      ? (search.exchanges ? `${count(found.length)} of ` : "") + count(data.exchanges.length) : "";
    if (!data.exchanges.length) list.append(el("p", { class: "hint" }, "None were recorded."));
    let at = 0;
    const more = el("button", { type: "button", class: "more" });
    const next = () => {
      more.remove();
      list.append(...found.slice(at, at + CHUNK).map(exchangePart));
      at += CHUNK;
      if (at < found.length) {
        more.textContent = `Show ${count(Math.min(CHUNK, found.length - at))} more of ${count(found.length - at)}`;
        list.append(more);
      }
    };
    more.addEventListener("click", () => {
      next();
      list.querySelectorAll(".exchange > summary")[at - CHUNK].focus();
    });
    next();
  },
};
