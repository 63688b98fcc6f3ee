// A table of any number of rows that has only the visible ones in the DOM.

const TABLE_ROW_HEIGHT = 28;
const MAX_PRINTED_ROWS = 300;

class VirtualTable {
  /**
   * columns: {title, width, number, text, cell(row) -> text or node, order(row)}
   * pathOf: returns the path of the node run of a row.
   */
  constructor(holder, columns, pathOf, caption) {
    this.holder = holder;
    this.columns = columns;
    this.pathOf = pathOf;
    this.all = this.rows = [];
    this.shown = new Map();
    this.sorted = null;
    this.isPrinting = false;
    this.head = el("tr", { "aria-rowindex": 1 });
    this.body = el("tbody");
    this.above = el("tr", { class: "space", "aria-hidden": "true" }, el("td", { colspan: columns.length }));
    this.below = this.above.cloneNode(true);
    this.body.append(this.above, this.below);
    this.table = el("table", {}, el("caption", { class: "hidden" }, caption),
      el("colgroup", {}, ...columns.map(() => el("col"))), el("thead", {}, this.head), this.body);
    columns.forEach((column, index) => {
      if (column.width) this.table.querySelectorAll("col")[index].style.width = column.width;
      const button = el("button", { type: "button", tabindex: "-1" }, column.title);
      button.addEventListener("click", () => this.sort(index));
      this.head.append(el("th", { scope: "col", class: column.number ? "number" : null, "aria-sort": "none" }, button));
    });
    this.remark = el("p", { class: "static" });
    holder.append(this.table, this.remark);
    const redraw = debounced(() => this.draw());
    holder.addEventListener("scroll", redraw, { passive: true });
    window.addEventListener("resize", redraw);
    holder.addEventListener("keydown", (event) => this.handleKey(event));
    selection.listeners.push((path) => this.reveal(path));
    window.addEventListener("beforeprint", () => { this.isPrinting = true; this.draw(); });
    window.addEventListener("afterprint", () => { this.isPrinting = false; this.draw(); });
  }

  show(rows) {
    this.all = rows;
    this.arrange();
  }

  sort(column) {
    const isSame = this.sorted && this.sorted.column === column;
    const descending = isSame ? !this.sorted.descending : Boolean(this.columns[column].number);
    this.sorted = { column, descending };
    [...this.head.children].forEach((cell, index) =>
      cell.setAttribute("aria-sort", index !== column ? "none" : descending ? "descending" : "ascending"));
    this.arrange();
  }

  arrange() {
    this.rows = this.all;
    if (this.sorted) {
      const { order, cell } = this.columns[this.sorted.column];
      const key = order || cell;
      const sign = this.sorted.descending ? -1 : 1;
      const keyed = this.all.map((row, index) => [key(row), index, row]);
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
    const height = this.holder.clientHeight || 430;
    let first = Math.max(0, Math.floor(this.holder.scrollTop / TABLE_ROW_HEIGHT) - 8);
    let last = Math.min(this.rows.length, first + Math.ceil(height / TABLE_ROW_HEIGHT) + 18);
    const omitted = this.rows.length - MAX_PRINTED_ROWS;
    this.remark.textContent = omitted > 0 ? `… and ${formatCount(omitted)} more on the page itself` : "";
    if (this.isPrinting) [first, last] = [0, Math.min(this.rows.length, MAX_PRINTED_ROWS)];
    first = Math.min(first, last);
    for (const [index, row] of this.shown) {
      if (index < first || index >= last) { row.remove(); this.shown.delete(index); }
    }
    this.above.firstChild.style.height = `${first * TABLE_ROW_HEIGHT}px`;
    this.below.firstChild.style.height = this.isPrinting ? "0" : `${(this.rows.length - last) * TABLE_ROW_HEIGHT}px`;
    let previous = this.above;
    for (let index = first; index < last; index++) {
      let row = this.shown.get(index);
      if (!row) {
        row = this.createRow(index);
        this.shown.set(index, row);
        previous.after(row);
      }
      previous = row;
    }
  }

  createRow(index) {
    const row = this.rows[index];
    const path = this.pathOf(row);
    const element = el("tr", { "aria-rowindex": index + 2, class: path && path === selection.path ? "chosen" : null });
    for (const column of this.columns) {
      element.append(el("td", { class: column.number ? "number" : null, dir: column.text ? "auto" : null }, column.cell(row)));
    }
    element.addEventListener("click", () => select(path));
    return element;
  }

  /** Highlight the rows of the selected node run, and scroll to one of them. */
  reveal(path) {
    for (const [index, row] of this.shown) row.classList.toggle("chosen", this.pathOf(this.rows[index]) === path);
    const top = this.holder.scrollTop, end = top + this.holder.clientHeight;
    const isVisible = [...this.shown.keys()].some((index) =>
      this.pathOf(this.rows[index]) === path && index * TABLE_ROW_HEIGHT >= top && (index + 2) * TABLE_ROW_HEIGHT <= end);
    const first = isVisible ? null : this.firstOf(path);
    if (first != null) this.holder.scrollTop = Math.max(0, first * TABLE_ROW_HEIGHT - (end - top) / 2);
  }

  /** The index of the first row of a node run. */
  firstOf(path) {
    if (!this.first) {
      this.first = new Map();
      this.rows.forEach((row, index) => {
        if (!this.first.has(this.pathOf(row))) this.first.set(this.pathOf(row), index);
      });
    }
    return this.first.get(path);
  }

  handleKey(event) {
    const steps = { ArrowDown: 1, ArrowUp: -1, PageDown: 12, PageUp: -12, Home: -Infinity, End: Infinity };
    if (event.target !== this.holder || !(event.key in steps) || !this.rows.length) return;
    event.preventDefault();
    const step = steps[event.key];
    const isLast = this.last != null && this.pathOf(this.rows[this.last] ?? {}) === selection.path;
    const current = isLast ? this.last : this.firstOf(selection.path) ?? -1;
    this.last = Math.max(0, Math.min(this.rows.length - 1, current < 0 && step === 1 ? 0 : current + step));
    select(this.pathOf(this.rows[this.last]));
    const top = this.last * TABLE_ROW_HEIGHT;
    if (top < this.holder.scrollTop) this.holder.scrollTop = top;
    else if (top + 2 * TABLE_ROW_HEIGHT > this.holder.scrollTop + this.holder.clientHeight) this.holder.scrollTop = top + 2 * TABLE_ROW_HEIGHT - this.holder.clientHeight;
  }
}
