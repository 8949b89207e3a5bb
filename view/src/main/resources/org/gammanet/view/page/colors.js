// Maps as pictures. The palettes come from the program's own figures.

const palettes = {};

export function setPalettes(texts) {
  for (const [name, text] of Object.entries(texts)) {
    const table = new Uint32Array(256);
    for (let i = 0; i < 256; i++) {
      const rgb = parseInt(text.substr(6 * i, 6), 16);
      table[i] = (0xff000000 | ((rgb & 255) << 16) | (rgb & 0xff00) | (rgb >> 16)) >>> 0;
    }
    palettes[name] = table;
  }
}

/** The color of t in [0, 1] in CSS. */
export function cssColor(palette, t) {
  const v = palettes[palette][Math.round(255 * t)];
  return `rgb(${v & 255} ${(v >> 8) & 255} ${(v >> 16) & 255})`;
}

/** Sizes a canvas only where needed, since that clears it. */
export function sized(canvas, width, height) {
  if (canvas.width !== width || canvas.height !== height) {
    canvas.width = width;
    canvas.height = height;
  }
  return canvas.getContext('2d');
}

/** Colors of values; scale is {palette, lo, hi}. */
export function colored(values, width, height, scale, offset = 0) {
  const image = new ImageData(width, height);
  const pixels = new Uint32Array(image.data.buffer);
  const table = palettes[scale.palette];
  const factor = scale.hi > scale.lo ? 255 / (scale.hi - scale.lo) : 0;
  for (let i = 0; i < pixels.length; i++) {
    const k = (values[offset + i] - scale.lo) * factor + 0.5;
    pixels[i] = table[k < 0 ? 0 : k > 255 ? 255 : k | 0];
  }
  return image;
}

/** Number of columns of a grid of channels that is about as wide as high. */
export function gridColumns(channels) {
  return Math.ceil(Math.sqrt(channels));
}

/** Space between channels in a grid, pixels. */
export function gridGap(width) {
  return Math.max(1, Math.round(width / 40));
}

/** Draws channels, one or a grid of them, into a canvas. */
export function drawMaps(canvas, maps, scale) {
  const {values, channels, width, height} = maps;
  const columns = gridColumns(channels);
  const rows = Math.ceil(channels / columns);
  const gap = channels > 1 ? gridGap(width) : 0;
  const context = sized(canvas, columns * (width + gap) - gap, rows * (height + gap) - gap);
  if (channels > 1) context.clearRect(0, 0, canvas.width, canvas.height);
  for (let c = 0; c < channels; c++) {
    const image = colored(values, width, height, scale, c * width * height);
    context.putImageData(image, (c % columns) * (width + gap), Math.floor(c / columns) * (height + gap));
  }
}

/** A scale for all these arrays: from 0 where nothing is negative, else symmetric about 0. */
export function scaleOf(arrays, signed = false) {
  let lo = 0;
  const sample = [];
  const each = Math.max(200, 20000 / arrays.length);
  for (const values of arrays) {
    const step = Math.max(1, Math.floor(values.length / each));
    for (let i = 0; i < values.length; i += step) {
      if (values[i] < lo) lo = values[i];
      sample.push(Math.abs(values[i]));
    }
  }
  sample.sort((a, b) => a - b);
  // A few outliers must not darken everything else.
  const top = sample.length ? sample[Math.floor(0.998 * (sample.length - 1))] : 0;
  const hi = top > 0 ? top : sample.length && sample[sample.length - 1] > 0 ? sample[sample.length - 1] : 1;
  return signed || lo < -0.02 * hi
    ? {palette: 'diverging', lo: -hi, hi}
    : {palette: 'viridis', lo: 0, hi};
}

/** A number with three digits. */
export function digits(value) {
  if (!Number.isFinite(value)) return '–';
  if (value === 0) return '0';
  const size = Math.abs(value);
  return (size >= 1000 || size < 0.001 ? value.toExponential(1) : String(Number(value.toPrecision(3)))).replace('-', '−');
}

/** A legend of a scale. */
export function drawScale(element, scale, label) {
  const stops = Array.from({length: 17}, (_, i) => cssColor(scale.palette, i / 16)).join(', ');
  element.querySelector('.bar').style.background = `linear-gradient(to right, ${stops})`;
  element.querySelector('.lo').textContent = (scale.lo < 0 ? '≤ ' : '') + digits(scale.lo);
  element.querySelector('.hi').textContent = '≥ ' + digits(scale.hi);
  element.querySelector('.what').textContent = label;
}

/** An element with attributes, properties and children. */
export function make(tag, attributes = {}, ...children) {
  const space = ['svg', 'circle', 'line', 'path', 'rect', 'text', 'g', 'image', 'polyline', 'title'];
  const element = space.includes(tag)
    ? document.createElementNS('http://www.w3.org/2000/svg', tag)
    : document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith('on')) element.addEventListener(name.slice(2), value);
    else if (value !== null && value !== undefined && value !== false) element.setAttribute(name, value === true ? '' : value);
  }
  element.append(...children.filter(c => c !== null && c !== undefined));
  return element;
}
