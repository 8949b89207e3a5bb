// Everything that is chosen: input, networks, lesions, light, layer, time.

import {change, state, siteOf, shownTimestep, timestepsOf} from 'view/state.js';
import {make} from 'view/colors.js';

const $ = id => document.getElementById(id);

function press(container, attribute, value) {
  for (const button of container.querySelectorAll('button')) {
    button.setAttribute('aria-pressed', String(button.dataset[attribute] === value));
  }
}

export class Controls {
  #setup;
  #source;
  #hooks;
  #timer = null;
  brush = false;

  /** Hooks: failed(error), peak(population), unitShown(), drawn(). */
  constructor(setup, source, hooks) {
    this.#setup = setup;
    this.#source = source;
    this.#hooks = hooks;
    this.#input();
    this.#networks();
    this.#layer();
    this.#light();
    this.#time();
    this.#theme();
    this.#keys();
    $('help').addEventListener('click', () => $('help-dialog').showModal());
    if (!source.live) {
      for (const id of ['input-card', 'nets-card', 'lesion-card', 'light-card', 'timesteps']) {
        for (const field of [$(id), ...$(id).querySelectorAll('input, select, button')]) {
          if ('disabled' in field) field.disabled = true;
        }
      }
    }
    this.show();
  }

  get #network() {
    return this.#setup.networks.find(n => n.id === state.nets[0]);
  }

  // ---- Input ----

  #input() {
    const kinds = [['photo', 'Photo'], ...this.#setup.stimuli.map(s => [s.type, s.title])];
    for (const [type, title] of kinds) {
      const choose = () => (type === 'photo' && !state.photo ? $('file').click() : change({input: type, unit: null, lights: []}));
      $('input').append(make('button', {'data-input': type, onclick: choose}, title));
    }
    for (const side of [160, 224, 256, 320, 400, 480, 640, 800, 1024]) {
      if (side <= this.#setup.maxSide) $('side').append(make('option', {value: side}, `${side} px`));
    }
    if (![...$('side').options].some(o => Number(o.value) === state.side)) $('side').prepend(make('option', {value: state.side}, `${state.side} px`));
    $('side').addEventListener('change', () => change({side: Number($('side').value), unit: null, lights: []}));
    $('file').addEventListener('change', () => {
      if ($('file').files.length) this.photo($('file').files[0]);
      $('file').value = '';
    });
    if (!this.#source.live) return;
    let depth = 0;
    const files = event => [...(event.dataTransfer?.types ?? [])].includes('Files');
    addEventListener('dragenter', event => {
      if (files(event)) $('dropping').hidden = ++depth < 1;
    });
    addEventListener('dragleave', event => {
      if (files(event)) $('dropping').hidden = --depth < 1;
    });
    addEventListener('dragover', event => event.preventDefault());
    addEventListener('drop', event => {
      event.preventDefault();
      depth = 0;
      $('dropping').hidden = true;
      if (event.dataTransfer.files.length) this.photo(event.dataTransfer.files[0]);
    });
  }

  /** Sends a photo and shows it. */
  async photo(file) {
    $('photo-name').textContent = `reading ${file.name} …`;
    try {
      const photo = await this.#source.photo(file);
      this.#hooks.failed(null);
      change({photo, input: 'photo', unit: null, lights: []});
    } catch (error) {
      this.#hooks.failed(error);
      this.show();
    }
  }

  #sliders() {
    const kind = this.#setup.stimuli.find(s => s.type === state.input);
    $('photo-controls').hidden = Boolean(kind);
    $('stimulus-controls').hidden = !kind;
    $('photo-name').textContent = state.photo ? `${state.photo.name}: drop another one, or choose` : 'Drop a photo here, or choose one';
    if (!kind) return;
    $('stimulus-words').textContent = kind.words;
    if ($('sliders').dataset.kind !== kind.type) {
      $('sliders').dataset.kind = kind.type;
      $('sliders').replaceChildren(
        ...kind.sliders.map(s => {
          const range = make('input', {type: 'range', min: s.min, max: s.max, step: s.step, 'data-slider': s.name, disabled: !this.#source.live});
          range.addEventListener('input', () => {
            const values = {...state.sliders[kind.type], [s.name]: Number(range.value)};
            change({sliders: {...state.sliders, [kind.type]: values}});
          });
          return make('label', {class: 'row'}, s.label + ' ', range, make('output'));
        }),
      );
    }
    for (const s of kind.sliders) {
      const range = $('sliders').querySelector(`[data-slider="${s.name}"]`);
      const value = state.sliders[kind.type][s.name];
      if (Number(range.value) !== value) range.value = value;
      range.parentElement.querySelector('output').textContent = `${value}${s.unit === '°' ? '' : ' '}${s.unit}`.replace('-', '−');
    }
  }

  // ---- Networks, lesions ----

  #networks() {
    for (const network of this.#setup.networks) {
      const box = make('input', {type: 'checkbox', value: network.id});
      box.addEventListener('change', () => {
        const chosen = this.#setup.networks.map(n => n.id).filter(id => (id === network.id ? box.checked : state.nets.includes(id)));
        if (chosen.length) change({nets: chosen});
        else box.checked = true;
      });
      const millions = (network.parameters / 1e6).toPrecision(2);
      const steps = network.timesteps === 1 ? '1 timestep' : `${network.timesteps} timesteps`;
      $('nets').append(
        make('label', {class: 'check'}, box, make('span', {}, network.title, make('small', {}, `${millions} M parameters, ${steps}${network.trained ? '' : ', untrained'}`))),
      );
    }
    for (const [id, words] of Object.entries(this.#setup.lesions)) {
      const box = make('input', {type: 'checkbox', value: id, role: 'switch'});
      box.addEventListener('change', () => {
        change({lesions: Object.keys(this.#setup.lesions).filter(l => (l === id ? box.checked : state.lesions.includes(l)))});
      });
      $('lesions').append(make('label', {class: 'check'}, box, make('span', {}, words[0].toUpperCase() + words.slice(1))));
    }
  }

  // ---- Layer, channel, mode ----

  #layer() {
    $('site').addEventListener('change', () => this.site($('site').value));
    $('channel').addEventListener('change', () => {
      const value = $('channel').value;
      change({channel: ['mean', 'all'].includes(value) ? value : Number(value)});
    });
    for (const button of $('mode').children) button.addEventListener('click', () => change({mode: button.dataset.mode}));
    $('alpha').addEventListener('input', () => change({alpha: Number($('alpha').value)}));
    for (const button of $('population').children) button.addEventListener('click', () => change({population: button.dataset.population}));
    for (const button of $('measure').children) button.addEventListener('click', () => change({measure: button.dataset.measure}));
    $('whole').addEventListener('change', () => change({whole: $('whole').checked}));
    $('unit-previous').addEventListener('click', () => this.#unitChannel(-1));
    $('unit-next').addEventListener('click', () => this.#unitChannel(1));
  }

  site(name) {
    const unit = state.unit ? {...state.unit, channel: null} : null;
    change({site: name, channel: typeof state.channel === 'number' ? 'mean' : state.channel, unit});
  }

  #unitChannel(step) {
    const shown = this.#hooks.unitShown();
    if (!state.unit || !shown) return;
    const channel = (shown.channel + step + shown.channels) % shown.channels;
    change({unit: {...state.unit, channel}});
  }

  #sites() {
    const network = this.#network;
    const site = siteOf(network, state.site, this.#setup);
    const options = network.sites.map(s => {
      const words = `${s.name}: level ${s.level + 1}${s.feedback ? ', feedback' : ''}, ${s.channels} channels`;
      return make('option', {value: s.name}, words);
    });
    $('site').replaceChildren(...options);
    $('site').value = site.name;
    $('channel').replaceChildren(
      make('option', {value: 'mean'}, 'mean of all'),
      make('option', {value: 'all'}, `all ${site.channels}`),
      ...Array.from({length: site.channels}, (_, c) => make('option', {value: c}, `channel ${c}`)),
    );
    $('channel').value = state.channel;
  }

  // ---- Light ----

  #light() {
    $('brush').addEventListener('click', () => this.pickBrush(!this.brush));
    $('light-clear').addEventListener('click', () => change({lights: []}));
    $('light-unit').addEventListener('click', () => {
      if (!state.unit) this.#hooks.failed(new Error('Choose a unit first: click a place in the image.'));
      else this.addLight([[state.unit.x, state.unit.y, Number($('light-radius').value)]]);
    });
    for (const id of ['light-strength', 'light-radius', 'light-kind']) $(id).addEventListener('input', () => this.#lightWords());
    this.#lightWords();
  }

  #lightWords() {
    $('light-strength-row').hidden = $('light-kind').value === 'silence';
    $('light-strength-row').querySelector('output').textContent = `${$('light-strength').value} × largest`;
    $('light-radius').parentElement.querySelector('output').textContent = `${$('light-radius').value} px`;
  }

  pickBrush(on) {
    this.brush = on && this.#source.live;
    $('brush').setAttribute('aria-pressed', String(this.brush));
    $('edges-card').classList.toggle('brushing', this.brush);
    $('edges-hint').textContent = this.brush ? 'Paint on the image where light shall fall; Esc ends it.' : 'Click a place to look into its unit.';
  }

  /** A light of the chosen kind. */
  lightOf(discs) {
    const kind = $('light-kind').value;
    const population = $('light-population').value;
    const from = Math.max(1, Number($('light-from').value) || 1);
    const strength = kind === 'silence' ? 0 : Number((Number($('light-strength').value) * this.#hooks.peak(population)).toPrecision(3));
    const site = siteOf(this.#network, state.site, this.#setup).name;
    return {site, population, kind, strength, from, to: Math.max(from, Number($('light-to').value) || from), discs};
  }

  /** Adds to the last light where it is of the same kind. */
  addLight(discs) {
    const light = this.lightOf(discs);
    const last = state.lights.at(-1);
    const same = last && ['site', 'population', 'kind', 'strength', 'from', 'to'].every(k => last[k] === light[k]);
    const lights = same ? [...state.lights.slice(0, -1), {...last, discs: [...last.discs, ...discs].slice(0, 256)}] : [...state.lights, light];
    if (lights.length > 16) this.#hooks.failed(new Error('At most 16 lights can be on: clear some.'));
    else change({lights});
  }

  get radius() {
    return Number($('light-radius').value);
  }

  #lights() {
    $('lights').replaceChildren(
      ...state.lights.map((light, k) =>
        make(
          'li',
          {},
          make('span', {}, make('b', {class: `population-${light.population.toLowerCase()}`}, light.population), ` of ${light.site}: ${light.kind === 'silence' ? 'silenced' : `driven by ${light.strength}`}, steps ${light.from} to ${Math.min(light.to, timestepsOf(this.#setup))}`),
          make('button', {class: 'button small', 'aria-label': 'Remove this light', disabled: !this.#source.live, onclick: () => change({lights: state.lights.filter((l, i) => i !== k)})}, '×'),
        ),
      ),
    );
  }

  // ---- Time ----

  #time() {
    $('time').addEventListener('input', () => this.go(Number($('time').value) - 1));
    $('play').addEventListener('click', () => this.play());
    $('first').addEventListener('click', () => this.go(0));
    $('back').addEventListener('click', () => this.step(-1));
    $('forward').addEventListener('click', () => this.step(1));
    $('timesteps').addEventListener('change', () => change({T: Number($('timesteps').value), t: -1}));
  }

  get playing() {
    return this.#timer !== null;
  }

  go(t) {
    const last = timestepsOf(this.#setup) - 1;
    change({t: Math.min(last, Math.max(0, t))});
  }

  step(by) {
    this.go(shownTimestep(timestepsOf(this.#setup)) + by);
  }

  play(on = this.#timer === null) {
    clearInterval(this.#timer);
    this.#timer = null;
    if (on) {
      const next = () => {
        const steps = timestepsOf(this.#setup);
        change({t: (shownTimestep(steps) + 1) % steps});
      };
      next();
      this.#timer = setInterval(next, 600);
    }
    $('play').querySelector('path').setAttribute('d', on ? 'M4 3h3v10H4zM9 3h3v10H9z' : 'M4 3l9 5-9 5z');
    $('play').setAttribute('aria-label', on ? 'Pause' : 'Play');
    if (!on) change({});
  }

  #timesteps() {
    const own = this.#network.timesteps;
    const steps = timestepsOf(this.#setup);
    const choices = [...new Set([own, 1, 2, 3, 4, 6, 8, 12, 16, 24, 32, steps])].filter(n => n <= this.#setup.maxTimesteps).sort((a, b) => a - b);
    $('timesteps').replaceChildren(...choices.map(n => make('option', {value: n === own ? 0 : n}, n === own ? `${n} (its own)` : n)));
    $('timesteps').value = state.T === own ? 0 : state.T;
    const t = shownTimestep(steps);
    $('time').max = steps;
    $('time').value = t + 1;
    $('time').disabled = steps < 2;
    $('time-text').replaceChildren(make('span', {class: 'word'}, 'timestep '), String(t + 1));
    $('ticks').replaceChildren(...(steps <= 16 ? Array.from({length: steps}, (_, i) => make('span', {}, String(i + 1))) : []));
  }

  // ---- Theme, keys ----

  #theme() {
    const dark = matchMedia('(prefers-color-scheme: dark)');
    this.apply = () => {
      document.documentElement.dataset.theme = state.theme || (dark.matches ? 'dark' : 'light');
    };
    dark.addEventListener('change', () => change({}));
    $('theme').addEventListener('click', () => this.toggleTheme());
    this.apply();
  }

  toggleTheme() {
    change({theme: document.documentElement.dataset.theme === 'dark' ? 'light' : 'dark'});
  }

  #keys() {
    addEventListener('keydown', event => {
      const target = event.target;
      const field = target.closest('input:not([type="checkbox"]), select, dialog');
      const button = target.closest('button, summary, [type="checkbox"]');
      if (event.ctrlKey || event.metaKey || event.altKey) return;
      if (event.key === 'Escape' && this.brush) this.pickBrush(false);
      if (field || (button && (event.key === ' ' || event.key === 'Enter'))) return;
      const action = event.shiftKey && event.key.startsWith('Arrow') ? this.#moves[event.key] : this.#actions[event.key.length === 1 ? event.key.toLowerCase() : event.key];
      if (action) {
        event.preventDefault();
        action();
      }
    });
  }

  #moves = {
    ArrowLeft: () => this.#moveUnit(-1, 0),
    ArrowRight: () => this.#moveUnit(1, 0),
    ArrowUp: () => this.#moveUnit(0, -1),
    ArrowDown: () => this.#moveUnit(0, 1),
  };

  #actions = {
    ' ': () => this.play(),
    ArrowLeft: () => this.step(-1),
    ArrowRight: () => this.step(1),
    Home: () => this.go(0),
    End: () => this.go(Infinity),
    '[': () => this.#nextSite(-1),
    ']': () => this.#nextSite(1),
    c: () => this.#nextChannel(),
    u: () => this.#hooks.centerUnit(),
    ',': () => this.#unitChannel(-1),
    '.': () => this.#unitChannel(1),
    m: () => {
      const modes = ['over', 'edges', 'photo', 'change'];
      change({mode: modes[(modes.indexOf(state.mode) + 1) % modes.length]});
    },
    b: () => this.pickBrush(!this.brush),
    d: () => this.toggleTheme(),
    '?': () => $('help-dialog').showModal(),
  };

  #nextSite(by) {
    const sites = this.#network.sites;
    const at = sites.findIndex(s => s.name === siteOf(this.#network, state.site, this.#setup).name);
    const next = sites[at + by];
    if (next) this.site(next.name);
  }

  #nextChannel() {
    change({channel: state.channel === 'mean' ? 'all' : state.channel === 'all' ? (state.unit?.channel ?? 0) : 'mean'});
  }

  #moveUnit(dx, dy) {
    if (!state.unit) return this.#hooks.centerUnit();
    const step = 2 ** siteOf(this.#network, state.site, this.#setup).level;
    const {width, height} = this.#hooks.size();
    const x = Math.min(width - 1, Math.max(0, state.unit.x + dx * step));
    const y = Math.min(height - 1, Math.max(0, state.unit.y + dy * step));
    change({unit: {...state.unit, x, y}});
  }

  /** Shows the state in all controls. */
  show() {
    this.apply();
    press($('input'), 'input', state.input);
    press($('mode'), 'mode', state.mode);
    press($('population'), 'population', state.population);
    press($('measure'), 'measure', state.measure);
    $('alpha').value = state.alpha;
    $('whole').checked = state.whole;
    $('side').value = state.side;
    for (const box of $('nets').querySelectorAll('input')) box.checked = state.nets.includes(box.value);
    const possible = state.nets.flatMap(id => this.#setup.networks.find(n => n.id === id).lesions);
    for (const box of $('lesions').querySelectorAll('input')) {
      box.checked = state.lesions.includes(box.value);
      box.disabled = !this.#source.live || !possible.includes(box.value);
    }
    this.#sliders();
    this.#sites();
    this.#lights();
    this.#timesteps();
    const network = this.#network;
    $('about').textContent = `${network.name}, ${network.title}${this.#source.live ? '' : ' · stored page: what was computed when it was made'}`;
  }
}
