// Keeps a page up to date without moving what is being read. Every page works without it.
"use strict";
const GATHER = 250, MOST = 100, ROWS = 100, PULSE = 10000;
const main = document.getElementById("main"), live = document.getElementById("live");
const rows = document.querySelector("[data-rows]"), pill = document.getElementById("news");
const refresh = main.dataset.refresh || "", pace = Number(main.dataset.pace || GATHER);
const changed = new Set(), held = new Map();
let everything = false, timer = 0, busy = false, good = Date.now(), trouble = "";

// A document that the browser parses itself: no text becomes markup in a script.
const load = (url, body) => new Promise((done, failed) => {
  const request = new XMLHttpRequest();
  request.open(body ? "POST" : "GET", url);
  request.responseType = "document";
  request.timeout = 15000;
  request.setRequestHeader("X-Falhook-Part", "1");
  request.onload = () => request.status === 200 ? done(request.response) : failed(request.status);
  request.onerror = request.ontimeout = () => failed(0);
  request.send(body);
});

/* How fresh the page is. */

function show() {
  const age = Math.round((Date.now() - good) / 1000);
  document.body.classList.toggle("stale", trouble !== "");
  live.hidden = false;
  live.classList.toggle("off", trouble !== "");
  if (trouble === "signed out") {
    const link = document.createElement("a");
    link.href = "/console/login?next=" + encodeURIComponent(location.pathname + location.search);
    link.textContent = "Signed out: sign in";
    live.replaceChildren(link);
  } else live.textContent = trouble ? `${trouble}; this is ${age} s old` : "Live";
}

function fine() { good = Date.now(); trouble = ""; show(); }

function failed(status) {
  trouble = status === 401 ? "signed out" : status ? "Not available" : "Reconnecting";
  show();
}

async function pulse() {
  if (document.hidden) return;
  try { await load("/console/pulse"); if (trouble) everything = true; fine(); schedule(); }
  catch (status) { failed(status); }
}
setInterval(pulse, PULSE);
setInterval(() => { if (trouble) { show(); } }, 1000);

/* What has changed. */

function schedule() {
  if (timer || busy || document.hidden || !(changed.size || everything)) return;
  timer = setTimeout(flush, rows || everything ? GATHER : pace);
}

async function flush() {
  [timer, busy] = [0, true];
  const all = everything, ids = [...changed].slice(0, MOST);
  everything = false;
  ids.forEach(id => changed.delete(id));
  try {
    if (rows && all) merge(await load(location.href));
    else if (rows) await ask(ids.filter(id => rows.dataset.first !== undefined || find(id)));
    if (refresh && (all || refresh === "any" || ids.includes(refresh))) parts(await load(location.pathname + location.search));
    fine();
  } catch (status) {
    failed(status);
    everything = true;
    if (status !== 401) setTimeout(schedule, 2000);
    busy = false;
    return;
  }
  busy = false;
  schedule();
}

async function ask(ids) {
  if (!ids.length) return;
  const address = rows.dataset.rows;
  merge(await load(`${address}${address.endsWith("?") ? "" : "&"}ids=${ids.join(",")}`));
}

const find = id => rows.querySelector(`tr[data-job="${CSS.escape(id)}"]`);
const plain = element => element.innerHTML.replace(/>[^<]*<\/time>/g, "></time>");

function merge(fetched) {
  const fresh = [];
  for (const row of fetched.querySelectorAll("tr[data-job]")) {
    const old = find(row.dataset.job);
    if (old) cells(old, row);
    else if (rows.dataset.first !== undefined && row.dataset.wanted !== undefined) fresh.push(row);
  }
  for (const row of fresh.reverse()) held.set(row.dataset.job, row);
  // The list shows no more than these, however long somebody reads.
  for (const id of [...held.keys()].slice(0, -ROWS)) held.delete(id);
  if (!resting()) return announce();
  requestAnimationFrame(insert);
}

function cells(old, row) {
  [...row.cells].forEach((cell, at) => {
    if (plain(old.cells[at]) === plain(cell)) return;
    const focused = old.cells[at].contains(document.activeElement);
    old.cells[at].replaceChildren(...cell.childNodes);
    if (focused) old.cells[at].querySelector("a")?.focus();
  });
}

// Nobody reads or points at the list: it may move.
const resting = () => scrollY < 40 && !rows.matches(":hover") && !rows.contains(document.activeElement)
  && getSelection().isCollapsed;

function insert() {
  if (held.size) { rows.closest("table").hidden = false; document.getElementById("empty")?.remove(); }
  for (const row of held.values()) {
    if (find(row.dataset.job)) continue;
    row.classList.add("new");
    rows.prepend(row);
  }
  held.clear();
  while (rows.rows.length > ROWS) rows.rows[rows.rows.length - 1].remove();
  announce();
}

function announce() {
  if (!pill) return;
  pill.hidden = !held.size;
  pill.textContent = `${held.size}${held.size < ROWS ? "" : " or more"} new`;
}
pill?.addEventListener("click", event => { event.preventDefault(); scrollTo(0, 0); insert(); });

function parts(fetched) {
  const before = new Map([...main.querySelectorAll("[data-part]")].map(part => [part.dataset.part, part]));
  let previous = null;
  for (const part of fetched.querySelectorAll("main [data-part]")) {
    const old = before.get(part.dataset.part);
    before.delete(part.dataset.part);
    if (!old) {
      if (previous?.parentElement) previous.after(part);
      prepare(part);
      previous = part;
      continue;
    }
    previous = old;
    const used = old.contains(document.activeElement) && document.activeElement.matches("input, textarea, select");
    const kept = part.dataset.keep !== undefined && part.dataset.keep === old.dataset.keep;
    if (used || kept || plain(old) === plain(part)) continue;
    const open = [...old.querySelectorAll("details")].map(each => each.open);
    [...part.querySelectorAll("details")].forEach((each, at) => { each.open ||= Boolean(open[at]); });
    old.replaceWith(part);
    prepare(part);
    previous = part;
  }
  for (const gone of before.values()) if (!gone.contains(document.activeElement)) gone.remove();
}

/* The stream: one for all tabs, or one for this tab where tabs cannot share. */

function heard({id, all, state}) {
  if (state === "live") { if (trouble !== "signed out") fine(); }
  else if (state === "lost") failed(0);
  else if (state === "refused") pulse();
  if (id) changed.add(id);
  // A tab behind others may hear of changes for hours: many are one look at the whole page.
  if (all || changed.size > ROWS * 10) { everything = true; changed.clear(); }
  schedule();
}

function shared() {
  const rules = window.trustedTypes?.createPolicy("falhook", {
    createScriptURL: url => { if (url !== document.body.dataset.worker) throw new TypeError(url); return url; },
  });
  const url = document.body.dataset.worker;
  const port = new SharedWorker(rules ? rules.createScriptURL(url) : url).port;
  port.onmessage = event => heard(event.data);
  const tell = () => port.postMessage({shown: !document.hidden});
  document.addEventListener("visibilitychange", tell);
  addEventListener("pageshow", tell);
  addEventListener("pagehide", () => port.postMessage({gone: true}));
  tell();
}

function alone() {
  let source = null;
  const look = () => {
    if (document.hidden || source) { if (document.hidden && source) { source.close(); source = null; } return; }
    source = new EventSource("/console/live");
    source.onopen = () => heard({state: "live", all: true});
    source.onmessage = event => heard({id: event.data});
    source.addEventListener("gap", () => heard({all: true}));
    source.onerror = () => heard({state: source.readyState === EventSource.CLOSED ? "refused" : "lost"});
  };
  document.addEventListener("visibilitychange", look);
  look();
}

document.addEventListener("visibilitychange", schedule);
if (rows || refresh) { if (window.SharedWorker) shared(); else alone(); }

/* Small comforts. */

function ago(seconds) {
  if (seconds < 10) return `${Math.max(0, seconds).toFixed(1)} s ago`;
  const [size, unit] = [[86400, "d"], [3600, "h"], [60, "min"], [1, "s"]].find(([size]) => seconds >= size);
  return `${Math.round(seconds / size)} ${unit} ago`;
}
setInterval(() => {
  for (const time of document.querySelectorAll("time[data-at]")) {
    const text = ago(Date.now() / 1000 - Number(time.dataset.at));
    if (time.textContent !== text) time.textContent = text;
  }
}, 5000);

// A second click on what was sent already does nothing.
document.addEventListener("submit", event => {
  const form = event.target;
  if (form.dataset.sent) { event.preventDefault(); return; }
  if (form.method !== "post") return;
  form.dataset.sent = "1";
  setTimeout(() => form.querySelectorAll("button").forEach(button => { button.disabled = true; }));
});
addEventListener("pageshow", () => document.querySelectorAll("form[data-sent]").forEach(form => {
  delete form.dataset.sent;
  form.querySelectorAll("button").forEach(button => { button.disabled = false; });
}));

function prepare(part) {
  const strip = part.querySelector("[data-storyboard]"), video = part.querySelector("video");
  if (strip && video) storyboard(strip, video);
}

async function storyboard(strip, video) {
  const answer = await fetch(strip.dataset.storyboard);
  if (!answer.ok) return;
  const cue = /([\d:.]+) --> ([\d:.]+)\s+(\S+)#xywh=(\d+),(\d+),(\d+),(\d+)/g;
  const seconds = clock => clock.split(":").reduce((sum, part) => sum * 60 + Number(part), 0);
  const tiles = [...(await answer.text()).matchAll(cue)].map(([, from, to, file, ...area]) => (
    {from: seconds(from), to: seconds(to), file, area: area.map(Number)}));
  if (!tiles.length) return;
  const [range, tile] = [strip.querySelector("input"), strip.querySelector(".tile")];
  const length = tiles[tiles.length - 1].to;
  const look = part => {
    const at = part * length, found = tiles.find(each => at < each.to) || tiles[tiles.length - 1];
    const [x, y, width, height] = found.area;
    const picture = new URL(found.file, new URL(strip.dataset.storyboard, location.href)).href;
    Object.assign(tile.style, {width: `${width}px`, height: `${height}px`,
      backgroundImage: `url("${picture}")`, backgroundPosition: `-${x}px -${y}px`,
      left: `${Math.min(strip.clientWidth - width, Math.max(0, part * strip.clientWidth - width / 2))}px`});
    tile.hidden = false;
  };
  strip.addEventListener("pointermove", event => look(Math.min(1, Math.max(0, event.offsetX / strip.clientWidth))));
  strip.addEventListener("pointerleave", () => { tile.hidden = true; });
  range.addEventListener("input", () => { look(range.value / 1000); video.currentTime = length * range.value / 1000; });
  range.addEventListener("blur", () => { tile.hidden = true; });
  video.addEventListener("timeupdate", () => { if (document.activeElement !== range) range.value = 1000 * video.currentTime / length; });
  strip.hidden = false;
}
prepare(main);

// The price follows the form.
const form = document.querySelector("form[data-price]");
let asking = 0;
form?.addEventListener("change", () => {
  clearTimeout(asking);
  asking = setTimeout(async () => {
    const fields = new FormData(form);
    for (const [name, value] of [...fields]) if (value instanceof File) fields.delete(name);
    fields.set("step", "price");
    try {
      const price = (await load(form.action, fields)).getElementById("price");
      if (price) document.getElementById("price").replaceWith(price);
    } catch { /* the button asks again */ }
  }, 300);
});
