"use strict";
// The list of alerts of all series: what opened, what closed, what was said of it, and how to say something.

const copied = async (text) => {
  try { await navigator.clipboard.writeText(text); return true; } catch { /* not over plain HTTP from elsewhere */ }
  const area = Object.assign(document.createElement("textarea"), { value: text });
  document.body.append(area);
  area.select();
  const done = document.execCommand("copy");
  area.remove();
  return done;
};

// As a shell on this machine's command line takes it as one word.
const quoted = (word) => (/^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`);

// "streamrnn feedback expected pump-7 3 --config pipeline.yaml --topic events --partition 2"
const feedbackCommand = (verdict, { key, alert, feedback }) => {
  const named = key.startsWith("-") ? [...feedback, "--", verdict, key, alert] : [verdict, key, alert, ...feedback];
  return ["streamrnn", "feedback", ...named.map((word) => quoted(String(word)))].join(" ");
};

// "alert 3 opened: value 7.3 above usual (error)", "alert 3 closed", "alert 3 was said to be expected"
const alertWords = ({ alert, state, target, channel, size }) => {
  if (state === "closed") return `alert ${alert} closed`;
  if (state !== "opened") return `alert ${alert} was said to be ${state}`;
  const off = finite(size) ? `${short(Math.abs(size))} ${size > 0 ? "above" : "below"} usual` : "";
  const what = [target ?? "", off, channel ? `(${channel})` : ""].filter(Boolean).join(" ");
  return `alert ${alert} opened${what ? `: ${what}` : ""}`;
};

// Which fault of the demo an alert or an anomaly is of; nothing where none are known.
const injectedWords = (kind) => {
  if (kind === undefined) return [];
  return [kind === null ? ["span", "no injected fault", "injected none"] : ["span", `injected: ${kind}`, "injected"]];
};

class AlertList {
  // `open(key, partition, time)` shows a series.
  constructor(list, none, open) {
    Object.assign(this, { list, none, open, alerts: [], shown: "", answered: null });
  }
  show(alerts) {
    this.alerts = alerts;
    const text = JSON.stringify(alerts);
    if (text === this.shown || this.list.contains(document.activeElement)) return;
    this.shown = text;
    this.list.replaceChildren(...alerts.map((alert) => this.item(alert)));
    this.none.hidden = alerts.length > 0;
  }
  redraw() {
    this.shown = "";
    this.show(this.alerts);
  }
  item(alert) {
    const item = document.createElement("li");
    item.append(
      this.button(alert.key, () => this.open(alert.key, alert.partition, finite(alert.time) ? alert.time : NaN)),
      ...line("span", ["span", finite(alert.time) ? moment(alert.time) : "", "when"]).children,
      ...line("span", ["span", alertWords(alert), alert.state === "opened" ? "why" : "when"], ...injectedWords(alert.injected)).children,
    );
    if (alert.feedback) {
      const name = `${alert.partition} ${alert.key} ${alert.alert}`;
      const ask = this.button("feedback", () => {
        this.answered = this.answered === name ? null : name;
        for (const panel of this.list.querySelectorAll(".feedback")) panel.hidden = panel.dataset.name !== this.answered;
        for (const other of this.list.querySelectorAll("[aria-expanded]")) other.setAttribute("aria-expanded", other === ask && this.answered === name);
      });
      ask.className = "ask";
      ask.setAttribute("aria-label", `feedback on alert ${alert.alert} of ${alert.key}`);
      ask.setAttribute("aria-expanded", this.answered === name);
      item.append(ask, this.panel(alert, name));
    }
    return item;
  }
  // The page itself changes nothing: what a person says has to come from the log, as all that a model learns from.
  panel(alert, name) {
    const panel = document.createElement("div");
    panel.className = "feedback";
    panel.dataset.name = name;
    panel.hidden = this.answered !== name;
    panel.append(...line("div", ["p", "Run one of these where the worker's configuration is:", "quiet"]).children);
    for (const [verdict, means] of [["expected", "no fault: the like is not told again"], ["fault", "a fault: it is never learned as normal"]]) {
      const command = feedbackCommand(verdict, alert);
      const row = line("p", ["code", command]);
      const copy = this.button("copy", async () => {
        copy.textContent = await copied(command) ? "copied" : "select it";
        setTimeout(() => { copy.textContent = "copy"; }, 1500);
      });
      copy.setAttribute("aria-label", `copy the command: ${means}`);
      row.append(copy);
      panel.append(...line("div", ["p", means, "quiet"]).children, row);
    }
    return panel;
  }
  button(text, act) {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = text;
    button.addEventListener("click", act);
    return button;
  }
}
