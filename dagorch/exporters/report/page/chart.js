// The timeline, drawn on a canvas of the size of its window: only what is in sight is drawn.

const LINE = 20, BAR = 14, HEAD = 24, AXIS = 26, EDGE = 10;

const chart = {
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
    this.redraw = soon(() => this.draw());
    this.lay();
    const all = [];
    data.lanes.forEach((lane, at) => {
      const button = el("button", { type: "button", "aria-pressed": "true" }, line(lane.name, 60));
      button.addEventListener("click", () => {
        if (!this.hidden.delete(at)) this.hidden.add(at);
        button.setAttribute("aria-pressed", String(!this.hidden.has(at)));
        this.lay();
        this.redraw();
      });
      if (data.lanes.length > 1) all.push(button);
    });
    $("lanes").append(...all);
    this.listen();
    selection.told.push((path) => { this.reveal(path); this.redraw(); });
    search.told.push(this.redraw);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => { this.colours = null; this.redraw(); });
    new ResizeObserver(() => this.redraw()).observe(this.holder);
    this.draw();
  },

  /** Give each lane that is shown its place from the top. */
  lay() {
    let y = AXIS;
    this.layout = [];
    this.order = null;
    data.lanes.forEach((lane, at) => {
      if (this.hidden.has(at)) return;
      this.layout.push({ lane, rows: this.rows[at], top: y });
      y += HEAD + lane.rows * LINE + 6;
    });
    this.height = y + 4;
    $("chart-size").style.height = `${this.height}px`;
  },

  listen() {
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
        zoom(Math.exp(Math.max(-60, Math.min(60, event.deltaY)) * 0.006), this.within(event).x);
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
    let dragged = null;
    this.canvas.addEventListener("pointerdown", (event) => { dragged = { x: event.clientX, moved: false }; });
    window.addEventListener("pointermove", (event) => {
      if (dragged) {
        const by = dragged.x - event.clientX;
        if (!dragged.moved && Math.abs(by) < 4) return;
        dragged = { x: event.clientX, moved: true };
        this.pan(by / this.width);
      } else if (event.target === this.canvas) {
        const bar = this.at(event);
        this.canvas.title = bar ? this.told(bar) : "";
        this.canvas.style.cursor = bar ? "pointer" : "default";
      }
    });
    window.addEventListener("pointerup", (event) => {
      if (dragged && !dragged.moved && event.target === this.canvas) {
        const bar = this.at(event);
        if (bar) select(data.nodes[bar[0]].path);
      }
      dragged = null;
    });
  },

  get width() { return Math.max(50, this.holder.clientWidth - 2 * EDGE); },
  x(seconds) { return EDGE + (seconds - this.from) / (this.to - this.from) * this.width; },
  within(event) { const box = this.canvas.getBoundingClientRect(); return { x: event.clientX - box.left, y: event.clientY - box.top }; },

  view(from, to) {
    const whole = data.seconds || 1;
    const least = Math.max(whole / 1e6, 1e-6);
    const span = Math.min(whole, Math.max(least, to - from));
    this.from = Math.max(0, Math.min(whole - span, from));
    this.to = this.from + span;
    this.redraw();
  },
  pan(share) { const by = share * (this.to - this.from); this.view(this.from + by, this.to + by); },
  zoom(factor, x = null) {
    const part = x == null ? 0.5 : Math.max(0, Math.min(1, (x - EDGE) / this.width));
    const middle = this.from + part * (this.to - this.from);
    const span = Math.min(data.seconds || 1, (this.to - this.from) * factor);
    this.view(middle - part * span, middle + (1 - part) * span);
  },

  told(bar) {
    const [index, kind, start, end, , attempt, failed] = bar;
    const word = failed ? "failed or cancelled" : kind;
    const tries = attempt > 1 ? `, attempt ${attempt}` : "";
    return `${line(data.nodes[index].path)}\n${word}${tries}: ${duration(end - start)}, from ${duration(start)} to ${duration(end)}`;
  },

  /** The first bar of a row that ends after a moment, by halving. */
  firstAfter(bars, seconds) {
    let low = 0, high = bars.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (bars[middle][3] < seconds) low = middle + 1; else high = middle;
    }
    return low;
  },

  at(event) {
    const { x, y } = this.within(event);
    if (y < AXIS) return null;
    const down = y + this.holder.scrollTop;
    for (const { rows, top } of this.layout) {
      const bars = rows[Math.floor((down - top - HEAD) / LINE)];
      if (!bars || down < top + HEAD) continue;
      const seconds = this.from + (x - EDGE) / this.width * (this.to - this.from);
      const near = 3 / this.width * (this.to - this.from);
      const bar = bars[this.firstAfter(bars, seconds - near)];
      return bar && bar[2] <= seconds + near ? bar : null;
    }
    return null;
  },

  /** Where the work of a node run is; null if its lane is hidden, or it has none. */
  placeOf(path) {
    if (!this.places) {
      this.places = new Map();
      for (const lane of data.lanes) {
        for (const bar of lane.bars) {
          if (bar[1] === "running" || !this.places.has(bar[0])) this.places.set(bar[0], { bar, lane });
        }
      }
    }
    const place = this.places.get(indexOf.get(path));
    const shown = place && this.layout.find(({ lane }) => lane === place.lane);
    return shown ? { bar: place.bar, y: shown.top + HEAD + place.bar[4] * LINE } : null;
  },

  reveal(path) {
    const place = this.placeOf(path);
    if (!place) return;
    const [, , start, end] = place.bar;
    if (start > this.to || end < this.from) this.view((start + end - this.to + this.from) / 2, (start + end + this.to - this.from) / 2);
    const top = this.holder.scrollTop;
    if (place.y < top + AXIS || place.y + LINE > top + this.holder.clientHeight) this.holder.scrollTop = place.y - this.holder.clientHeight / 2;
  },

  viewSelected() {
    const place = selection.path && this.placeOf(selection.path);
    if (!place) return;
    const [, , start, end] = place.bar;
    const room = Math.max((end - start) * 0.5, (data.seconds || 1) / 5000);
    this.view(start - room, end + room);
    this.reveal(selection.path);
  },

  /** Select the node run before or behind the selected one, in the order of lanes and starts. */
  step(by) {
    const order = this.order ??= this.layout.flatMap(({ lane }) => [...new Set(lane.bars.map((bar) => bar[0]))]);
    if (!order.length) return;
    const at = order.indexOf(indexOf.get(selection.path));
    select(data.nodes[order[Math.max(0, Math.min(order.length - 1, at + by))]].path);
  },

  palette() {
    if (this.colours) return this.colours;
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
    this.colours = {
      text: get("text"), muted: get("muted"), line: get("line"), panel: get("panel"), accent: get("accent"), critical: get("critical"),
      fill: { waiting, retrying, running: get("running"), failed: get("failed") },
      edge: { waiting: get("waiting-line"), retrying: get("retrying-line"), running: get("running-line"), failed: get("failed-line") },
    };
    return this.colours;
  },

  draw() {
    const wide = this.holder.clientWidth, high = Math.min(this.holder.clientHeight, this.height);
    if (!wide) return;
    const scale = devicePixelRatio || 1;
    if (this.canvas.width !== Math.round(wide * scale) || this.canvas.height !== Math.round(high * scale)) {
      this.canvas.width = Math.round(wide * scale);
      this.canvas.height = Math.round(high * scale);
      this.canvas.style.width = `${wide}px`;
      this.canvas.style.height = `${high}px`;
    }
    const c = this.context, colours = this.palette(), scrolled = this.holder.scrollTop;
    c.setTransform(scale, 0, 0, scale, 0, 0);
    c.clearRect(0, 0, wide, high);
    c.font = "11px " + getComputedStyle(document.body).fontFamily;
    c.textBaseline = "middle";
    Object.assign(this.holder.dataset, { from: this.from, to: this.to });
    const moments = this.moments();
    c.strokeStyle = colours.line;
    c.lineWidth = 1;
    for (const moment of moments) {
      const x = Math.round(this.x(moment)) + 0.5;
      c.beginPath(); c.moveTo(x, AXIS - 6); c.lineTo(x, high); c.stroke();
    }
    for (const { lane, rows, top } of this.layout) {
      const y = top - scrolled;
      if (y > high || y + HEAD + rows.length * LINE < 0) continue;
      c.fillStyle = colours.text;
      c.font = c.font.replace("11px", "600 12px");
      const name = line(lane.name, 80);
      c.fillText(name, EDGE, y + 13);
      const end = EDGE + c.measureText(name).width;
      c.font = c.font.replace("600 12px", "11px");
      c.fillStyle = colours.muted;
      c.fillText(lane.about, end + 12, y + 13);
      const first = Math.max(0, Math.floor((AXIS - y - HEAD) / LINE)), last = Math.min(rows.length, Math.ceil((high - y - HEAD) / LINE));
      for (let row = first; row < last; row++) this.row(c, colours, rows[row], y + HEAD + row * LINE, wide);
    }
    c.fillStyle = colours.panel;
    c.fillRect(0, 0, wide, AXIS - 4);
    c.strokeStyle = colours.line;
    c.beginPath(); c.moveTo(0, AXIS - 4.5); c.lineTo(wide, AXIS - 4.5); c.stroke();
    c.fillStyle = colours.muted;
    for (const moment of moments) {
      const words = this.clock(moment), half = c.measureText(words).width / 2;
      c.fillText(words, Math.max(EDGE - 4, Math.min(wide - 2 * half - 4, this.x(moment) - half)), 11);
    }
  },

  row(c, colours, bars, y, wide) {
    let told = -1, free = -Infinity;
    for (let at = this.firstAfter(bars, this.from); at < bars.length; at++) {
      const [index, kind, start, end, , , failed] = bars[at];
      if (start > this.to) break;
      const x = Math.max(-4, this.x(start)), right = Math.min(wide + 4, this.x(end)), width = Math.max(1.5, right - x);
      const what = failed ? "failed" : kind, path = data.nodes[index].path;
      c.globalAlpha = search.nodes && !search.nodes.has(index) ? 0.25 : 1;
      c.fillStyle = colours.fill[what];
      c.strokeStyle = colours.edge[what];
      c.lineWidth = 1;
      if (width < 4) {
        c.fillStyle = colours.edge[what];
        c.fillRect(x, y + 3, width, BAR);
      } else if (width < 12) { // many of these are drawn, and corners take time
        c.fillStyle = colours.edge[what];
        c.fillRect(x, y + 3, width, BAR);
        c.fillStyle = colours.fill[what];
        c.fillRect(x + 1, y + 4, width - 2, BAR - 2);
      } else {
        c.beginPath(); c.roundRect(x + 0.5, y + 3.5, width - 1, BAR - 1, 2); c.fill(); c.stroke();
        if (failed && width > 16) { c.fillStyle = colours.edge.failed; c.fillText("✕", right - 12, y + 10.5); }
      }
      if (kind === "running" && critical.has(path)) { c.fillStyle = colours.critical; c.fillRect(x, y + BAR + 1.5, width, 2.5); }
      const next = bars[at + 1], mine = next && next[0] === index;
      if (path === selection.path && !mine) {
        let first = at;
        while (first && bars[first - 1][0] === index) first--;
        const from = Math.max(-4, this.x(bars[first][2]));
        c.strokeStyle = colours.accent;
        c.lineWidth = 2;
        c.strokeRect(from - 1.5, y + 1.5, Math.max(1.5, right - from) + 3, BAR + 3);
      }
      const work = kind === "running" || !mine;
      if (work && told !== index) {
        const limit = next ? Math.min(wide, this.x(next[2])) : wide;
        const left = Math.max(x, 0);
        const inside = right - left - (failed ? 22 : 8), behind = mine ? 0 : limit - right - 10;
        if (Math.max(inside, behind) > 20) {
          const name = line(path, 120), size = c.measureText(name).width;
          c.fillStyle = colours.text;
          if (size <= inside) { c.fillText(name, left + 4, y + 10.5); told = index; }
          else if (size <= behind && right + 5 > free) { c.fillText(name, right + 5, y + 10.5); told = index; free = right + 5 + size; }
          else if (inside > 60 && !mine) { c.fillText(this.cut(c, name, inside), left + 4, y + 10.5); told = index; }
          else if (behind > 60) { c.fillText(this.cut(c, name, behind), right + 5, y + 10.5); told = index; }
        }
      }
      if (!mine && told !== index) { // there was no room in it or behind it
        let first = at;
        while (first && bars[first - 1][0] === index) first--;
        const from = this.x(bars[first][2]);
        const room = from - Math.max(0, free, first ? this.x(bars[first - 1][3]) : 0) - 10;
        if (room > 40) {
          const name = line(path, 120), size = c.measureText(name).width;
          c.fillStyle = colours.text;
          const cut = size <= room ? name : this.cut(c, name, room);
          c.fillText(cut, from - 5 - c.measureText(cut).width, y + 10.5);
          told = index;
        }
      }
      c.globalAlpha = 1;
    }
  },

  cut(c, name, room) {
    const letters = Math.max(3, Math.floor(room / (c.measureText(name).width / name.length)) - 1);
    const half = Math.max(1, Math.floor(letters / 2));
    return `${name.slice(0, half)}…${name.slice(-half)}`;
  },

  moments() {
    const most = Math.max(2, Math.floor(this.width / 110)), span = this.to - this.from;
    let step = span / most;
    if (step <= 30) {
      const power = 10 ** Math.floor(Math.log10(step));
      step = [1, 2, 5, 10].map((n) => n * power).find((n) => n >= step * 0.9999);
    }
    if (step > 20) step = [30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200].find((n) => n >= step) || Math.ceil(step / 86400) * 86400;
    const found = [];
    for (let n = Math.ceil(this.from / step - 1e-9); n * step <= this.to + step * 1e-6; n++) found.push(n * step);
    return found;
  },

  clock(seconds) {
    const tidy = (number) => String(Number(number.toPrecision(7)));
    if (seconds > 0 && this.to - this.from < 1 && seconds < 10) return `${tidy(seconds * 1000)} ms`;
    if (seconds < 60 || this.to - this.from < 5) return `${tidy(seconds)} s`;
    const whole = Math.round(seconds), hours = Math.floor(whole / 3600), minutes = Math.floor((whole % 3600) / 60), rest = whole % 60;
    return [hours && `${hours} h`, minutes && `${minutes} min`, rest && `${rest} s`].filter(Boolean).join(" ");
  },
};
