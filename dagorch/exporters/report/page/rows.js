// A table of any number of rows, of which those in sight are in the page.

const ROW = 28;
const PRINTED = 300;

class Rows {
  /**
   * columns: {name, title, width, number, cell(row) -> text or node, order(row)}
   * pathOf: the node run that a row belongs to.
   */
  constructor(holder, columns, pathOf, caption) {
    this.holder = holder;
    this.columns = columns;
    this.pathOf = pathOf;
    this.all = this.rows = [];
    this.shown = new Map();
    this.sorted = null;
    this.everything = false;
    this.head = el("tr", { "aria-rowindex": 1 });
    this.body = el("tbody");
    this.above = el("tr", { class: "space", "aria-hidden": "true" }, el("td", { colspan: columns.length }));
    this.below = this.above.cloneNode(true);
    this.body.append(this.above, this.below);
    this.table = el("table", {}, el("caption", { class: "hidden" }, caption),
      el("colgroup", {}, ...columns.map(() => el("col"))), el("thead", {}, this.head), this.body);
    columns.forEach((column, at) => {
      if (column.width) this.table.querySelectorAll("col")[at].style.width = column.width;
      const button = el("button", { type: "button", tabindex: "-1" }, column.title);
      button.addEventListener("click", () => this.sort(at));
      this.head.append(el("th", { scope: "col", class: column.number ? "number" : null, "aria-sort": "none" }, button));
    });
    this.rest = el("p", { class: "static" });
    holder.append(this.table, this.rest);
    const draw = soon(() => this.draw());
    holder.addEventListener("scroll", draw, { passive: true });
    window.addEventListener("resize", draw);
    holder.addEventListener("keydown", (event) => this.key(event));
    selection.told.push((path) => this.reveal(path));
    window.addEventListener("beforeprint", () => { this.everything = true; this.draw(); });
    window.addEventListener("afterprint", () => { this.everything = false; this.draw(); });
  }

  show(rows) {
    this.all = rows;
    this.arrange();
  }

  sort(at) {
    const down = this.sorted && this.sorted.at === at ? !this.sorted.down : Boolean(this.columns[at].number);
    this.sorted = { at, down };
    [...this.head.children].forEach((cell, index) =>
      cell.setAttribute("aria-sort", index !== at ? "none" : down ? "descending" : "ascending"));
    this.arrange();
  }

  arrange() {
    this.rows = this.all;
    if (this.sorted) {
      const order = this.columns[this.sorted.at].order || this.columns[this.sorted.at].cell;
      const sign = this.sorted.down ? -1 : 1;
      const keyed = this.all.map((row, index) => [order(row), index, row]);
      keyed.sort(([a, i], [b, j]) => (a < b ? -sign : a > b ? sign : i - j));
      this.rows = keyed.map((entry) => entry[2]);
    }
    for (const row of this.shown.values()) row.remove();
    this.shown.clear();
    this.first = null;
    this.table.setAttribute("aria-rowcount", this.rows.length + 1);
    this.draw();
  }

  draw() {
    const room = this.holder.clientHeight || 430;
    let first = Math.max(0, Math.floor(this.holder.scrollTop / ROW) - 8);
    let last = Math.min(this.rows.length, first + Math.ceil(room / ROW) + 18);
    const rest = this.rows.length - PRINTED;
    this.rest.textContent = rest > 0 ? `… and ${count(rest)} more, in the page itself` : "";
    if (this.everything) [first, last] = [0, Math.min(this.rows.length, PRINTED)];
    first = Math.min(first, last);
    for (const [index, row] of this.shown) {
      if (index < first || index >= last) { row.remove(); this.shown.delete(index); }
    }
    this.above.firstChild.style.height = `${first * ROW}px`;
    this.below.firstChild.style.height = this.everything ? "0" : `${(this.rows.length - last) * ROW}px`;
    let before = this.above;
    for (let index = first; index < last; index++) {
      let row = this.shown.get(index);
      if (!row) {
        row = this.make(index);
        this.shown.set(index, row);
        before.after(row);
      }
      before = row;
    }
  }

  make(index) {
    const row = this.rows[index];
    const path = this.pathOf(row);
    const element = el("tr", { "aria-rowindex": index + 2, class: path && path === selection.path ? "chosen" : null });
    for (const column of this.columns) {
      element.append(el("td", { class: column.number ? "number" : null, dir: column.text ? "auto" : null }, column.cell(row)));
    }
    element.addEventListener("click", () => select(path));
    return element;
  }

  /** Mark the rows of what is selected, and have one of them in sight. */
  reveal(path) {
    for (const [index, row] of this.shown) row.classList.toggle("chosen", this.pathOf(this.rows[index]) === path);
    const top = this.holder.scrollTop, end = top + this.holder.clientHeight;
    const seen = [...this.shown.keys()].some((index) =>
      this.pathOf(this.rows[index]) === path && index * ROW >= top && (index + 2) * ROW <= end);
    const at = seen ? null : this.firstOf(path);
    if (at != null) this.holder.scrollTop = Math.max(0, at * ROW - (end - top) / 2);
  }

  /** The first row of a node run. */
  firstOf(path) {
    if (!this.first) {
      this.first = new Map();
      this.rows.forEach((row, index) => {
        if (!this.first.has(this.pathOf(row))) this.first.set(this.pathOf(row), index);
      });
    }
    return this.first.get(path);
  }

  key(event) {
    const steps = { ArrowDown: 1, ArrowUp: -1, PageDown: 12, PageUp: -12, Home: -Infinity, End: Infinity };
    if (event.target !== this.holder || !(event.key in steps) || !this.rows.length) return;
    event.preventDefault();
    const step = steps[event.key];
    const known = this.last != null && this.pathOf(this.rows[this.last] ?? {}) === selection.path;
    const now = known ? this.last : this.firstOf(selection.path) ?? -1;
    this.last = Math.max(0, Math.min(this.rows.length - 1, now < 0 && step === 1 ? 0 : now + step));
    select(this.pathOf(this.rows[this.last]));
    const top = this.last * ROW;
    if (top < this.holder.scrollTop) this.holder.scrollTop = top;
    else if (top + 2 * ROW > this.holder.scrollTop + this.holder.clientHeight) this.holder.scrollTop = top + 2 * ROW - this.holder.clientHeight;
  }
}
