// The cards of edges and of states: pictures of each column at the timestep shown.

import {state, shownTimestep} from 'view/state.js';
import {colored, digits, drawMaps, drawScale, gridColumns, gridGap, make, scaleOf, sized} from 'view/colors.js';

/** Color of edges over a photo. */
const EDGE = [255, 176, 0];

/** Reuses the children of an element, one for each column. */
function children(element, columns, create) {
  const old = new Map([...element.children].map(child => [child.dataset.key, child]));
  const wanted = columns.map(column => {
    const child = old.get(column.key) ?? create(column);
    child.dataset.key = column.key;
    return child;
  });
  for (const child of [...element.children]) if (!wanted.includes(child)) child.remove();
  wanted.forEach((child, i) => {
    if (element.children[i] !== child) element.insertBefore(child, element.children[i] ?? null);
  });
  return wanted;
}

/** A canvas with marks over it, whose clicks and moves are told in pixels of its content. */
export function stage(label, {click, hover, paint}) {
  const canvas = make('canvas', {role: 'img', 'aria-label': label});
  const marks = make('svg', {'aria-hidden': 'true'});
  const element = make('div', {class: 'stage'}, canvas, marks);
  const at = event => {
    const box = canvas.getBoundingClientRect();
    return [((event.clientX - box.left) / box.width) * canvas.width, ((event.clientY - box.top) / box.height) * canvas.height];
  };
  let painting = false;
  element.addEventListener('pointerdown', event => {
    if (!paint || !paint.active() || event.button !== 0) return;
    painting = true;
    element.setPointerCapture(event.pointerId);
    paint.start(...at(event), canvas);
  });
  element.addEventListener('pointermove', event => {
    if (painting) paint.move(...at(event));
    hover?.(...at(event));
  });
  const end = () => {
    if (painting) paint.end();
    painting = false;
  };
  element.addEventListener('pointerup', end);
  element.addEventListener('pointercancel', end);
  element.addEventListener('pointerleave', () => hover?.(null));
  element.addEventListener('click', event => {
    if (!paint?.active()) click?.(...at(event));
  });
  return {element, canvas, marks};
}

/** A cross at a place, readable on any ground. */
export function crosshair(x, y, size) {
  const path = `M${x - size} ${y}H${x - size / 3}M${x + size / 3} ${y}H${x + size}M${x} ${y - size}V${y - size / 3}M${x} ${y + size / 3}V${y + size}`;
  return [make('path', {class: 'crosshair outer', d: path}), make('path', {class: 'crosshair', d: path})];
}

/** Marks over an image: the unit and the lights, in pixels of the image. */
function imageMarks(svg, run, lights, preview) {
  svg.setAttribute('viewBox', `0 0 ${run.width} ${run.height}`);
  svg.setAttribute('preserveAspectRatio', 'none');
  const marks = [];
  const t = shownTimestep(run.timesteps) + 1;
  for (const light of [...lights, ...(preview ? [preview] : [])]) {
    const on = t >= light.from && t <= light.to;
    for (const [x, y, r] of light.discs) {
      marks.push(make('circle', {class: `lit ${light.population} ${light.kind}`, cx: x, cy: y, r, opacity: on ? 1 : 0.3}));
    }
  }
  if (state.unit) marks.push(...crosshair(state.unit.x + 0.5, state.unit.y + 0.5, Math.max(run.width, run.height) / 30));
  svg.replaceChildren(...marks);
}

export class EdgesCard {
  #element = document.getElementById('stages');
  #stages = new Map();
  #hooks;
  preview = null;

  /** Hooks: click(x, y); paint. */
  constructor(hooks) {
    this.#hooks = hooks;
  }

  draw(columns, runs) {
    const scale = this.#changeScale(columns, runs);
    children(this.#element, columns, column => this.#create(column));
    for (const column of columns) {
      const run = runs.get(column.key);
      const {stage, name, value, figure} = this.#stages.get(column.key);
      name.textContent = column.title;
      figure.dataset.timestep = '';
      if (!run?.image) continue;
      const t = Math.min(shownTimestep(run.timesteps), run.edges.length - 1);
      this.#paint(stage.canvas, run, t, scale);
      imageMarks(stage.marks, run, column.perturbed ? state.lights : [], column === columns.at(-1) ? this.preview : null);
      figure.dataset.timestep = t + 1;
      stage.canvas.setAttribute('aria-label', `${column.title}: edges at timestep ${t + 1}`);
      if (t >= 0) value.textContent = value.dataset.hover ?? `mean ${digits(mean(run.edges[t]))}`;
    }
    const change = document.getElementById('change-scale');
    change.hidden = state.mode !== 'change';
    document.getElementById('alpha-label').hidden = state.mode !== 'over';
    if (!change.hidden) drawScale(change, scale, 'change of the probability since the timestep before');
  }

  #changeScale(columns, runs) {
    if (state.mode !== 'change') return null;
    const all = columns.flatMap(c => {
      const run = runs.get(c.key);
      return run ? run.edges.slice(1).map((e, t) => e.map((v, i) => v - run.edges[t][i])) : [];
    });
    return scaleOf(all, true);
  }

  #create(column) {
    const value = make('span', {class: 'value'});
    const name = make('span', {class: 'name'});
    const hover = (x, y) => {
      const run = this.#hooks.run(column.key);
      const t = run ? Math.min(shownTimestep(run.timesteps), run.edges.length - 1) : -1;
      if (x === null || t < 0) {
        delete value.dataset.hover;
        if (t >= 0) value.textContent = `mean ${digits(mean(run.edges[t]))}`;
        return;
      }
      const px = Math.min(run.width - 1, Math.max(0, Math.floor(x)));
      const py = Math.min(run.height - 1, Math.max(0, Math.floor(y)));
      value.textContent = value.dataset.hover = `${digits(run.edges[t][py * run.width + px])} at ${px}, ${py}`;
    };
    const made = stage('edges', {click: this.#hooks.click, hover, paint: this.#hooks.paint});
    const figure = make('figure', {}, made.element, make('figcaption', {}, name, value));
    this.#stages.set(column.key, {stage: made, name, value, figure});
    return figure;
  }

  #paint(canvas, run, t, scale) {
    const context = sized(canvas, run.width, run.height);
    if (state.mode === 'change' && t >= 0) {
      const now = run.edges[t];
      const before = t > 0 ? run.edges[t - 1] : null;
      const change = now.map((v, i) => (before ? v - before[i] : 0));
      context.putImageData(colored(change, run.width, run.height, scale), 0, 0);
      return;
    }
    const picture = new ImageData(run.width, run.height);
    const out = picture.data;
    const edges = t >= 0 && state.mode !== 'photo' ? run.edges[t] : null;
    for (let i = 0, o = 0, s = 0; o < out.length; i++, o += 4, s += 3) {
      out[o + 3] = 255;
      if (state.mode === 'edges') {
        out[o] = out[o + 1] = out[o + 2] = edges ? 255 * edges[i] : 0;
      } else if (edges) {
        // The photo steps back: gray and darker, so that edges stand out for everybody.
        const gray = 0.55 * (0.3 * run.image[s] + 0.59 * run.image[s + 1] + 0.11 * run.image[s + 2]);
        const p = state.alpha * edges[i];
        for (let c = 0; c < 3; c++) out[o + c] = (1 - p) * (0.75 * gray + 0.25 * 0.6 * run.image[s + c]) + p * EDGE[c];
      } else {
        for (let c = 0; c < 3; c++) out[o + c] = run.image[s + c];
      }
    }
    context.putImageData(picture, 0, 0);
  }

  canvas(key) {
    return this.#stages.get(key)?.stage.canvas;
  }
}

function mean(values) {
  let sum = 0;
  for (const v of values) sum += v;
  return sum / values.length;
}

export class StatesCard {
  #element = document.getElementById('states');
  #figures = new Map();
  #hooks;
  scale = null;

  /** Hooks: click(x, y, channel), pixels of the image; run(key). */
  constructor(hooks) {
    this.#hooks = hooks;
  }

  /** One scale for both populations, all columns and all timesteps. */
  #scaleFor(columns, runs) {
    const all = columns.map(c => runs.get(c.key)?.states).filter(Boolean);
    return scaleOf(all.flatMap(s => [...s.E, ...s.I].filter(Boolean).map(m => m.values)));
  }

  draw(columns, runs) {
    this.scale = this.#scaleFor(columns, runs);
    children(this.#element, columns, column => this.#create(column));
    this.#element.classList.toggle('several', columns.length > 1);
    for (const column of columns) {
      const run = runs.get(column.key);
      const figure = this.#figures.get(column.key);
      const states = run?.states;
      figure.name.textContent = columns.length > 1 ? column.title : '';
      figure.name.parentElement.hidden = columns.length < 2;
      if (!states) continue;
      const t = shownTimestep(run.timesteps);
      for (const population of ['E', 'I']) {
        const maps = states[population][Math.min(t, states[population].length - 1)];
        const part = figure[population];
        part.figure.hidden = !maps;
        if (!maps) continue;
        drawMaps(part.stage.canvas, maps, this.scale);
        part.stage.element.classList.toggle('grid', maps.channels > 1);
        part.stage.canvas.setAttribute('aria-label', `${column.title}: ${population} of ${states.site} at timestep ${t + 1}`);
        part.value.textContent = part.value.dataset.hover ?? `mean ${digits(mean(maps.values))}`;
        this.#mark(part.stage.marks, run, maps);
      }
    }
    const channel = state.channel === 'mean' ? 'mean of channels' : state.channel === 'all' ? 'each channel' : `channel ${state.channel}`;
    drawScale(document.getElementById('state-scale'), this.scale, `activity, ${channel}; one scale for E, I and all timesteps`);
  }

  #mark(svg, run, maps) {
    const columns = gridColumns(maps.channels);
    const gap = maps.channels > 1 ? gridGap(maps.width) : 0;
    const rows = Math.ceil(maps.channels / columns);
    svg.setAttribute('viewBox', `0 0 ${columns * (maps.width + gap) - gap} ${rows * (maps.height + gap) - gap}`);
    svg.setAttribute('preserveAspectRatio', 'none');
    svg.replaceChildren();
    if (!state.unit) return;
    const channel = maps.channels > 1 ? (state.unit.channel ?? run.unitChannel ?? -1) : 0;
    if (channel < 0) return;
    const x = (channel % columns) * (maps.width + gap) + Math.floor(state.unit.x / 2 ** maps.level) + 0.5;
    const y = Math.floor(channel / columns) * (maps.height + gap) + Math.floor(state.unit.y / 2 ** maps.level) + 0.5;
    svg.append(...crosshair(x, y, Math.max(maps.width, maps.height) / (maps.channels > 1 ? 10 : 22)));
  }

  /** The place under the pointer: pixel of the image, channel, value. */
  #place(run, population, x, y) {
    const states = run?.states;
    const maps = states?.[population][Math.min(shownTimestep(run.timesteps), states[population].length - 1)];
    if (!maps) return null;
    const columns = gridColumns(maps.channels);
    const gap = maps.channels > 1 ? gridGap(maps.width) : 0;
    const tile = [Math.floor(x / (maps.width + gap)), Math.floor(y / (maps.height + gap))];
    const px = Math.floor(x - tile[0] * (maps.width + gap));
    const py = Math.floor(y - tile[1] * (maps.height + gap));
    const c = tile[1] * columns + tile[0];
    if (px < 0 || py < 0 || px >= maps.width || py >= maps.height || c >= maps.channels || tile[0] >= columns) return null;
    const channel = maps.channels > 1 ? c : typeof state.channel === 'number' ? state.channel : null;
    const half = 2 ** maps.level / 2;
    return {
      x: Math.floor(px * 2 ** maps.level + half),
      y: Math.floor(py * 2 ** maps.level + half),
      channel,
      value: maps.values[(c * maps.height + py) * maps.width + px],
      text: `${channel === null ? '' : `ch ${channel} `}at ${px}, ${py}`,
    };
  }

  #create(column) {
    const name = make('span', {class: 'name'});
    const parts = {};
    for (const population of ['E', 'I']) {
      const value = make('span', {class: 'value'});
      const run = () => this.#hooks.run(column.key);
      const made = stage(population, {
        click: (x, y) => {
          const place = this.#place(run(), population, x, y);
          if (place) this.#hooks.click(place.x, place.y, place.channel, population);
        },
        hover: (x, y) => {
          const place = x === null ? null : this.#place(run(), population, x, y);
          if (place) value.textContent = value.dataset.hover = `${digits(place.value)} ${place.text}`;
          else delete value.dataset.hover;
        },
      });
      const title = make('span', {class: `population-${population.toLowerCase()}`}, population, make('span', {class: 'word'}, population === 'E' ? ' excitatory' : ' inhibitory'));
      parts[population] = {stage: made, value, figure: make('figure', {}, made.element, make('figcaption', {}, title, value))};
    }
    const figure = make('figure', {}, make('div', {class: 'populations'}, parts.E.figure, parts.I.figure), make('figcaption', {}, name));
    this.#figures.set(column.key, {name, ...parts});
    return figure;
  }

  canvas(key, population) {
    const part = this.#figures.get(key)?.[population];
    return part && !part.figure.hidden ? part.stage.canvas : null;
  }
}
