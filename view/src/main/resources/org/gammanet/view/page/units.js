// The card of a unit: its signals over time, and what reaches it.

import {state, shownTimestep} from 'view/state.js';
import {digits, drawMaps, make, scaleOf} from 'view/colors.js';
import {Chart, DASHES, themed} from 'view/plots.js';
import {crosshair, stage} from 'view/stage.js';

const NAMES = {
  image: ['Image', 'through everything'],
  horizontal_e: ['Horizontal, from E', 'within the layer'],
  horizontal_i: ['Horizontal, from I', 'within the layer'],
  top_down: ['Top-down', 'from the layer above'],
};

export class UnitCard {
  #charts = {
    activity: new Chart(document.getElementById('chart-activity'), {height: 190}),
    drive: new Chart(document.getElementById('chart-drive'), {height: 190}),
    gates: new Chart(document.getElementById('chart-gates'), {height: 190, low: 0, high: 1}),
  };
  #element = document.getElementById('maps');
  #canvases = new Map();

  /** Units by key of the column. */
  draw(columns, units) {
    const shown = columns.filter(c => units.get(c.key)?.traces);
    document.getElementById('unit-empty').hidden = state.unit !== null;
    document.getElementById('unit-controls').hidden = state.unit === null;
    document.getElementById('unit-body').hidden = !shown.length || state.unit === null;
    const name = document.getElementById('unit-name');
    name.textContent = '';
    if (!shown.length || !state.unit) return;
    const first = units.get(shown[0].key);
    const {header} = first.traces;
    name.textContent = `${first.site}, channel ${header.channel} of ${header.channels}, at ${header.column}, ${header.row} of the layer`;
    this.#drawCharts(shown, units);
    this.#drawMaps(shown, units);
  }

  #drawCharts(columns, units) {
    const traces = columns.map(c => units.get(c.key).traces);
    const steps = Math.max(...traces.map(t => t.header.timesteps));
    const xs = Array.from({length: steps}, (_, i) => i + 1);
    const single = columns.length === 1;
    const series = (signals, column, k) => {
      const {header, values} = units.get(column.key).traces;
      return signals.flatMap(([signal, label, color, dash]) => {
        const s = header.signals.indexOf(signal);
        if (s < 0) return [];
        const points = xs.map((x, t) => {
          const v = values[(s * header.timesteps + t) * header.channels + header.channel];
          return t < header.timesteps && Number.isFinite(v) ? v : null;
        });
        return [{label: single ? label : `${label} ${column.title}`, color: themed(color), dash: single ? (dash ?? []) : DASHES[k % DASHES.length], values: points}];
      });
    };
    const t = shownTimestep(steps);
    const set = (chart, signals) => chart.set(xs, columns.flatMap((c, k) => series(signals, c, k)), t);
    set(this.#charts.activity, [['E', 'E', '--e'], ['I', 'I', '--i', DASHES[1]]]);
    const drive = [['x', 'drive', '--gray'], ['s', 'inhibited drive', '--third', DASHES[1]], ['c1', 'inhibitory horizontal', '--i', DASHES[2]], ['c2', 'excitatory horizontal', '--e', DASHES[2]], ['q', 'candidate', '--fourth']];
    set(this.#charts.drive, single ? drive : drive.slice(0, 2));
    set(this.#charts.gates, [['g1', 'input gate', '--third'], ['g2', 'mixing gate', '--fourth', DASHES[1]]]);
  }

  #drawMaps(columns, units) {
    const plane = state.measure === 'input' ? 1 : 0;
    document.getElementById('maps-when').textContent = `${state.population} at timestep ${units.get(columns[0].key).maps[0]?.header.t ?? '…'}`;
    const rows = [];
    for (const column of columns) {
      const unit = units.get(column.key);
      const figures = [];
      for (const [of, [title, words]] of Object.entries(NAMES)) {
        const map = unit.maps.find(m => m.header.of === of);
        if (!map) continue;
        const {height, width} = map.header;
        const values = map.values.subarray(plane * width * height, (plane + 1) * width * height);
        const level = Math.round(Math.log2(unit.width / width));
        const at = [Math.min(width - 1, state.unit.x >> level), Math.min(height - 1, state.unit.y >> level)];
        const window = state.whole ? null : around(values, width, height, at);
        const shown = window ? cut(values, width, window) : {values, width, height, channels: 1};
        const key = column.key + of;
        const made = this.#canvases.get(key) ?? stage(title, {});
        this.#canvases.set(key, made);
        made.element.classList.add('still');
        const scale = scaleOf([shown.values], true);
        drawMaps(made.canvas, shown, scale);
        made.canvas.setAttribute('aria-label', `${title}: what reaches the unit`);
        made.marks.setAttribute('viewBox', `0 0 ${shown.width} ${shown.height}`);
        made.marks.setAttribute('preserveAspectRatio', 'none');
        const x = at[0] - (window?.left ?? 0) + 0.5;
        const y = at[1] - (window?.top ?? 0) + 0.5;
        made.marks.replaceChildren(...crosshair(x, y, Math.max(shown.width, shown.height) / 14));
        const sum = values.reduce((a, b) => a + b, 0);
        figures.push(
          make(
            'figure',
            {},
            made.element,
            make('figcaption', {}, make('b', {}, title), shown.values.some(v => v !== 0) ? `${words}; ±${digits(scale.hi)}, sum ${digits(sum)}${window ? `, ${shown.width} × ${shown.height} px` : ''}` : `${words}; nothing`),
          ),
        );
      }
      if (!unit.maps.some(m => m.header.of === 'top_down') && unit.complete) {
        figures.push(make('figure', {}, make('figcaption', {}, make('b', {}, 'Top-down'), unit.maps[0]?.header.t === 1 ? 'nothing at the first timestep' : 'no layer is above')));
      }
      rows.push(make('div', {class: 'maprow'}, columns.length > 1 ? make('h4', {}, column.title) : null, ...figures));
    }
    this.#element.replaceChildren(...rows);
    document.getElementById('maps-hint').textContent = 'Red raises the unit, blue lowers it.' + (state.measure === 'input' ? ' The effect, to first order, of what is active at each place.' : ' The effect of a little light at each place, on all the time.');
  }

  mark(t) {
    for (const chart of Object.values(this.#charts)) chart.mark(t);
  }

  get charts() {
    return this.#charts;
  }
}

/** A square about a place with four fifths of what is not zero; null where that is nearly everything. */
function around(values, width, height, [cx, cy]) {
  const rings = new Float64Array(Math.max(width, height) + 1);
  for (let y = 0, i = 0; y < height; y++) {
    for (let x = 0; x < width; x++, i++) rings[Math.max(Math.abs(x - cx), Math.abs(y - cy))] += Math.abs(values[i]);
  }
  const total = rings.reduce((a, b) => a + b, 0);
  let radius = 0;
  for (let sum = rings[0]; sum < 0.8 * total && radius < rings.length - 1; ) sum += rings[++radius];
  radius = Math.max(4, Math.ceil(1.25 * radius) + 1);
  const left = Math.max(0, cx - radius);
  const top = Math.max(0, cy - radius);
  const right = Math.min(width, cx + radius + 1);
  const bottom = Math.min(height, cy + radius + 1);
  return {left, top, width: right - left, height: bottom - top};
}

function cut(values, width, window) {
  const out = new Float32Array(window.width * window.height);
  for (let y = 0; y < window.height; y++) {
    const from = (window.top + y) * width + window.left;
    out.set(values.subarray(from, from + window.width), y * window.width);
  }
  return {values: out, width: window.width, height: window.height, channels: 1};
}
