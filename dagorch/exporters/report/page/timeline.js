// The timeline, on a canvas as large as its viewport. Only visible bars are drawn.

const ROW_HEIGHT = 20, BAR_HEIGHT = 14, HEADING_HEIGHT = 24, AXIS_HEIGHT = 26, MARGIN = 10;

const timeline = {
  from: 0, to: data.seconds || 1, hidden: new Set(), layout: [], height: 0,

  setUp() {
    this.holder = $("chart");
    this.canvas = $("canvas");
    this.context = this.canvas.getContext("2d");
    this.rows = data.lanes.map((lane) => {
      const rows = Array.from({ length: lane.rows }, () => []);
      for (const bar of lane.bars) rows[bar[4]].push(bar);
      return rows;
    });
    this.redraw = debounced(() => this.draw());
    this.layOut();
    const buttons = [];
    data.lanes.forEach((lane, index) => {
      const button = el("button", { type: "button", "aria-pressed": "true" }, oneLine(lane.name, 60));
      button.addEventListener("click", () => {
        if (!this.hidden.delete(index)) this.hidden.add(index);
        button.setAttribute("aria-pressed", String(!this.hidden.has(index)));
        this.layOut();
        this.redraw();
      });
      if (data.lanes.length > 1) buttons.push(button);
    });
    $("lanes").append(...buttons);
    this.addListeners();
    selection.listeners.push((path) => { this.reveal(path); this.redraw(); });
    search.listeners.push(this.redraw);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => { this.colors = null; this.redraw(); });
    new ResizeObserver(() => this.redraw()).observe(this.holder);
    this.draw();
  },

  /** Compute the top of each visible lane. */
  layOut() {
    let y = AXIS_HEIGHT;
    this.layout = [];
    this.order = null;
    data.lanes.forEach((lane, index) => {
      if (this.hidden.has(index)) return;
      this.layout.push({ lane, rows: this.rows[index], top: y });
      y += HEADING_HEIGHT + lane.rows * ROW_HEIGHT + 6;
    });
    this.height = y + 4;
    $("chart-size").style.height = `${this.height}px`;
  },

  addListeners() {
    const holder = this.holder;
    const zoom = (factor, x = null) => this.zoom(factor, x);
    $("zoom-in").addEventListener("click", () => zoom(0.6));
    $("zoom-out").addEventListener("click", () => zoom(1 / 0.6));
    $("zoom-all").addEventListener("click", () => this.view(0, data.seconds));
    $("zoom-node").addEventListener("click", () => this.viewSelected());
    holder.addEventListener("scroll", this.redraw, { passive: true });
    holder.addEventListener("wheel", (event) => {
      if (event.ctrlKey || event.metaKey || event.altKey) {
        event.preventDefault();
        zoom(Math.exp(Math.max(-60, Math.min(60, event.deltaY)) * 0.006), this.position(event).x);
      } else if (event.shiftKey || Math.abs(event.deltaX) > Math.abs(event.deltaY)) {
        event.preventDefault();
        this.pan((event.deltaX || event.deltaY) / this.width);
      }
    }, { passive: false });
    holder.addEventListener("keydown", (event) => {
      const actions = {
        "+": () => zoom(0.6), "=": () => zoom(0.6), "-": () => zoom(1 / 0.6), 0: () => this.view(0, data.seconds),
        ArrowLeft: () => this.pan(-0.15), ArrowRight: () => this.pan(0.15),
        ArrowUp: () => this.step(-1), ArrowDown: () => this.step(1), Enter: () => this.viewSelected(),
      };
      if (event.ctrlKey || event.metaKey || !(event.key in actions)) return;
      event.preventDefault();
      actions[event.key]();
    });
    let drag = null;
    this.canvas.addEventListener("pointerdown", (event) => { drag = { x: event.clientX, moved: false }; });
    window.addEventListener("pointermove", (event) => {
      if (drag) {
        const distance = drag.x - event.clientX;
        if (!drag.moved && Math.abs(distance) < 4) return;
        drag = { x: event.clientX, moved: true };
        this.pan(distance / this.width);
      } else if (event.target === this.canvas) {
        const bar = this.barAt(event);
        this.canvas.title = bar ? this.tooltip(bar) : "";
        this.canvas.style.cursor = bar ? "pointer" : "default";
      }
    });
    window.addEventListener("pointerup", (event) => {
      if (drag && !drag.moved && event.target === this.canvas) {
        const bar = this.barAt(event);
        if (bar) select(data.nodes[bar[0]].path);
      }
      drag = null;
    });
  },

  get width() { return Math.max(50, this.holder.clientWidth - 2 * MARGIN); },
  x(seconds) { return MARGIN + (seconds - this.from) / (this.to - this.from) * this.width; },
  position(event) { const box = this.canvas.getBoundingClientRect(); return { x: event.clientX - box.left, y: event.clientY - box.top }; },

  view(from, to) {
    const total = data.seconds || 1;
    const shortest = Math.max(total / 1e6, 1e-6);
    const length = Math.min(total, Math.max(shortest, to - from));
    this.from = Math.max(0, Math.min(total - length, from));
    this.to = this.from + length;
    this.redraw();
  },
  pan(share) { const offset = share * (this.to - this.from); this.view(this.from + offset, this.to + offset); },
  zoom(factor, x = null) {
    const share = x == null ? 0.5 : Math.max(0, Math.min(1, (x - MARGIN) / this.width));
    const middle = this.from + share * (this.to - this.from);
    const length = Math.min(data.seconds || 1, (this.to - this.from) * factor);
    this.view(middle - share * length, middle + (1 - share) * length);
  },

  tooltip(bar) {
    const [index, kind, start, end, , attempt, failed] = bar;
    const state = failed ? "failed or cancelled" : kind;
    const attempts = attempt > 1 ? `, attempt ${attempt}` : "";
    return `${oneLine(data.nodes[index].path)}\n${state}${attempts}: ${formatDuration(end - start)}, from ${formatDuration(start)} to ${formatDuration(end)}`;
  },

  /** The index of the first bar of a row that ends after a time, by binary search. */
  firstAfter(bars, seconds) {
    let low = 0, high = bars.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (bars[middle][3] < seconds) low = middle + 1; else high = middle;
    }
    return low;
  },

  barAt(event) {
    const { x, y } = this.position(event);
    if (y < AXIS_HEIGHT) return null;
    const offset = y + this.holder.scrollTop;
    for (const { rows, top } of this.layout) {
      const bars = rows[Math.floor((offset - top - HEADING_HEIGHT) / ROW_HEIGHT)];
      if (!bars || offset < top + HEADING_HEIGHT) continue;
      const seconds = this.from + (x - MARGIN) / this.width * (this.to - this.from);
      const tolerance = 3 / this.width * (this.to - this.from);
      const bar = bars[this.firstAfter(bars, seconds - tolerance)];
      return bar && bar[2] <= seconds + tolerance ? bar : null;
    }
    return null;
  },

  /** The bar of a node run and its y position; null if its lane is hidden, or it has none. */
  locate(path) {
    if (!this.barOf) {
      this.barOf = new Map();
      for (const lane of data.lanes) {
        for (const bar of lane.bars) {
          if (bar[1] === "running" || !this.barOf.has(bar[0])) this.barOf.set(bar[0], { bar, lane });
        }
      }
    }
    const found = this.barOf.get(indexOf.get(path));
    const shownLane = found && this.layout.find(({ lane }) => lane === found.lane);
    return shownLane ? { bar: found.bar, y: shownLane.top + HEADING_HEIGHT + found.bar[4] * ROW_HEIGHT } : null;
  },

  reveal(path) {
    const place = this.locate(path);
    if (!place) return;
    const [, , start, end] = place.bar;
    if (start > this.to || end < this.from) this.view((start + end - this.to + this.from) / 2, (start + end + this.to - this.from) / 2);
    const top = this.holder.scrollTop;
    if (place.y < top + AXIS_HEIGHT || place.y + ROW_HEIGHT > top + this.holder.clientHeight) this.holder.scrollTop = place.y - this.holder.clientHeight / 2;
  },

  viewSelected() {
    const place = selection.path && this.locate(selection.path);
    if (!place) return;
    const [, , start, end] = place.bar;
    const padding = Math.max((end - start) * 0.5, (data.seconds || 1) / 5000);
    this.view(start - padding, end + padding);
    this.reveal(selection.path);
  },

  /** Select the previous or next node run, in the order of lanes and starts. */
  step(offset) {
    const order = this.order ??= this.layout.flatMap(({ lane }) => [...new Set(lane.bars.map((bar) => bar[0]))]);
    if (!order.length) return;
    const current = order.indexOf(indexOf.get(selection.path));
    select(data.nodes[order[Math.max(0, Math.min(order.length - 1, current + offset))]].path);
  },

  palette() {
    if (this.colors) return this.colors;
    const style = getComputedStyle(document.documentElement);
    const get = (name) => style.getPropertyValue(`--${name}`).trim();
    const pattern = (paint, size) => {
      const tile = document.createElement("canvas");
      tile.width = tile.height = size;
      paint(tile.getContext("2d"));
      return this.context.createPattern(tile, "repeat");
    };
    const waiting = pattern((c) => {
      c.fillStyle = get("waiting"); c.fillRect(0, 0, 5, 5);
      c.fillStyle = get("waiting-line"); c.fillRect(2, 2, 1.4, 1.4);
    }, 5);
    const retrying = pattern((c) => {
      c.fillStyle = get("retrying"); c.fillRect(0, 0, 6, 6);
      c.strokeStyle = get("retrying-line"); c.lineWidth = 1.2;
      c.beginPath(); c.moveTo(-1, 1); c.lineTo(1, -1); c.moveTo(0, 6); c.lineTo(6, 0); c.moveTo(5, 7); c.lineTo(7, 5); c.stroke();
    }, 6);
    this.colors = {
      text: get("text"), muted: get("muted"), line: get("line"), panel: get("panel"), accent: get("accent"), critical: get("critical"),
      fill: { waiting, retrying, running: get("running"), failed: get("failed") },
      edge: { waiting: get("waiting-line"), retrying: get("retrying-line"), running: get("running-line"), failed: get("failed-line") },
    };
    return this.colors;
  },

  draw() {
    const width = this.holder.clientWidth, height = Math.min(this.holder.clientHeight, this.height);
    if (!width) return;
    const scale = devicePixelRatio || 1;
    if (this.canvas.width !== Math.round(width * scale) || this.canvas.height !== Math.round(height * scale)) {
      this.canvas.width = Math.round(width * scale);
      this.canvas.height = Math.round(height * scale);
      this.canvas.style.width = `${width}px`;
      this.canvas.style.height = `${height}px`;
    }
    const c = this.context, colors = this.palette(), scrolled = this.holder.scrollTop;
    c.setTransform(scale, 0, 0, scale, 0, 0);
    c.clearRect(0, 0, width, height);
    c.font = "11px " + getComputedStyle(document.body).fontFamily;
    c.textBaseline = "middle";
    Object.assign(this.holder.dataset, { from: this.from, to: this.to });
    const ticks = this.ticks();
    c.strokeStyle = colors.line;
    c.lineWidth = 1;
    for (const tick of ticks) {
      const x = Math.round(this.x(tick)) + 0.5;
      c.beginPath(); c.moveTo(x, AXIS_HEIGHT - 6); c.lineTo(x, height); c.stroke();
    }
    for (const { lane, rows, top } of this.layout) {
      const y = top - scrolled;
      if (y > height || y + HEADING_HEIGHT + rows.length * ROW_HEIGHT < 0) continue;
      c.fillStyle = colors.text;
      c.font = c.font.replace("11px", "600 12px");
      const name = oneLine(lane.name, 80);
      c.fillText(name, MARGIN, y + 13);
      const end = MARGIN + c.measureText(name).width;
      c.font = c.font.replace("600 12px", "11px");
      c.fillStyle = colors.muted;
      c.fillText(lane.summary, end + 12, y + 13);
      const first = Math.max(0, Math.floor((AXIS_HEIGHT - y - HEADING_HEIGHT) / ROW_HEIGHT)), last = Math.min(rows.length, Math.ceil((height - y - HEADING_HEIGHT) / ROW_HEIGHT));
      for (let row = first; row < last; row++) this.drawRow(c, colors, rows[row], y + HEADING_HEIGHT + row * ROW_HEIGHT, width);
    }
    c.fillStyle = colors.panel;
    c.fillRect(0, 0, width, AXIS_HEIGHT - 4);
    c.strokeStyle = colors.line;
    c.beginPath(); c.moveTo(0, AXIS_HEIGHT - 4.5); c.lineTo(width, AXIS_HEIGHT - 4.5); c.stroke();
    c.fillStyle = colors.muted;
    for (const tick of ticks) {
      const label = this.formatTime(tick), half = c.measureText(label).width / 2;
      c.fillText(label, Math.max(MARGIN - 4, Math.min(width - 2 * half - 4, this.x(tick) - half)), 11);
    }
  },

  drawRow(c, colors, bars, y, viewWidth) {
    let labelled = -1, free = -Infinity;
    for (let at = this.firstAfter(bars, this.from); at < bars.length; at++) {
      const [index, kind, start, end, , , failed] = bars[at];
      if (start > this.to) break;
      const x = Math.max(-4, this.x(start)), right = Math.min(viewWidth + 4, this.x(end)), width = Math.max(1.5, right - x);
      const style = failed ? "failed" : kind, path = data.nodes[index].path;
      c.globalAlpha = search.nodes && !search.nodes.has(index) ? 0.25 : 1;
      c.fillStyle = colors.fill[style];
      c.strokeStyle = colors.edge[style];
      c.lineWidth = 1;
      if (width < 4) {
        c.fillStyle = colors.edge[style];
        c.fillRect(x, y + 3, width, BAR_HEIGHT);
      } else if (width < 12) { // there are many of these, and rounded corners are slow
        c.fillStyle = colors.edge[style];
        c.fillRect(x, y + 3, width, BAR_HEIGHT);
        c.fillStyle = colors.fill[style];
        c.fillRect(x + 1, y + 4, width - 2, BAR_HEIGHT - 2);
      } else {
        c.beginPath(); c.roundRect(x + 0.5, y + 3.5, width - 1, BAR_HEIGHT - 1, 2); c.fill(); c.stroke();
        if (failed && width > 16) { c.fillStyle = colors.edge.failed; c.fillText("✕", right - 12, y + 10.5); }
      }
      if (kind === "running" && critical.has(path)) { c.fillStyle = colors.critical; c.fillRect(x, y + BAR_HEIGHT + 1.5, width, 2.5); }
      const next = bars[at + 1], continues = next && next[0] === index;
      if (path === selection.path && !continues) {
        let first = at;
        while (first && bars[first - 1][0] === index) first--;
        const from = Math.max(-4, this.x(bars[first][2]));
        c.strokeStyle = colors.accent;
        c.lineWidth = 2;
        c.strokeRect(from - 1.5, y + 1.5, Math.max(1.5, right - from) + 3, BAR_HEIGHT + 3);
      }
      const work = kind === "running" || !continues;
      if (work && labelled !== index) {
        const limit = next ? Math.min(viewWidth, this.x(next[2])) : viewWidth;
        const left = Math.max(x, 0);
        const inside = right - left - (failed ? 22 : 8), after = continues ? 0 : limit - right - 10;
        if (Math.max(inside, after) > 20) {
          const name = oneLine(path, 120), size = c.measureText(name).width;
          c.fillStyle = colors.text;
          if (size <= inside) { c.fillText(name, left + 4, y + 10.5); labelled = index; }
          else if (size <= after && right + 5 > free) { c.fillText(name, right + 5, y + 10.5); labelled = index; free = right + 5 + size; }
          else if (inside > 60 && !continues) { c.fillText(this.truncateMiddle(c, name, inside), left + 4, y + 10.5); labelled = index; }
          else if (after > 60) { c.fillText(this.truncateMiddle(c, name, after), right + 5, y + 10.5); labelled = index; }
        }
      }
      if (!continues && labelled !== index) { // no space inside or after the bar: label it on the left
        let first = at;
        while (first && bars[first - 1][0] === index) first--;
        const from = this.x(bars[first][2]);
        const space = from - Math.max(0, free, first ? this.x(bars[first - 1][3]) : 0) - 10;
        if (space > 40) {
          const name = oneLine(path, 120), size = c.measureText(name).width;
          c.fillStyle = colors.text;
          const cut = size <= space ? name : this.truncateMiddle(c, name, space);
          c.fillText(cut, from - 5 - c.measureText(cut).width, y + 10.5);
          labelled = index;
        }
      }
      c.globalAlpha = 1;
    }
  },

  truncateMiddle(c, name, space) {
    const letters = Math.max(3, Math.floor(space / (c.measureText(name).width / name.length)) - 1);
    const half = Math.max(1, Math.floor(letters / 2));
    return `${name.slice(0, half)}…${name.slice(-half)}`;
  },

  ticks() {
    const maxTicks = Math.max(2, Math.floor(this.width / 110)), length = this.to - this.from;
    let step = length / maxTicks;
    if (step <= 30) {
      const power = 10 ** Math.floor(Math.log10(step));
      step = [1, 2, 5, 10].map((n) => n * power).find((n) => n >= step * 0.9999);
    }
    if (step > 20) step = [30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200].find((n) => n >= step) || Math.ceil(step / 86400) * 86400;
    const ticks = [];
    for (let n = Math.ceil(this.from / step - 1e-9); n * step <= this.to + step * 1e-6; n++) ticks.push(n * step);
    return ticks;
  },

  formatTime(seconds) {
    const rounded = (number) => String(Number(number.toPrecision(7)));
    if (seconds > 0 && this.to - this.from < 1 && seconds < 10) return `${rounded(seconds * 1000)} ms`;
    if (seconds < 60 || this.to - this.from < 5) return `${rounded(seconds)} s`;
    const whole = Math.round(seconds), hours = Math.floor(whole / 3600), minutes = Math.floor((whole % 3600) / 60), rest = whole % 60;
    return [hours && `${hours} h`, minutes && `${minutes} min`, rest && `${rest} s`].filter(Boolean).join(" ");
  },
};
