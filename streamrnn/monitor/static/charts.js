"use strict";
// The charts, drawn with uPlot (uplot.min.js). Colors come from the style sheet, so a theme is a redraw.

const color = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
const finite = (value) => typeof value === "number" && Number.isFinite(value);
const short = (value) => {
  if (!finite(value)) return "–";
  const size = Math.abs(value);
  if (size !== 0 && (size >= 1e7 || size < 1e-3)) return value.toExponential(2);
  return value.toLocaleString("en-US", { maximumFractionDigits: size >= 1000 ? 0 : size >= 100 ? 1 : size >= 10 ? 2 : 3 });
};
const two = (number) => String(number).padStart(2, "0");
// Times are shown in UTC, or in the browser's zone: then as the UTC time that reads the same.
let local = false;
const shifted = (seconds) => {
  const date = new Date(seconds * 1000);
  return local ? new Date(date.getTime() - 60000 * date.getTimezoneOffset()) : date;
};
const clock = (seconds) => {
  const date = shifted(seconds);
  return Number.isNaN(date.getTime()) ? "–" : `${two(date.getUTCHours())}:${two(date.getUTCMinutes())}:${two(date.getUTCSeconds())}`;
};
const moment = (seconds) => {
  const date = shifted(seconds);
  return Number.isNaN(date.getTime()) ? "–" : date.toISOString().slice(0, 19).replace("T", " ");
};

// Axis labels as short as the distance between two of them allows.
const timeLabels = (_, ticks, __, ___, step) => {
  let day = "";
  return ticks.map((tick) => {
    const text = moment(tick);
    if (text === "–") return "";
    const date = text.slice(5, 10);
    const label = step >= 86400 ? date : step >= 60 ? text.slice(11, 16) : text.slice(11, 19);
    const shown = date !== day && step < 86400 ? `${label}\n${date}` : label;
    day = date;
    return shown;
  });
};

// Axis of the run: round ages instead of round times. A page's clock may be wrong, so now is the server's.
let skew = 0;  // seconds, server's clock minus ours
const AGES = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 28800, 86400];
const newest = (plot) => {
  const now = Date.now() / 1000 + skew, { max } = plot.scales.x;
  return now - max < 3 ? max : now;
};
// One moment alone is no span: without this a chart would reach over years.
const sinceRange = (_, min, max) => [Math.min(min, max - 2), max];
const sinceSplits = (plot, _, min, max) => {
  const most = Math.max(2, plot.bbox.width / devicePixelRatio / 64), now = newest(plot), splits = [];
  const step = AGES.find((age) => (max - min) / age <= most) ?? Math.ceil((max - min) / most / 86400) * 86400;
  for (let tick = now - Math.floor((now - min) / step) * step; tick <= max + step / 1000; tick += step) splits.push(tick);
  return splits;
};
const sinceLabels = (plot, ticks) => {
  const now = newest(plot);
  return ticks.map((tick) => {
    const ago = Math.round(now - tick);
    return ago < 1 ? "now" : ago < 120 ? `−${ago} s` : ago < 7200 ? `−${Math.round(ago / 60)} min` : `−${Math.round(ago / 3600)} h`;
  });
};

// As wide as its longest label; uPlot asks again until the answer stays the same, or twice.
const labelSize = (plot, labels, index, cycle) => (
  cycle > 1 ? plot.axes[index]._size : 16 + 6.6 * Math.max(2, ...(labels ?? []).map((label) => label.length))
);

class Chart {
  // `make(colors)` gives uPlot's options; `update(data)` draws; width and height follow the element.
  constructor(element, make) {
    this.element = element;
    this.make = make;
    this.plot = null;
    this.data = null;
    this.extra = {};
    new ResizeObserver(() => this.resize()).observe(element);
  }
  size() {
    return { width: Math.max(120, this.element.clientWidth), height: Math.max(80, this.element.clientHeight) };
  }
  update(data, extra = {}) {
    this.extra = extra;
    const shape = `${data.length}`;
    if (this.plot && this.shape !== shape) this.clear();
    this.data = data;
    if (!this.plot) {
      this.shape = shape;
      this.plot = new uPlot({ ...this.make(this, data), ...this.size() }, data, this.element);
    } else {
      this.plot.setData(data);
    }
  }
  resize() {
    if (this.plot) this.plot.setSize(this.size());
  }
  restyle() {
    if (!this.plot) return;
    const { data, extra } = this;
    this.clear();
    this.update(data, extra);
  }
  clear() {
    if (this.plot) this.plot.destroy();
    this.plot = null;
  }
}

const axis = (more) => ({
  stroke: color("soft"),
  font: "11px system-ui, sans-serif",
  grid: { stroke: color("grid"), width: 1 },
  ticks: { show: false },
  ...more,
});

// y limits from what is drawn, but one wild bound must not flatten the rest: observed values count fully,
// bounds only as far as three times their span.
const limits = (data, columns, bounds) => {
  let low = Infinity, high = -Infinity;
  for (const column of columns) for (const value of data[column]) if (finite(value)) { low = Math.min(low, value); high = Math.max(high, value); }
  if (low > high) return [0, 1];
  const room = Math.max(high - low, 1e-9 * Math.max(Math.abs(low), Math.abs(high)), 1e-12);
  let least = low, most = high;
  for (const column of bounds) for (const value of data[column]) if (finite(value)) { least = Math.min(least, value); most = Math.max(most, value); }
  least = Math.max(least, low - room);
  most = Math.min(most, high + room);
  const pad = 0.06 * (most - least) || 0.5 * Math.max(Math.abs(most), 1);
  return [least - pad, most + pad];
};

const drawMarks = (plot, marks) => {
  const { ctx, bbox } = plot;
  const ratio = devicePixelRatio;
  const [from, to] = [plot.scales.x.min, plot.scales.x.max];
  ctx.save();
  ctx.beginPath();
  ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height);
  ctx.clip();
  const seen = marks.filter((mark) => mark.time >= from && mark.time <= to);
  const half = Math.max(3 * ratio, bbox.width / Math.max(40, plot.data[0].length) / 1.6);
  ctx.fillStyle = color("anomaly-soft");
  const strips = [];  // those that touch become one, or their colors would add up
  for (const mark of seen) {
    const x = plot.valToPos(mark.time, "x", true), last = strips[strips.length - 1];
    if (last && x - half <= last[1]) last[1] = x + half;
    else strips.push([x - half, x + half]);
  }
  for (const [left, right] of strips) ctx.fillRect(left, bbox.top, right - left, bbox.height);
  ctx.strokeStyle = color("anomaly");
  ctx.fillStyle = color("paper");
  ctx.lineWidth = 2 * ratio;
  ctx.setLineDash([]);  // the last series leaves its own
  let label = -Infinity, drawn = [-Infinity, 0];
  for (const mark of seen) {
    if (!finite(mark.value)) continue;
    const x = plot.valToPos(mark.time, "x", true), y = plot.valToPos(mark.value, "y", true);
    if (Math.hypot(x - drawn[0], y - drawn[1]) > 9 * ratio) {  // a row of them is no thick line
      drawn = [x, y];
      ctx.beginPath();
      ctx.arc(x, y, 4.5 * ratio, 0, 2 * Math.PI);
      ctx.fill();
      ctx.stroke();
    }
    if (mark.channel && x - label > 60 * ratio) {  // the first of an episode says why
      ctx.font = `600 ${11 * ratio}px system-ui, sans-serif`;
      const fits = x + 8 * ratio + ctx.measureText(mark.channel).width < bbox.left + bbox.width;
      ctx.textAlign = fits ? "left" : "right";
      ctx.save();
      ctx.fillStyle = color("anomaly");
      ctx.fillText(mark.channel, x + (fits ? 8 : -8) * ratio, Math.max(bbox.top + 12 * ratio, y - 9 * ratio));
      ctx.restore();
    }
    label = x;
  }
  ctx.restore();
};

// What the demo put into the series: a bar at the bottom, with its kind where there is room.
const drawInjected = (plot, faults) => {
  const { ctx, bbox } = plot;
  const ratio = devicePixelRatio, right = bbox.left + bbox.width, bottom = bbox.top + bbox.height;
  const step = plot.data[0].length > 1 ? plot.data[0][1] - plot.data[0][0] : 0;
  const place = (time) => Math.min(right, Math.max(bbox.left, plot.valToPos(time, "x", true)));
  ctx.save();
  ctx.fillStyle = color("injected");
  ctx.font = `600 ${11 * ratio}px system-ui, sans-serif`;
  ctx.textAlign = "left";
  let free = bbox.left;
  for (const { kind, began, ended } of faults) {
    const left = place(began - step / 2), width = Math.max(3 * ratio, place(ended + step / 2) - left);
    ctx.fillRect(left, bottom - 5 * ratio, width, 5 * ratio);
    const long = ctx.measureText(kind).width, start = Math.min(left, right - long);
    if (start < free) continue;
    ctx.fillText(kind, start, bottom - 9 * ratio);
    free = start + long + 6 * ratio;
  }
  ctx.restore();
};

// The moment that a link names.
const drawMoment = (plot, time) => {
  if (!finite(time) || time < plot.scales.x.min || time > plot.scales.x.max) return;
  const { ctx, bbox } = plot;
  const x = Math.round(plot.valToPos(time, "x", true));
  ctx.save();
  ctx.strokeStyle = color("ink");
  ctx.lineWidth = devicePixelRatio;
  ctx.setLineDash([2 * devicePixelRatio, 3 * devicePixelRatio]);
  ctx.beginPath();
  ctx.moveTo(x, bbox.top);
  ctx.lineTo(x, bbox.top + bbox.height);
  ctx.stroke();
  ctx.restore();
};

// x, observed, expected, lower, upper, next mean, next lower, next upper, expected median, next median
const mainOptions = (chart, _) => ({
  legend: { show: false },
  cursor: { y: false, points: { size: 6 }, drag: { setScale: false } },
  padding: [8, 28, 0, 0],
  scales: { x: { time: true }, y: { range: (plot) => limits(plot.data, [1], [2, 3, 4, 5, 6, 7, 8, 9]) } },
  axes: [axis({ values: timeLabels, space: 80, size: 34 }), axis({ values: (_, ticks) => ticks.map(short), size: labelSize })],
  series: [
    {},
    { stroke: color("observed"), width: 1.6, points: { show: false }, spanGaps: false },
    { stroke: color("expected"), width: 1.6, points: { show: false } },
    { stroke: "transparent", width: 0, points: { show: false } },
    { stroke: "transparent", width: 0, points: { show: false } },
    { stroke: color("expected"), width: 1.6, dash: [5, 4], points: { show: false } },
    { stroke: "transparent", width: 0, points: { show: false } },
    { stroke: "transparent", width: 0, points: { show: false } },
    { stroke: color("expected"), width: 1, dash: [1, 3], points: { show: false } },
    { stroke: color("expected"), width: 1, dash: [1, 3], points: { show: false } },
  ],
  bands: [
    { series: [4, 3], fill: color("band") },
    { series: [7, 6], fill: color("band-next") },
  ],
  hooks: { draw: [(plot) => drawMarks(plot, chart.extra.marks || []), (plot) => drawInjected(plot, chart.extra.injected || []), (plot) => drawMoment(plot, chart.extra.at)] },
});

const levelLine = (plot, value, name) => {
  if (!finite(value) || value < plot.scales.y.min || value > plot.scales.y.max) return;
  const { ctx, bbox } = plot;
  const y = Math.round(plot.valToPos(value, "y", true));
  ctx.save();
  ctx.strokeStyle = color(name);
  ctx.lineWidth = devicePixelRatio;
  ctx.setLineDash([4 * devicePixelRatio, 4 * devicePixelRatio]);
  ctx.beginPath();
  ctx.moveTo(bbox.left, y);
  ctx.lineTo(bbox.left + bbox.width, y);
  ctx.stroke();
  ctx.restore();
};

// x, ratio; `extra.level` is a dashed line at what would be expected
const ratioOptions = (name, range) => (chart, _) => ({
  legend: { show: false },
  cursor: { show: false },
  padding: [6, 18, 0, 0],
  scales: { x: { time: true, range: sinceRange }, y: { range } },
  axes: [
    axis({ values: sinceLabels, splits: sinceSplits, size: 26, grid: { show: false } }),
    axis({ values: (_, ticks) => ticks.map((tick) => `${Math.round(100 * tick)}%`.replace("-", "−")), size: 46, space: 26 }),
  ],
  series: [{}, { stroke: color(name), width: 1.8, points: { show: false }, spanGaps: true }],
  hooks: { draw: [(plot) => levelLine(plot, chart.extra.level, "soft")] },
});

const EXPERT_COLORS = 10;

// x, then cumulated weights from the last expert down to the first: filled areas that add up to one
const expertOptions = (_, data) => {
  const count = data.length - 1;
  const series = [{}], bands = [];
  for (let i = 0; i < count; i += 1) {
    const own = color(`expert-${(count - 1 - i) % EXPERT_COLORS}`);
    series.push({ stroke: own, width: 0, fill: i === count - 1 ? own : undefined, points: { show: false } });
    if (i < count - 1) bands.push({ series: [i + 1, i + 2], fill: own });
  }
  return {
    legend: { show: false },
    cursor: { show: false },
    padding: [6, 18, 0, 0],
    scales: { x: { time: true, range: sinceRange }, y: { range: () => [0, 1] } },
    axes: [
      axis({ values: sinceLabels, splits: sinceSplits, size: 26, grid: { show: false } }),
      axis({ values: (_, ticks) => ticks.map((tick) => `${Math.round(100 * tick)}%`.replace("-", "−")), size: 46, space: 26 }),
    ],
    series,
    bands,
  };
};
