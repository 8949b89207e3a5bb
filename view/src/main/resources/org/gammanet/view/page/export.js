// Figures, numbers, and the page as one file.

import {state, shownTimestep} from 'view/state.js';
import {cssColor, digits, make} from 'view/colors.js';

export async function exportAs(kind, page) {
  const name = (state.input === 'photo' ? (state.photo?.name ?? 'photo').replace(/\.[^.]*$/, '') : state.input).replace(/[^\w-]+/g, '_');
  if (kind === 'csv') save(`${name}-view.csv`, new Blob([csv(page)], {type: 'text/csv'}));
  else if (kind === 'html') save(`${name}-view.html`, await html(page));
  else {
    const {text, width, height} = figure(page);
    const svg = new Blob([text], {type: 'image/svg+xml'});
    save(`${name}-view.${kind}`, kind === 'svg' ? svg : await raster(svg, width, height));
  }
}

function save(name, blob) {
  const link = make('a', {href: URL.createObjectURL(blob), download: name});
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(link.href), 60000);
}

// ---- Numbers ----

/** A line per number: which column, quantity, channel and timestep. */
function csv({columns, runs, units}) {
  const quote = text => (/[",\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);
  const lines = [['network', 'condition', 'layer', 'x', 'y', 'quantity', 'channel', 'timestep', 'value'].join(',')];
  const add = (column, layer, at, quantity, channel, timestep, value) => {
    if (Number.isFinite(value)) lines.push([quote(column.network.id), column.perturbed ? 'perturbed' : 'intact', layer, ...at, quantity, channel, timestep, value].join(','));
  };
  for (const column of columns) {
    const run = runs.get(column.key);
    run?.edges.forEach((map, t) => add(column, '', ['', ''], 'mean_edge_probability', '', t + 1, map.reduce((a, b) => a + b, 0) / map.length));
    run?.changes.forEach((changes, t) => {
      for (const [name, value] of Object.entries(changes)) {
        if (name === 'edges') add(column, '', ['', ''], 'mean_absolute_change_of_edges', '', t + 1, value);
        else if (!['kind', 't', 'bytes'].includes(name)) add(column, name, ['', ''], 'relative_change_of_E', '', t + 1, value);
      }
    });
    const unit = units.get(column.key);
    if (!unit?.traces) continue;
    const {header, values} = unit.traces;
    header.signals.forEach((signal, s) => {
      for (let c = 0; c < header.channels; c++) {
        for (let t = 0; t < header.timesteps; t++) {
          add(column, unit.site, [header.column, header.row], signal, c, t + 1, values[(s * header.timesteps + t) * header.channels + c]);
        }
      }
    });
  }
  return lines.join('\n') + '\n';
}

// ---- Figure ----

const INK = '#14202b';
const GRAY = '#566472';
const FONT = 'Helvetica, Arial, Liberation Sans, sans-serif';

function picture(canvas, x, y, width, smooth) {
  const height = (width * canvas.height) / canvas.width;
  return {
    height,
    node: make('image', {x, y, width, height, href: canvas.toDataURL('image/png'), preserveAspectRatio: 'none', 'image-rendering': smooth ? 'auto' : 'pixelated'}),
  };
}

function words(x, y, text, options = {}) {
  return make('text', {x, y, 'font-family': FONT, 'font-size': options.size ?? 13, fill: options.color ?? INK, 'font-weight': options.weight ?? 400, 'text-anchor': options.anchor ?? 'start'}, text);
}

/** What is shown now, as an SVG on white: pictures, states, curves. */
function figure({columns, runs, edges, states, unit, changes, units}) {
  const width = 1200;
  const margin = 24;
  const gap = 18;
  const nodes = [];
  let y = margin + 16;
  const shown = columns.filter(c => runs.get(c.key)?.image);
  const t = shown.length ? shownTimestep(runs.get(shown[0].key).timesteps) + 1 : 0;
  nodes.push(words(margin, y, `Edges and states at timestep ${t}`, {size: 18, weight: 600}));
  y += 18;
  const perRow = Math.min(3, Math.max(1, shown.length));
  const each = Math.min(560, (width - 2 * margin - (perRow - 1) * gap) / perRow);
  for (let row = 0; row < shown.length; row += perRow) {
    let tallest = 0;
    shown.slice(row, row + perRow).forEach((column, k) => {
      const x = margin + k * (each + gap);
      const stage = picture(edges.canvas(column.key), x, y + 18, each, true);
      nodes.push(words(x, y + 12, column.title, {weight: 600}), stage.node);
      let below = y + 18 + stage.height + 10;
      const half = (each - 8) / 2;
      const site = runs.get(column.key).states.site;
      let highest = 0;
      ['E', 'I'].forEach((population, p) => {
        const canvas = states.canvas(column.key, population);
        if (!canvas) return;
        const map = picture(canvas, x + p * (half + 8), below + 16, half, false);
        highest = Math.max(highest, map.height);
        nodes.push(words(x + p * (half + 8), below + 10, `${population}, ${site}`, {color: population === 'E' ? '#c24f00' : '#0072b2', weight: 600}), map.node);
      });
      below += 16 + highest;
      tallest = Math.max(tallest, below - y);
    });
    y += tallest + gap;
  }
  const scale = states.scale;
  if (scale) {
    for (let i = 0; i < 128; i++) nodes.push(make('rect', {x: margin + 60 + i * 1.5, y: y - 6, width: 1.6, height: 10, fill: cssColor(scale.palette, i / 127)}));
    nodes.push(words(margin + 54, y + 3, digits(scale.lo), {anchor: 'end', size: 12, color: GRAY}));
    nodes.push(words(margin + 60 + 128 * 1.5 + 6, y + 3, `≥ ${digits(scale.hi)}: activity, one scale for E and I`, {size: 12, color: GRAY}));
    y += 26;
  }
  const plots = [['Change per timestep', changes]];
  if (state.unit && shown.some(c => units.get(c.key)?.traces)) {
    plots.push(['Unit: activity', unit.charts.activity], ['Unit: drive', unit.charts.drive], ['Unit: gates', unit.charts.gates]);
  }
  const plotWidth = (width - 2 * margin - gap) / 2;
  const drawn = plots.filter(([, chart]) => chart.content.series.length);
  let rowHeight = 0;
  drawn.forEach(([title, chart], k) => {
    const plot = curves(title, chart.content, margin + (k % 2) * (plotWidth + gap), y, plotWidth);
    nodes.push(...plot.nodes);
    rowHeight = Math.max(rowHeight, plot.height);
    if (k % 2 === 1 || k === drawn.length - 1) {
      y += rowHeight + gap;
      rowHeight = 0;
    }
  });
  const svg = make('svg', {xmlns: 'http://www.w3.org/2000/svg', width, height: Math.ceil(y), viewBox: `0 0 ${width} ${Math.ceil(y)}`});
  svg.append(make('rect', {width: '100%', height: '100%', fill: '#fff'}), ...nodes);
  return {text: new XMLSerializer().serializeToString(svg), width, height: Math.ceil(y)};
}

/** A chart with its legend below. */
function curves(title, {xs, series, options}, x, y, width) {
  const left = x + 52;
  const right = x + width - 8;
  const top = y + 28;
  const bottom = top + 170;
  const all = series.flatMap(s => s.values).filter(v => v !== null && Number.isFinite(v));
  let lo = options.low ?? Math.min(0, ...all);
  let hi = options.high ?? Math.max(...all);
  if (!(hi > lo)) hi = lo + 1;
  if (options.log) {
    lo = Math.log10(Math.min(...all)) - 0.1;
    hi = Math.log10(Math.max(...all)) + 0.1;
  }
  const px = v => left + ((v - xs[0] + 0.15) / (xs.at(-1) - xs[0] + 0.3)) * (right - left);
  const py = v => bottom - (((options.log ? Math.log10(v) : v) - lo) / (hi - lo)) * (bottom - top);
  const nodes = [words(x, y + 14, title, {weight: 600})];
  const ticks = options.log
    ? Array.from({length: Math.floor(hi) - Math.ceil(lo) + 1}, (_, i) => 10 ** (Math.ceil(lo) + i))
    : Array.from({length: 5}, (_, i) => lo + (i / 4) * (hi - lo));
  for (const tick of ticks) {
    nodes.push(make('line', {x1: left, x2: right, y1: py(tick), y2: py(tick), stroke: '#dde3ea'}));
    nodes.push(words(left - 6, py(tick) + 4, digits(tick), {anchor: 'end', size: 11, color: GRAY}));
  }
  const every = Math.ceil(xs.length / 12);
  for (const v of xs) if ((v - 1) % every === 0) nodes.push(words(px(v), bottom + 15, String(v), {anchor: 'middle', size: 11, color: GRAY}));
  nodes.push(words(right, bottom + 30, 'timestep', {anchor: 'end', size: 11, color: GRAY}));
  let labelX = left;
  let labelY = bottom + 46;
  for (const s of series) {
    const points = s.values.map((v, i) => (v === null || !Number.isFinite(v) ? null : [px(xs[i]), py(v)])).filter(Boolean);
    // Colors of the dark page would be pale on white.
    const color = LIGHT.get(s.color.toLowerCase()) ?? s.color;
    nodes.push(make('polyline', {points: points.map(p => p.map(v => v.toFixed(1)).join()).join(' '), fill: 'none', stroke: color, 'stroke-width': 2, 'stroke-dasharray': s.dash.join(' ') || 'none'}));
    for (const [cx, cy] of points) nodes.push(make('circle', {cx: cx.toFixed(1), cy: cy.toFixed(1), r: 3, fill: color}));
    const space = 34 + 6.6 * s.label.length;
    if (labelX + space > right && labelX > left) {
      labelX = left;
      labelY += 17;
    }
    nodes.push(make('line', {x1: labelX, x2: labelX + 20, y1: labelY - 4, y2: labelY - 4, stroke: color, 'stroke-width': 2, 'stroke-dasharray': s.dash.join(' ') || 'none'}));
    nodes.push(words(labelX + 25, labelY, s.label, {size: 12}));
    labelX += space;
  }
  return {nodes, height: labelY - y + 8};
}

/** Colors of the dark page and their counterparts on white. */
const LIGHT = new Map([
  ['#ff914d', '#c24f00'],
  ['#5db7f5', '#0072b2'],
  ['#3fd0a4', '#00795a'],
  ['#e79cc8', '#a3487f'],
  ['#aab6c2', '#5d6875'],
  ['#e9eff5', '#14202b'],
]);

async function raster(svg, width, height) {
  const url = URL.createObjectURL(svg);
  try {
    const image = new Image();
    image.src = url;
    await image.decode();
    const canvas = make('canvas', {width: 2 * width, height: 2 * height});
    canvas.getContext('2d').drawImage(image, 0, 0, 2 * width, 2 * height);
    return await new Promise(resolve => canvas.toBlob(resolve, 'image/png'));
  } finally {
    URL.revokeObjectURL(url);
  }
}

// ---- The page as one file ----

/** States are stored in 256 steps, everything else as the server sends it. */
function coarse({header, data}) {
  const from = new Uint16Array(data.buffer, data.byteOffset, data.length / 2);
  const out = new Uint8Array(from.length);
  for (let i = 0; i < out.length; i++) out[i] = Math.round(from[i] / 257);
  return {header: {...header, steps: 8, bytes: out.length}, data: out};
}

async function base64(blob) {
  const url = await new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.onload = () => resolve(reader.result);
    reader.onerror = () => reject(reader.error);
    reader.readAsDataURL(blob);
  });
  return url.slice(url.indexOf(',') + 1);
}

async function html({setup, source, columns, runRequest, unitRequest, progress}) {
  if (!source.live) throw new Error('This page is such a file already: copy it.');
  const parts = [];
  let size = 0;
  const keep = frame => {
    const entry = {header: frame.header, at: size};
    parts.push(frame.data);
    size += frame.data.length;
    return entry;
  };
  const runs = {};
  const units = {};
  let done = 0;
  for (const column of columns) {
    const entries = [];
    const body = {...runRequest(column).body, states: {site: '*', channel: 'all'}};
    await source.run(body, frame => {
      if (['start', 'image', 'edges', 'changes'].includes(frame.header.kind)) entries.push(keep(frame));
      else if (frame.header.kind === 'state') entries.push(keep(coarse(frame)));
    });
    runs[column.key] = entries;
    const request = unitRequest(column);
    if (request) {
      const frames = [];
      await source.unit(request.body, frame => {
        if (['traces', 'map'].includes(frame.header.kind)) frames.push(keep(frame));
      });
      units[column.key] = {unit: request.body.unit, frames};
    }
    progress.set(++done / (columns.length + 1));
  }
  const packed = new Response(new Blob(parts).stream().pipeThrough(new CompressionStream('gzip')));
  const data = await base64(await packed.blob());
  const index = {
    setup: {...setup, license: await source.text('uplot-license.txt')},
    address: location.hash.slice(1),
    runs,
    units,
  };
  const imports = {};
  for (const module of setup.modules) {
    const text = new Blob([await source.text(module)]);
    imports['view/' + module] = 'data:text/javascript;base64,' + (await base64(text));
  }
  const safe = text => text.replaceAll('</', '<\\/');
  const icon = 'data:image/svg+xml;base64,' + (await base64(new Blob([await source.text('icon.svg')])));
  const styles = `<style>\n${await source.text('uplot.css')}\n${await source.text('style.css')}</style>`;
  const scripts = [
    `<script type="importmap">${JSON.stringify({imports})}</script>`,
    `<script>\n/* uPlot ${setup.uplot}\n${index.setup.license}*/\n${safe(await source.text('uplot.js'))}\n</script>`,
    `<script type="application/json" id="stored">${safe(JSON.stringify(index))}</script>`,
    `<script type="text/plain" id="stored-data">${data}</script>`,
    `<script type="module">import 'view/main.js';</script>`,
  ];
  let text = await source.text('./');
  text = text.replace(/<link rel="icon"[^>]*>/, () => `<link rel="icon" href="${icon}">`);
  text = text.replace(/<link rel="stylesheet"[^>]*>\s*/g, '').replace('</head>', () => styles + '\n</head>');
  text = text.replace(/<script[^>]*>[\s\S]*?<\/script>\s*/g, '').replace('</body>', () => scripts.join('\n') + '\n</body>');
  return new Blob([text], {type: 'text/html'});
}
