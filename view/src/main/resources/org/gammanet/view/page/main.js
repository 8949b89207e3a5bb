// Brings the parts together: what is asked for when something changes, and what is drawn.

import {change, columns, onChange, readAddress, requestOf, shownTimestep, siteOf, state, timestepsOf} from 'view/state.js';
import {setPalettes} from 'view/colors.js';
import {Failure, Server, Stored, floats, unpack} from 'view/source.js';
import {Chart, DASHES, themed} from 'view/plots.js';
import {EdgesCard, StatesCard} from 'view/stage.js';
import {UnitCard} from 'view/units.js';
import {Controls} from 'view/controls.js';
import {exportAs} from 'view/export.js';

const $ = id => document.getElementById(id);

/** Runs and units by key of the column. */
const runs = new Map();
const units = new Map();

// ---- Messages and progress ----

function failed(error) {
  if (error && !(error instanceof Failure) && error.name !== 'Error') console.error(error);
  $('message').hidden = !error;
  $('message').querySelector('span').textContent = error?.message ?? '';
}

const progress = {
  timer: null,
  begin(words) {
    this.words = words;
    clearTimeout(this.timer);
    this.timer = setTimeout(() => {
      $('progress').hidden = false;
      $('status').textContent = words;
    }, 250);
    this.set(0);
  },
  set(fraction) {
    $('progress').classList.toggle('waiting', fraction === 0);
    $('progress').firstElementChild.style.width = fraction === 0 ? '' : `${100 * fraction}%`;
  },
  end() {
    clearTimeout(this.timer);
    $('progress').hidden = true;
    $('status').textContent = '';
  },
};

// ---- Start ----

let source;
let setup;
let controls;
let edges;
let states;
let unit;
let changes;

async function start() {
  const stored = document.getElementById('stored');
  source = stored ? await Stored.open(stored) : new Server();
  setup = await source.setup();
  if (stored && !location.hash) location.hash = source.address;
  setPalettes(setup.palettes);
  readAddress(setup);
  $('license').textContent = `Curves by uPlot ${setup.uplot}.\n${setup.license ?? (await source.text('uplot-license.txt'))}`;
  const run = key => runs.get(key);
  controls = new Controls(setup, source, {
    failed,
    peak,
    unitShown: () => units.get(columns(setup)[0].key)?.traces?.header ?? null,
    size: () => runs.get(columns(setup)[0].key) ?? {width: 1, height: 1},
    centerUnit,
  });
  edges = new EdgesCard({run, click: (x, y) => chooseUnit(x, y, null), paint: brush});
  states = new StatesCard({run, click: (x, y, channel, population) => chooseUnit(x, y, channel, population)});
  unit = new UnitCard();
  changes = new Chart($('chart-change'), {height: 200, log: true});
  $('message').querySelector('button').addEventListener('click', () => failed(null));
  for (const button of document.querySelectorAll('[data-export]')) {
    button.addEventListener('click', () => save(button.dataset.export));
  }
  document.addEventListener('click', event => {
    if (!event.target.closest('#export')) $('export').open = false;
  });
  onChange(() => {
    controls.show();
    draw();
    refresh();
  });
  addEventListener('hashchange', () => {
    readAddress(setup);
    controls.show();
    draw();
    refresh();
  });
  change({});
}

// ---- Computation: one request at a time, always of what is shown now ----

let busy = false;
let again = false;
let current = null; // {key, since, abort}

async function refresh() {
  again = true;
  const wanted = current && requests().some(r => r.key === current.key);
  if (current && !wanted && performance.now() - current.since > 300) current.abort.abort();
  if (busy) return;
  busy = true;
  document.body.dataset.busy = 'true';
  try {
    while (again) {
      again = false;
      // Each column once in each round, so that none waits for ever while a slider moves.
      for (const column of columns(setup)) await next(runRequest(column));
      if (!again && !controls.playing) for (const column of columns(setup)) await next(unitRequest(column));
    }
  } finally {
    busy = false;
    progress.end();
    document.body.dataset.busy = 'false';
  }
}

function requests() {
  return columns(setup).flatMap(c => [runRequest(c), unitRequest(c)]).filter(Boolean);
}

function runRequest(column) {
  const site = siteOf(column.network, state.site, setup);
  const channel = typeof state.channel === 'number' ? Math.min(state.channel, site.channels - 1) : state.channel;
  const body = {...requestOf(column, setup), states: {site: site.name, channel}, column: column.key};
  return {column, body, key: 'run' + JSON.stringify(body), held: runs, ask: fetchRun};
}

function unitRequest(column) {
  if (!state.unit) return null;
  const site = siteOf(column.network, state.site, setup);
  const first = columns(setup)[0];
  const same = column.network.id === first.network.id && column.key !== first.key;
  const known = same ? units.get(first.key)?.traces?.header.channel : undefined;
  const body = {
    ...requestOf(column, setup),
    unit: {
      site: site.name,
      x: state.unit.x,
      y: state.unit.y,
      channel: state.unit.channel !== null ? Math.min(state.unit.channel, site.channels - 1) : (known ?? -1),
      population: state.population === 'I' && site.populations > 1 ? 'inhibitory' : 'excitatory',
      t: shownTimestep(timestepsOf(setup)) + 1,
    },
    column: column.key,
  };
  return {column, body, key: 'unit' + JSON.stringify(body), held: units, ask: fetchUnit};
}

const failures = new Map();

async function next(request) {
  if (!request) return;
  const slot = request.held === runs ? 'run' : 'unit';
  const id = slot + request.column.key;
  if (request.held.get(request.column.key)?.request === request.key || failures.get(id) === request.key) return;
  current = {key: request.key, since: performance.now(), abort: new AbortController()};
  progress.begin(slot === 'run' ? `Computing ${request.column.title} …` : 'Computing what reaches the unit …');
  try {
    await request.ask(request, current.abort.signal);
    failures.delete(id);
    if (failures.size === 0) failed(null);
  } catch (error) {
    if (error.name === 'AbortError') {
      again = true;
    } else {
      failures.set(id, request.key);
      failed(error);
    }
  } finally {
    current = null;
  }
}

async function fetchRun({column, body, key}, signal) {
  const site = siteOf(column.network, state.site, setup);
  const run = {request: key, title: column.title, edges: [], changes: [], image: null, states: {site: site.name, E: [], I: []}};
  const old = runs.get(column.key);
  let shown = false;
  const show = () => {
    run.unitChannel = old?.unitChannel;
    runs.set(column.key, run);
    shown = true;
    draw();
  };
  await source.run(
    body,
    frame => {
      const {header, data} = frame;
      if (header.kind === 'start') Object.assign(run, {width: header.width, height: header.height, timesteps: header.timesteps});
      else if (header.kind === 'image') run.image = data;
      else if (header.kind === 'changes') run.changes[header.t] = header;
      else if (header.kind === 'state') {
        const values = frame.values ?? unpack(frame);
        run.states[header.population][header.t] = {values, channels: header.channels, width: header.width, height: header.height, level: site.level};
      } else if (header.kind === 'edges') {
        run.edges[header.t] = unpack(frame);
        progress.set((header.t + 1) / run.timesteps);
        // The first picture appears as it comes; later ones replace what is there when they are whole.
        if (!old || shown) show();
      }
    },
    signal,
  );
  show();
}

async function fetchUnit({column, body, key}, signal) {
  const unitRun = {request: key, site: body.unit.site, maps: [], traces: null, complete: false, width: runs.get(column.key)?.width ?? 1};
  const expected = timestepsOf(setup);
  await source.unit(
    body,
    frame => {
      const {header} = frame;
      if (header.kind === 'progress') progress.set((0.4 * header.done) / expected);
      else if (header.kind === 'traces') {
        unitRun.traces = {header, values: floats(frame)};
        unitRun.maps = units.get(column.key)?.maps ?? [];
        units.set(column.key, {...unitRun});
        unitRun.maps = [];
        const run = runs.get(column.key);
        if (run) run.unitChannel = header.channel;
        draw();
      } else if (header.kind === 'map') {
        unitRun.maps.push({header, values: floats(frame)});
        progress.set(0.4 + 0.15 * unitRun.maps.length);
      }
    },
    signal,
  );
  unitRun.complete = true;
  units.set(column.key, unitRun);
  draw();
}

// ---- Drawing ----

let scheduled = false;

function draw() {
  if (scheduled) return;
  scheduled = true;
  requestAnimationFrame(() => {
    scheduled = false;
    if (!state.unit) units.clear();
    const shown = columns(setup);
    const keys = shown.map(c => c.key);
    for (const held of [runs, units]) for (const key of held.keys()) if (!keys.includes(key)) held.delete(key);
    document.querySelector('main').classList.toggle('many', shown.length > 2);
    edges.draw(shown, runs);
    states.draw(shown, runs);
    drawChanges(shown);
    unit.draw(shown, units);
    unit.mark(shownTimestep(timestepsOf(setup)));
    changes.mark(shownTimestep(timestepsOf(setup)));
  });
}

function drawChanges(shown) {
  const known = shown.filter(c => runs.get(c.key)?.changes.length);
  const steps = Math.max(0, ...known.map(c => runs.get(c.key).timesteps));
  $('change-empty').hidden = steps !== 1;
  $('chart-change').hidden = steps < 2;
  if (steps < 2) return;
  const xs = Array.from({length: steps}, (_, i) => i + 1);
  const single = known.length === 1;
  const colors = ['--e', '--third', '--fourth', '--i', '--gray'];
  const series = known.flatMap((column, k) => {
    const run = runs.get(column.key);
    const of = (name, label, color) => ({
      label: single ? label : `${label} ${column.title}`,
      color: themed(color),
      dash: single ? (name === 'edges' ? DASHES[1] : []) : DASHES[k % DASHES.length],
      values: xs.map((x, t) => (run.changes[t]?.[name] > 0 ? run.changes[t][name] : null)),
    });
    const layers = column.network.sites.filter(s => !s.feedback);
    const site = siteOf(column.network, state.site, setup);
    const level = layers.find(s => s.level === site.level) ?? layers[0];
    const chosen = single ? layers : [level];
    return [of('edges', 'edges', '--text'), ...chosen.map(s => of(s.name, s.name, single ? colors[s.level % colors.length] : '--e'))];
  });
  changes.set(xs, series, shownTimestep(steps));
}

// ---- Unit and light ----

function chooseUnit(x, y, channel, population) {
  const first = runs.get(columns(setup)[0].key);
  if (!first) return;
  const place = {x: Math.min(first.width - 1, Math.max(0, Math.floor(x))), y: Math.min(first.height - 1, Math.max(0, Math.floor(y)))};
  const chosen = channel ?? (typeof state.channel === 'number' ? state.channel : null);
  change({unit: {...place, channel: chosen}, ...(population ? {population} : {})});
}

function centerUnit() {
  const first = runs.get(columns(setup)[0].key);
  if (state.unit) change({unit: null});
  else if (first) chooseUnit(first.width / 2, first.height / 2, null);
}

/** The largest activity of a population in the layer that is shown, without lesion or light. */
function peak(population) {
  const maps = runs.get(columns(setup)[0].key)?.states[population] ?? [];
  let most = 0;
  for (const map of maps) if (map) for (const v of map.values) if (Math.abs(v) > most) most = Math.abs(v);
  return most || 1;
}

const brush = {
  discs: [],
  active: () => controls.brush,
  start(x, y) {
    this.discs = [];
    this.move(x, y);
  },
  move(x, y) {
    const radius = controls.radius;
    const last = this.discs.at(-1);
    if (!last || Math.hypot(x - last[0], y - last[1]) >= radius / 2) this.discs.push([Math.round(x), Math.round(y), radius]);
    edges.preview = {...controls.lightOf(this.discs), from: 1, to: 99};
    draw();
  },
  end() {
    edges.preview = null;
    controls.addLight(this.discs);
  },
};

// ---- Export ----

async function save(kind) {
  $('export').open = false;
  progress.begin('Exporting …');
  try {
    await exportAs(kind, {setup, source, columns: columns(setup), runs, units, edges, states, unit, changes, runRequest, unitRequest, progress});
    failed(null);
  } catch (error) {
    failed(error);
  } finally {
    progress.end();
  }
}

start().catch(failed);
