"use strict";
// The page: one event stream in, text and charts out. Whatever comes from events is only ever set as textContent.

const at = (id) => document.getElementById(id);
const say = (id, text) => { const element = at(id); if (element.textContent !== text) element.textContent = text; };
const percent = (ratio, digits = 0) => (finite(ratio) ? `${(100 * ratio).toFixed(digits)}%`.replace("-", "−") : "–");
const signed = (ratio) => (finite(ratio) ? `${ratio > 0 ? "+" : ""}${percent(ratio)}` : "–");
const whole = (number) => (finite(number) ? Math.round(number).toLocaleString("en-US") : "–");
const compact = (number) => (finite(number) && number >= 1e5 ? Intl.NumberFormat("en-US", { notation: "compact", maximumFractionDigits: 1 }).format(number) : whole(number));
const bytes = (number) => (number >= 2 ** 30 ? `${(number / 2 ** 30).toFixed(1)} GiB` : `${Math.round(number / 2 ** 20)} MiB`);

// -- what is looked at, kept in the address so that a reload and a link find it again --------------------------------

const address = new URLSearchParams(location.hash.slice(1));
const look = {
  key: address.get("series"),
  partition: Number(address.get("partition") || 0),
  target: Number(address.get("target") || 0),
  points: Number(address.get("points") || 240),
  search: "",
  time: Date.parse(address.get("time") || "") / 1000,  // NaN: the newest
};
const remember = () => {
  const kept = new URLSearchParams();
  if (look.key !== null) { kept.set("series", look.key); kept.set("partition", look.partition); }
  if (look.target) kept.set("target", look.target);
  if (look.points !== 240) kept.set("points", look.points);
  if (finite(look.time)) kept.set("time", new Date(look.time * 1000).toISOString());
  history.replaceState(null, "", `#${kept}`);
};

// -- charts ------------------------------------------------------------------------------------------------------------

const charts = {
  main: new Chart(at("chart"), mainOptions),
  skill: new Chart(at("skill-chart"), ratioOptions("good", (plot, low, high) => [Math.max(-1, Math.min(-0.1, finite(low) ? low - 0.05 : 0)), Math.max(0.3, Math.min(1, finite(high) ? high + 0.05 : 1))])),
  coverage: new Chart(at("coverage-chart"), ratioOptions("expected", (plot, low) => [Math.min(0.7, finite(low) ? Math.max(0, low - 0.03) : 0.7), 1])),
  experts: new Chart(at("experts-chart"), expertOptions),
};

// -- frames: the newest waits for the next repaint, older ones are never drawn ----------------------------------------

const waiting = {};
let painting = false;
let paused = false;  // frames still come, so that the newest is there when it goes on
let frames = 0;
const paint = () => {
  painting = false;
  frames += 1;
  document.documentElement.dataset.frames = frames;
  const { overview, chart } = waiting;
  delete waiting.overview;
  delete waiting.chart;
  if (overview) showOverview(overview);
  if (chart) showChart(chart);
};
const take = (name, frame) => {
  waiting[name] = frame;
  if (!painting && !paused) { painting = true; requestAnimationFrame(paint); }
};

// -- header and list -----------------------------------------------------------------------------------------------------

let live = false;
const showStatus = (state, text) => {
  at("status").dataset.state = state;
  say("status-text", text);
};

const showOverview = (frame) => {
  skew = frame.now - Date.now() / 1000;
  say("rate", whole(frame.rate));
  say("events", compact(frame.events));
  say("lag", compact(frame.lag));
  const ready = frame.partitions.filter((partition) => partition.phase === "ready").length;
  say("partitions", ready === frame.partitions.length ? `${ready}` : `${ready} of ${frame.partitions.length}`);
  say("anomalies", compact(frame.anomalies));
  say("dead-letters", compact(frame.dead_letters));
  say("updates", compact(frame.updates));
  at("updates").title = `${whole(frame.updates_skipped)} skipped, ${whole(frame.drift_alarms)} changes of regime`;
  say("restarts", whole(frame.restarts));
  say("memory", bytes(frame.memory));
  say("dropped", frame.dropped ? `${whole(frame.dropped)} batches were not shown, to stay out of the pipeline's way.` : "");
  if (live) {
    const recovering = frame.partitions.find((partition) => partition.phase !== "ready");
    if (recovering) showStatus("waiting", recovering.phase === "replay" ? `replaying ${percent(recovering.progress)}` : "restoring");
    else if (!frame.ready) showStatus("trouble", frame.reasons[0] || "not ready");
    else showStatus("live", "live");
    at("status").title = frame.reasons.join("\n");
  }
  showSeries(frame.series);
  alertList.show(frame.alerts);
};

const alertList = new AlertList(at("alerts"), at("no-alerts"), (...chosen) => choose(...chosen));

const rows = new Map();  // identity -> { item, button, key, figure, path }
let order = [];
const identity = (series) => `${series.partition}/${series.key}`;

const newRow = (series) => {
  const item = document.createElement("li");
  const button = document.createElement("button");
  button.type = "button";
  const key = document.createElement("span");
  key.className = "key";
  key.textContent = series.key;
  key.title = series.key;
  const figure = document.createElement("span");
  figure.className = "figure";
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("viewBox", "0 0 100 24");
  svg.setAttribute("preserveAspectRatio", "none");
  svg.setAttribute("aria-hidden", "true");
  const path = document.createElementNS("http://www.w3.org/2000/svg", "path");
  svg.append(path);
  button.append(key, figure, svg);
  button.addEventListener("click", () => choose(series.key, series.partition));
  item.append(button);
  return { item, button, figure, path };
};

const sparkline = (values) => {
  const known = values.filter(finite);
  if (!known.length) return "";
  const low = Math.min(...known), room = Math.max(...known) - low || 1;
  let path = "", pen = "M";
  values.forEach((value, i) => {
    if (!finite(value)) { pen = "M"; return; }
    path += `${pen}${(100 * i / (values.length - 1)).toFixed(1)} ${(22 - 20 * (value - low) / room).toFixed(1)}`;
    pen = "L";
  });
  return path;
};

const showSeries = ({ total, matching, listed }) => {
  const list = at("series");
  say("matching", look.search ? `${whole(matching)} of ${whole(total)} series` : `${whole(total)} series${matching > listed.length ? `, the ${listed.length} that need attention first` : ""}`);
  const present = new Map(listed.map((series) => [identity(series), series]));
  for (const [name, row] of rows) if (!present.has(name)) { row.item.remove(); rows.delete(name); }
  for (const [name, series] of present) {
    if (!rows.has(name)) { rows.set(name, newRow(series)); list.append(rows.get(name).item); }
    const { button, figure, path } = rows.get(name);
    const alarmed = finite(series.anomaly_age) && series.anomaly_age < 8;
    const recent = finite(series.anomaly_age) && series.anomaly_age < 30;
    const text = recent ? (series.anomaly_age < 1.5 ? "anomaly now" : `anomaly ${Math.round(series.anomaly_age)} s ago`) : `skill ${signed(series.skill)}`;
    if (figure.textContent !== text) figure.textContent = text;
    button.dataset.alarm = alarmed;
    button.setAttribute("aria-current", series.key === look.key && series.partition === look.partition);
    path.setAttribute("d", sparkline(series.sparkline));
  }
  // Rows keep their places while somebody points at the list or is in it with the keyboard.
  const wanted = [...present.keys()];
  if (!list.matches(":hover") && !list.contains(document.activeElement) && wanted.join("\n") !== order.join("\n")) {
    list.append(...wanted.map((name) => rows.get(name).item));
    order = wanted;
  }
  if (look.key === null && listed.length) choose(listed[0].key, listed[0].partition);
};

at("series").addEventListener("keydown", (event) => {
  const step = { ArrowDown: 1, ArrowRight: 1, ArrowUp: -1, ArrowLeft: -1 }[event.key];
  const item = document.activeElement?.closest("li");
  if (!step || !item) return;
  event.preventDefault();
  (step > 0 ? item.nextElementSibling : item.previousElementSibling)?.querySelector("button").focus();
});

// -- the chosen series ---------------------------------------------------------------------------------------------------

const joined = (frame) => {
  const past = frame.times.length, future = frame.next.times.length;
  const pad = (count) => new Array(count).fill(null);
  // The next horizon starts where the present is, so that the dashed line hangs on to the solid one.
  const last = past ? frame.observed[past - 1] : null;
  const ahead = (values) => [...pad(Math.max(0, past - 1)), ...(past ? [last] : []), ...values];
  return [
    [...frame.times, ...frame.next.times],
    [...frame.observed, ...pad(future)],
    [...frame.expected, ...pad(future)],
    [...frame.lower, ...pad(future)],
    [...frame.upper, ...pad(future)],
    ahead(frame.next.mean),
    ahead(frame.next.lower),
    ahead(frame.next.upper),
    [...frame.expected_median, ...pad(future)],
    ahead(frame.next.median),
  ];
};

const reason = (mark) => {
  if (mark.channel) return mark.channel;
  if (!finite(mark.value) || !finite(mark.expected)) return "anomaly";
  return mark.value > mark.expected ? "above the forecast" : "below the forecast";
};

const line = (tag, ...texts) => {
  const element = document.createElement(tag);
  for (const [name, text, className] of texts) {
    const part = document.createElement(name);
    part.textContent = text;
    if (className) part.className = className;
    element.append(part);
  }
  return element;
};

let chosen = null;  // the frame that is shown
const showChart = (frame) => {
  if (frame.key !== look.key || frame.partition !== look.partition) return;  // of the series looked at before
  say("key", frame.key === "" ? "(no key)" : frame.key);
  document.title = `${frame.key} · streamrnn`;
  at("missing").hidden = !frame.missing;
  at("chart").hidden = Boolean(frame.missing);
  if (frame.missing) { at("missing").textContent = "No event of this series yet."; return; }

  chosen = frame;
  const last = frame.times.length - 1;
  const around = !finite(frame.time) ? "" : frame.forgotten ? `; ${moment(frame.time)} is before what this page remembers` : `; around ${moment(frame.time)}`;
  say("facts", `${whole(frame.events)} events, ${whole(frame.anomalies)} anomalous${around}`);
  at("newest").hidden = !finite(frame.time);
  say("observed", short(frame.observed[last]));
  say("expected", short(frame.expected[last]));
  say("expected-median", short(frame.expected_median[last]));
  say("interval", finite(frame.lower[last]) ? `${short(frame.lower[last])} to ${short(frame.upper[last])}` : "–");
  say("next", short(frame.next.mean[0]));
  say("in-view", whole(frame.marks.length));
  const injected = (frame.injected ?? []).filter((fault) => fault.ended >= frame.times[0] && fault.began <= frame.times[last]);
  at("injected").hidden = frame.injected === undefined;
  say("injected-in-view", injected.length ? injected.map((fault) => fault.kind).join(", ") : "none");
  charts.main.update(joined(frame), { marks: frame.marks, at: frame.time, injected });
  const seen = `${frame.marks.length} anomalies in view`;
  at("chart").setAttribute("aria-label", `${frame.key}: observed ${short(frame.observed[last])}, expected ${short(frame.expected[last])}, next ${short(frame.next.mean[0])}; ${seen}. The values are in the table below.`);
  at("chart").dataset.events = frame.events;
  at("chart").dataset.marks = frame.marks.length;

  const { learning } = frame;
  say("skill", signed(frame.skill));
  say("skill-note", finite(frame.mae) ? `error ${short(frame.mae)}, last value ${short(frame.persistence_mae)}` : "");
  say("coverage", percent(frame.coverage, 1));
  charts.skill.update([learning.times, learning.skill], { level: 0 });
  charts.coverage.update([learning.times, learning.coverage], { level: frame.level });
  showExperts(frame);
  showTargets(frame);
  showTables(frame);
};

const showExperts = (frame) => {
  const list = at("experts");
  const names = frame.expert_names;
  const known = Boolean(frame.experts) && frame.experts.weights.length > 0;
  at("experts-chart").hidden = !known;
  if (!known) {
    if (list.dataset.names !== "-") list.replaceChildren(Object.assign(document.createElement("span"), { className: "quiet", textContent: "recorded from now on" }));
    list.dataset.names = "-";
    return;
  }
  const { times, weights } = frame.experts;
  if (list.dataset.names !== names.join("\n")) {
    list.dataset.names = names.join("\n");
    list.replaceChildren(...weights.map((_, i) => {
      const item = line("li", ["span", names[i] ?? `expert ${i + 1}`], ["b", ""]);
      item.dataset.color = i % EXPERT_COLORS;
      return item;
    }));
  }
  weights.forEach((own, i) => { list.children[i].lastChild.textContent = percent(own[own.length - 1]); });
  const sums = weights.map((own) => own.slice());
  for (let i = 1; i < sums.length; i += 1) sums[i].forEach((value, j) => { sums[i][j] = value + sums[i - 1][j]; });
  charts.experts.update([times, ...sums.reverse()]);
};

const showTargets = (frame) => {
  at("target-label").hidden = frame.targets.length < 2;
  const select = at("target");
  if (select.dataset.names === frame.targets.join("\n")) return;
  select.dataset.names = frame.targets.join("\n");
  select.replaceChildren(...frame.targets.map((name, i) => new Option(name, i, false, i === look.target)));
};

let tables = "";
const showTables = (frame) => {
  // Once a second is enough for reading, and for a screen reader's patience.
  const due = `${Math.floor(performance.now() / 1000)} ${frame.key} ${frame.partition} ${frame.target} ${frame.anomalies}`;
  if (due === tables) return;
  tables = due;
  const marked = new Map(frame.marks.map((mark) => [mark.time, mark]));
  const items = [...frame.episodes].reverse().map((episode) => line("li",
    ["span", reason(episode), "why"],
    ["span", `${short(episode.value)} instead of ${short(episode.expected)}`, "score"],
    ["span", `${moment(episode.began)}${episode.events > 1 ? `, ${episode.events} events` : ""}`, "when"],
    ...injectedWords(episode.injected)));
  at("marks").replaceChildren(...items);
  at("no-marks").hidden = items.length > 0;
  const table = [];
  for (let i = frame.times.length - 1; i >= Math.max(0, frame.times.length - 8); i -= 1) {
    const mark = marked.get(frame.times[i]);
    const range = finite(frame.lower[i]) ? `${short(frame.lower[i])} to ${short(frame.upper[i])}` : "–";
    const row = line("tr", ["td", ""], ["td", short(frame.observed[i])], ["td", short(frame.expected[i])], ["td", short(frame.expected_median[i])], ["td", range], ["td", mark ? reason(mark) : ""]);
    const [day, time] = moment(frame.times[i]).split(" ");
    row.firstChild.append(line("span", ["span", `${day} `, "day"], ["span", time ?? ""]));
    row.dataset.anomaly = Boolean(mark);
    table.push(row);
  }
  at("values").replaceChildren(...table);
};

// -- the stream ----------------------------------------------------------------------------------------------------------

let source = null;
let heard = performance.now();
let boot = null;
let retry = 0;

const connect = () => {
  source?.close();
  clearTimeout(retry);
  const query = new URLSearchParams({ points: look.points, target: look.target, search: look.search });
  if (look.key !== null) { query.set("series", look.key); query.set("partition", look.partition); }
  if (finite(look.time)) query.set("time", look.time);
  source = new EventSource(`events?${query}`);
  heard = performance.now();
  const on = (name, handle) => source.addEventListener(name, (event) => {
    heard = performance.now();
    live = true;
    handle(JSON.parse(event.data));
  });
  on("hello", (hello) => {
    say("version", hello.version);
    document.documentElement.dataset.boot = hello.boot;
    if (boot !== null && boot !== hello.boot) { rows.clear(); at("series").replaceChildren(); order = []; }
    boot = hello.boot;
  });
  on("overview", (frame) => take("overview", frame));
  on("chart", (frame) => take("chart", frame));
  source.onerror = lost;
};

const lost = () => {
  live = false;
  showStatus("trouble", "reconnecting");
  // The browser tries again by itself only after some kinds of failure.
  if (source.readyState === EventSource.CLOSED) { clearTimeout(retry); retry = setTimeout(connect, 1000); }
};

setInterval(() => {
  if (!document.hidden && performance.now() - heard > 10000) { lost(); connect(); }
}, 2000);

// A page that nobody sees costs nothing.
document.addEventListener("visibilitychange", () => {
  if (document.hidden) source?.close();
  else connect();
});

// -- what a person does --------------------------------------------------------------------------------------------------

const choose = (key, partition, time = NaN) => {
  Object.assign(look, { key, partition, time });
  for (const [name, { button }] of rows) button.setAttribute("aria-current", name === `${partition}/${key}`);
  tables = "";
  remember();
  connect();
};

at("newest").addEventListener("click", () => choose(look.key, look.partition));
// A link to another alert, opened in a page that is there already.
window.addEventListener("hashchange", () => {
  const asked = new URLSearchParams(location.hash.slice(1));
  if (asked.get("series") !== null) choose(asked.get("series"), Number(asked.get("partition") || 0), Date.parse(asked.get("time") || "") / 1000);
});

let typing = 0;
at("search").addEventListener("input", () => {
  clearTimeout(typing);
  typing = setTimeout(() => { look.search = at("search").value; connect(); }, 200);
});

at("spans").addEventListener("click", (event) => {
  const { points } = event.target.dataset;
  if (!points) return;
  look.points = Number(points);
  showSpan();
  remember();
  connect();
});
const showSpan = () => {
  for (const button of at("spans").children) button.setAttribute("aria-pressed", Number(button.dataset.points) === look.points);
};

at("target").addEventListener("change", () => {
  look.target = Number(at("target").value);
  remember();
  connect();
});

at("pause").addEventListener("click", () => {
  paused = !paused;
  at("pause").setAttribute("aria-pressed", paused);
  say("pause", paused ? "go on" : "pause");
  if (!paused && !painting && (waiting.overview || waiting.chart)) { painting = true; requestAnimationFrame(paint); }
});

const asCSV = (frame) => {
  const cell = (value) => (finite(value) ? String(value) : "");
  const columns = ["observed", "expected", "expected_median", "lower", "upper"];
  const past = frame.times.map((time, i) => [new Date(time * 1000).toISOString(), ...columns.map((name) => cell(frame[name][i]))]);
  const ahead = frame.next.times.map((time, i) => [new Date(time * 1000).toISOString(), "", ...["mean", "median", "lower", "upper"].map((name) => cell(frame.next[name][i]))]);
  return [["time", ...columns], ...past, ...ahead].map((row) => row.join(",")).join("\n") + "\n";
};

const told = (id, text, usual) => { say(id, text); setTimeout(() => say(id, usual), 1500); };
at("copy").addEventListener("click", async () => {
  if (chosen) told("copy", await copied(asCSV(chosen)) ? "copied" : "not allowed", "copy CSV");
});

at("picture").addEventListener("click", () => {
  const drawn = charts.main.plot?.ctx.canvas;
  if (!drawn) return;
  const canvas = Object.assign(document.createElement("canvas"), { width: drawn.width, height: drawn.height });
  const context = canvas.getContext("2d");
  context.fillStyle = color("paper");
  context.fillRect(0, 0, canvas.width, canvas.height);
  context.drawImage(drawn, 0, 0);
  Object.assign(document.createElement("a"), { href: canvas.toDataURL("image/png"), download: `${(look.key || "series").replace(/[^\w.-]+/g, "_")}.png` }).click();
});

const showZone = () => {
  const name = local ? Intl.DateTimeFormat().resolvedOptions().timeZone || "local" : "UTC";
  at("zone").setAttribute("aria-pressed", local);
  say("zone", local ? "local" : "UTC");
  for (const element of document.getElementsByClassName("zone")) element.textContent = name;
};
at("zone").addEventListener("click", () => {
  local = !local;
  try { localStorage.setItem("streamrnn-zone", local ? "local" : "utc"); } catch { /* storage may be forbidden */ }
  tables = "";
  alertList.redraw();
  showZone();
  if (chosen) showChart(chosen);
});
try { local = localStorage.getItem("streamrnn-zone") === "local"; } catch { /* storage may be forbidden */ }

const theme = at("theme");
const showTheme = () => theme.setAttribute("aria-pressed", document.documentElement.dataset.theme === "dark");
const setTheme = (name) => {
  document.documentElement.dataset.theme = name;
  showTheme();
  for (const chart of Object.values(charts)) chart.restyle();
};
theme.addEventListener("click", () => {
  const name = document.documentElement.dataset.theme === "dark" ? "light" : "dark";
  try { localStorage.setItem("streamrnn-theme", name); } catch { /* storage may be forbidden */ }
  setTheme(name);
});
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", (event) => {
  let kept = null;
  try { kept = localStorage.getItem("streamrnn-theme"); } catch { /* storage may be forbidden */ }
  if (kept === null) setTheme(event.matches ? "dark" : "light");
});

showTheme();
showSpan();
showZone();
connect();
