"use strict";
// The page reads without this script. It adds the timeline, and buttons that copy commands.
(() => {
  const byId = (id) => document.getElementById(id);

  // ---- copying ----

  const copy = async (text) => {
    if (navigator.clipboard && window.isSecureContext) {
      return navigator.clipboard.writeText(text);
    }
    const area = document.createElement("textarea");
    area.value = text;
    document.body.append(area);
    area.select();
    const done = document.execCommand("copy");
    area.remove();
    if (!done) throw new Error("not copied");
  };
  for (const button of document.querySelectorAll(".copy")) {
    const text = button.previousElementSibling.textContent;
    button.hidden = false;
    button.setAttribute("aria-label", `Copy ${text}`);
    button.addEventListener("click", async () => {
      try {
        await copy(text);
        button.textContent = "Copied";
      } catch {
        getSelection().selectAllChildren(button.previousElementSibling);
        button.textContent = "Press Ctrl+C";
      }
      setTimeout(() => { button.textContent = "Copy"; }, 2000);
    });
  }

  // ---- the timeline ----

  const data = byId("chart-data");
  if (!data) return;
  const place = byId("chart");
  const readout = byId("readout");
  const spec = JSON.parse(data.textContent);
  const points = spec.datasets.points;

  const goTo = (id) => {
    const row = byId(id);
    if (!row) return;
    for (let part = row.closest("details"); part; part = part.parentElement.closest("details")) part.open = true;
    for (const other of document.querySelectorAll(".found")) other.classList.remove("found");
    row.classList.add("found");
    row.scrollIntoView({ block: "center" });
    row.focus({ preventScroll: true });
  };

  const utc = (ms) => {
    const time = new Date(ms);
    return isNaN(time) ? "" : time.toISOString().replace("T", " ").replace(".000Z", "Z");
  };
  const tell = (point) => {
    const text = document.createElement("code");
    text.textContent = point.x;
    readout.replaceChildren(`${utc(point.t)} · ${point.p}`, text);
    if (!point.r) {
      readout.append(" This entry is not among those listed in the page; the JSON report has it.");
      return;
    }
    const link = document.createElement("a");
    link.href = `#${point.r}`;
    link.textContent = "Show the line";
    link.addEventListener("click", (event) => { event.preventDefault(); goTo(point.r); });
    text.before(link);
  };

  const refuse = () => Promise.reject(new Error("this page loads nothing"));
  const runtime = vega.parse(vegaLite.compile(spec).spec, null, { ast: true });
  const view = new vega.View(runtime, {
    expr: vegaInterpreter.expressionInterpreter,
    loader: { load: refuse, sanitize: refuse, http: refuse, file: refuse },
    renderer: "svg",
    logLevel: vega.Warn,
    hover: false,
    tooltip: () => {},
  });
  view.description(place.getAttribute("aria-label"));
  place.replaceChildren();
  view.initialize(place).run();
  const shown = () => view.scale("x").domain().map(Number);
  const whole = shown();
  byId("tools").hidden = false;
  readout.hidden = false;
  readout.textContent = "Point at an entry, or step through them.";

  const show = (from, to) => view.signal("view_t", [from, to]).runAsync();
  const zoom = (factor, middle) => {
    const [from, to] = shown();
    const at = middle ?? (from + to) / 2;
    const half = Math.max((to - from) * factor, 1000) / 2;
    return show(at - half, at + half);
  };
  const inTime = [...points].sort((one, other) => one.t - other.t || one.i - other.i);
  let current = -1; // its place in time
  const pick = (point) => {
    current = inTime.indexOf(points[point.i]);
    view.data("picked", [point]);
    tell(point);
    const [from, to] = shown();
    if (point.t < from || point.t > to) return zoom(1, point.t);
    return view.runAsync();
  };
  const step = (by) => {
    if (points.length) pick(inTime[(current + by + points.length) % points.length]);
  };
  const does = {
    in: () => zoom(0.5, current < 0 ? undefined : inTime[current].t),
    out: () => zoom(2),
    all: () => show(...whole),
    previous: () => step(current < 0 ? 0 : -1),
    next: () => step(1),
  };
  byId("tools").addEventListener("click", (event) => does[event.target.dataset.do]?.());

  const isPoint = (item) => item && item.datum && item.datum.x !== undefined && item.datum.i !== undefined;
  view.addEventListener("mousemove", (event, item) => { if (isPoint(item)) tell(item.datum); });
  view.addEventListener("click", (event, item) => {
    if (!isPoint(item)) return;
    pick(item.datum);
    if (item.datum.r) goTo(item.datum.r);
  });
})();
