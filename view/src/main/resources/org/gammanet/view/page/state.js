// What the page shows. All of it is in the address, so that a reload or a bookmark shows it again.

export const state = {
  input: '', // 'photo', or the type of a stimulus
  photo: null, // {id, name, width, height}
  side: 320, // working size of photos, pixels
  sliders: {}, // by type of stimulus, values by name
  nets: [], // identifiers of networks, side by side
  T: 0, // timesteps; 0 for the first network's own
  t: -1, // timestep shown, from 0; -1 for the last
  mode: 'over', // over, edges, photo, change
  alpha: 0.9, // strength of edges over the photo
  site: '', // cell whose states are shown
  channel: 'mean', // mean, all or a number
  unit: null, // {x, y, channel}: pixels of the image; channel null for the most active
  population: 'E', // of the unit whose input is shown
  measure: 'input', // input or gradient
  whole: false, // whether maps of inputs show the whole layer
  lesions: [],
  lights: [], // {site, population, kind, strength, from, to, discs: [[x, y, r], …]}
  theme: '', // light, dark; empty for the system's
};

const listeners = [];

/** Calls back with the names of what has changed. */
export function onChange(listener) {
  listeners.push(listener);
}

/** Changes the state, the address and everything that follows from them. */
export function change(patch) {
  Object.assign(state, patch);
  history.replaceState(null, '', '#' + address());
  for (const listener of listeners) listener(Object.keys(patch));
}

/** The last timestep is meant where none is chosen, or where there are fewer. */
export function shownTimestep(timesteps) {
  return state.t < 0 || state.t >= timesteps ? timesteps - 1 : state.t;
}

const DISC = /^(-?\d+)\.(-?\d+)\.(\d+)$/;

function address() {
  const out = new URLSearchParams();
  out.set('input', state.input);
  if (state.photo) out.set('photo', [state.photo.id, state.photo.name].join('~'));
  out.set('side', state.side);
  for (const [name, value] of Object.entries(state.sliders[state.input] ?? {})) out.set('s.' + name, value);
  out.set('nets', state.nets.join(','));
  if (state.T) out.set('T', state.T);
  if (state.t >= 0) out.set('t', state.t + 1);
  out.set('mode', state.mode);
  if (state.alpha !== 0.9) out.set('alpha', state.alpha);
  out.set('site', state.site);
  out.set('channel', state.channel);
  if (state.unit) {
    const {x, y, channel} = state.unit;
    out.set('unit', channel === null ? `${x}.${y}` : `${x}.${y}.${channel}`);
  }
  out.set('pop', state.population);
  if (state.measure !== 'input') out.set('measure', state.measure);
  if (state.whole) out.set('whole', 1);
  if (state.lesions.length) out.set('lesions', state.lesions.join(','));
  for (const light of state.lights) {
    const {site, population, kind, strength, from, to, discs} = light;
    const strokes = discs.map(d => d.map(Math.round).join('.')).join('_');
    out.append('light', [site, population, kind, strength, from, to, strokes].join('~'));
  }
  if (state.theme) out.set('theme', state.theme);
  return out.toString();
}

/** Reads the address; what does not fit to this server is left as it is. */
export function readAddress(setup) {
  const given = new URLSearchParams(location.hash.slice(1));
  const text = (name, allowed, otherwise) => (allowed.includes(given.get(name)) ? given.get(name) : otherwise);
  const number = (name, least, most, otherwise) => {
    const value = given.has(name) ? Number(given.get(name)) : NaN;
    return value >= least && value <= most ? value : otherwise;
  };
  const first = setup.networks[0];
  state.photo = setup.photo ?? null;
  if (given.get('photo')) {
    const [id, ...name] = given.get('photo').split('~');
    if (id !== state.photo?.id) state.photo = {id, name: name.join('~')};
  }
  const kinds = setup.stimuli.map(s => s.type);
  state.input = text('input', state.photo ? ['photo', ...kinds] : kinds, state.photo ? 'photo' : kinds[1]);
  for (const kind of setup.stimuli) {
    const values = Object.fromEntries(kind.sliders.map(s => [s.name, s.value]));
    if (kind.type === state.input) {
      for (const s of kind.sliders) values[s.name] = number('s.' + s.name, s.min, s.max, s.value);
    }
    state.sliders[kind.type] = values;
  }
  state.side = number('side', 32, setup.maxSide, setup.side);
  const known = setup.networks.map(n => n.id);
  state.nets = (given.get('nets') ?? '').split(',').filter(n => known.includes(n));
  if (!state.nets.length) state.nets = setup.networks.filter(n => n.id !== 'random' || n === first).map(n => n.id);
  state.T = number('T', 0, setup.maxTimesteps, 0);
  state.t = number('t', 1, setup.maxTimesteps, 0) - 1;
  state.mode = text('mode', ['over', 'edges', 'photo', 'change'], 'over');
  state.alpha = number('alpha', 0, 1, 0.9);
  const sites = setup.networks.flatMap(n => n.sites.map(s => s.name));
  state.site = text('site', sites, first.sites[0].name);
  const channel = given.get('channel') ?? 'mean';
  state.channel = ['mean', 'all'].includes(channel) ? channel : Math.max(0, parseInt(channel, 10) || 0);
  const unit = (given.get('unit') ?? '').split('.').map(Number);
  if (unit.length > 1 && unit.every(v => v >= 0)) state.unit = {x: unit[0], y: unit[1], channel: unit[2] ?? null};
  state.population = text('pop', ['E', 'I'], 'E');
  state.measure = text('measure', ['input', 'gradient'], 'input');
  state.whole = given.has('whole');
  state.lesions = (given.get('lesions') ?? '').split(',').filter(l => l in setup.lesions);
  state.lights = given.getAll('light').flatMap(text => {
    const [site, population, kind, strength, from, to, strokes] = text.split('~');
    const discs = (strokes ?? '').split('_').map(d => DISC.exec(d)?.slice(1).map(Number)).filter(Boolean);
    const fits = sites.includes(site) && ['E', 'I'].includes(population) && ['silence', 'drive'].includes(kind);
    return fits && discs.length
      ? [{site, population, kind, strength: Number(strength) || 0, from: Number(from) || 1, to: Number(to) || 1, discs}]
      : [];
  });
  state.theme = text('theme', ['light', 'dark'], '');
}

/** The columns of the page: each network, and with lesions or lights each of them perturbed. */
export function columns(setup) {
  const perturbed = state.lesions.length > 0 || state.lights.length > 0;
  return state.nets.flatMap(id => {
    const network = setup.networks.find(n => n.id === id);
    const alone = state.nets.length === 1;
    const named = words => (alone ? words : `${network.title}, ${words}`);
    return perturbed
      ? [
          {key: id, network, perturbed: false, title: named('intact')},
          {key: id + '*', network, perturbed: true, title: named('perturbed')},
        ]
      : [{key: id, network, perturbed: false, title: network.title}];
  });
}

/** The cell of a network that stands for the chosen one: itself, or one of the same level. */
export function siteOf(network, name, setup) {
  const own = network.sites.find(s => s.name === name);
  if (own) return own;
  const chosen = setup.networks.flatMap(n => n.sites).find(s => s.name === name);
  return network.sites.find(s => s.level === chosen?.level && s.feedback === chosen.feedback) ?? network.sites[0];
}

/** What the server is asked for, without states. */
export function requestOf(column, setup) {
  const perturbed = column.perturbed;
  const names = {E: 'excitatory', I: 'inhibitory'};
  return {
    network: column.network.id,
    input:
      state.input === 'photo'
        ? {photo: state.photo?.id ?? '', side: state.side}
        : {stimulus: {type: state.input, ...state.sliders[state.input]}},
    timesteps: timestepsOf(setup),
    lesions: perturbed ? state.lesions.filter(l => column.network.lesions.includes(l)) : [],
    lights: perturbed
      ? state.lights.map(light => ({
          site: light.site,
          population: names[light.population],
          gain: light.kind === 'silence' ? 0 : 1,
          current: light.kind === 'silence' ? 0 : light.strength,
          from: light.from,
          to: light.to,
          discs: light.discs,
        }))
      : [],
  };
}

export function timestepsOf(setup) {
  return state.T || setup.networks.find(n => n.id === state.nets[0]).timesteps;
}
