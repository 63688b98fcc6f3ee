// Prompts and replies: collapsed, and the rest of a long text on request.

const SHOWN_CHARACTERS = 6000;
const EXCHANGES_PER_PAGE = 100;

/** Split a text into strings and `mark` elements around the search words. */
function highlighted(text) {
  const words = search.words;
  const shown = visible(text);
  if (!words) return [shown];
  const parts = [];
  const lower = shown.toLowerCase();
  if (lower.length !== shown.length) return [shown]; // a letter changed its length, so indices differ
  let end = 0;
  for (let n = 0; n < 200; n++) {
    const next = lower.indexOf(words, end);
    if (next < 0) break;
    parts.push(shown.slice(end, next), el("mark", {}, shown.slice(next, next + words.length)));
    end = next + words.length;
  }
  parts.push(shown.slice(end));
  return parts.filter((part) => part !== "");
}

function longText(text, omitted = 0) {
  const pre = el("pre", { dir: "auto", tabindex: "0" }, ...highlighted(text.slice(0, SHOWN_CHARACTERS)));
  const remark = omitted ? ` (${formatCount(omitted)} more characters were not recorded)` : "";
  if (text.length <= SHOWN_CHARACTERS) return [pre, omitted ? el("p", { class: "hint" }, remark) : null];
  const more = el("button", { type: "button", class: "more" }, `Show all ${formatCount(text.length)} characters${remark}`);
  more.addEventListener("click", () => {
    pre.replaceChildren(...highlighted(text));
    more.remove();
    pre.focus();
  });
  return [pre, more];
}

/** A `details` element that is filled when it is first opened. */
function lazyDetails(summary, fill, attributes = {}) {
  const body = el("div", { class: "body" });
  const part = el("details", attributes, el("summary", {}, ...summary), body);
  part.addEventListener("toggle", () => {
    if (part.open && !body.childNodes.length) body.append(...fill().filter((child) => child != null));
  });
  return part;
}

function toolCallElements(calls) {
  return calls.length ? [el("p", { class: "role" }, "tool calls"), ...calls.flatMap((call) => longText(call))] : [];
}

function exchangeElement(index) {
  const exchange = data.exchanges[index];
  const facts = [exchange.model, formatDuration(exchange.ended_seconds - exchange.started_seconds)];
  if (totalTokens(exchange.usage)) facts.push(`${formatCount(totalTokens(exchange.usage))} tok`);
  if (Number(exchange.usage.cost_usd)) facts.push(formatCost(exchange.usage.cost_usd));
  const prompt = exchange.messages.length ? exchange.messages[exchange.messages.length - 1].content : "";
  const attempt = exchange.attempt > 1 ? ` (attempt ${exchange.attempt})` : "";
  const failed = exchange.error || (exchange.finish_reason ? "" : "no reply: cancelled");
  const part = lazyDetails([
    el("span", { class: "who" }, el("bdi", {}, oneLine(exchange.path) + attempt)),
    el("span", { class: failed ? "first failed-text" : "first" }, oneLine(failed || exchange.reply || exchange.tool_calls.join(" ") || prompt)),
    el("span", { class: "facts" }, facts.join(" · ")),
  ], () => [
    ...exchange.messages.flatMap((message) => [
      el("p", { class: "role" }, message.role),
      ...longText(message.content),
      ...message.images.map((image) => el("p", { class: "hint" }, `image: ${oneLine(image)}`)),
      ...toolCallElements(message.tool_calls),
    ]),
    exchange.messages.length ? null : el("p", { class: "hint" }, "The prompt was not recorded."),
    el("p", { class: "role" }, exchange.finish_reason ? `reply (${exchange.finish_reason})` : "no reply"),
    ...(failed ? [el("p", { class: "error", dir: "auto" }, oneLine(failed, 4000))] : []),
    ...(exchange.reply ? longText(exchange.reply) : []),
    ...toolCallElements(exchange.tool_calls),
  ], { class: "exchange", "data-exchange": index });
  part.addEventListener("toggle", () => { if (part.open && part.isConnected && part.closest("#exchange-list")) select(exchange.path); });
  return part;
}

/** The list of all exchanges, or of the search results, in pages. */
const exchangeList = {
  show() {
    const found = search.exchanges || data.exchanges.map((_, index) => index);
    const list = $("exchange-list");
    list.replaceChildren();
    $("exchanges-count").textContent = data.exchanges.length
      ? (search.exchanges ? `${formatCount(found.length)} of ` : "") + formatCount(data.exchanges.length) : "";
    if (!data.exchanges.length) list.append(el("p", { class: "hint" }, "No prompts were recorded."));
    let end = 0;
    const more = el("button", { type: "button", class: "more" });
    const showNext = () => {
      more.remove();
      list.append(...found.slice(end, end + EXCHANGES_PER_PAGE).map(exchangeElement));
      end += EXCHANGES_PER_PAGE;
      if (end < found.length) {
        more.textContent = `Show ${formatCount(Math.min(EXCHANGES_PER_PAGE, found.length - end))} more of ${formatCount(found.length - end)}`;
        list.append(more);
      }
    };
    more.addEventListener("click", () => {
      showNext();
      list.querySelectorAll(".exchange > summary")[end - EXCHANGES_PER_PAGE].focus();
    });
    showNext();
  },
};
