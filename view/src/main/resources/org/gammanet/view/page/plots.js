/* global uPlot */
// Curves over timesteps, drawn by uPlot.

import {digits} from 'view/colors.js';

/** The value of a color that the style sheet defines. */
export function themed(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

export const DASHES = [[], [7, 4], [2, 3], [9, 3, 2, 3]];

/** One chart; its series are [{label, color, dash, values}]. */
export class Chart {
  #element;
  #options;
  #plot = null;
  #shape = '';
  #series = [];
  #xs = [];
  #t = 0;

  /** Options: height; low and high of the vertical axis; log. */
  constructor(element, options) {
    this.#element = element;
    this.#options = options;
    new ResizeObserver(() => {
      if (this.#plot && element.clientWidth) this.#plot.setSize({width: element.clientWidth, height: this.#options.height});
    }).observe(element);
  }

  set(xs, series, t) {
    this.#xs = xs;
    this.#series = series;
    this.#t = t;
    const shape = JSON.stringify([series.map(s => [s.label, s.color, s.dash]), xs.length > 1, themed('--muted'), themed('--line')]);
    const data = [xs, ...series.map(s => s.values)];
    if (this.#plot && shape === this.#shape) {
      this.#plot.setData(data);
    } else {
      this.#shape = shape;
      this.#plot?.destroy();
      this.#plot = this.#create(data);
    }
  }

  /** Moves the line that marks the timestep shown. */
  mark(t) {
    this.#t = t;
    this.#plot?.redraw(false);
    this.#plot?.setLegend({idx: t}, false);
  }

  clear() {
    this.#plot?.destroy();
    this.#plot = null;
    this.#shape = '';
  }

  #create(data) {
    const muted = themed('--muted');
    const line = themed('--line');
    const font = '12px ' + themed('--font');
    const axis = {stroke: muted, font, grid: {stroke: line, width: 1}, ticks: {stroke: line, width: 1, size: 4}};
    const log = this.#options.log;
    return new uPlot(
      {
        width: this.#element.clientWidth || 300,
        height: this.#options.height,
        scales: {
          x: {time: false, range: (u, min, max) => [Math.min(min, 1) - 0.15, Math.max(max, 2) + 0.15]},
          y: log
            ? {distr: 3, range: (u, min, max) => uPlot.rangeLog(min ?? 0.01, max ?? 1, 10, true)}
            : {range: (u, min, max) => this.#range(min, max)},
        },
        axes: [
          {...axis, size: 30, incrs: [1, 2, 4, 8], values: (u, ticks) => ticks.map(v => (Number.isInteger(v) && v >= 1 ? v : ''))},
          {...axis, size: 48, values: (u, ticks) => ticks.map(v => (v === null ? '' : digits(v)))},
        ],
        series: [
          {label: 'timestep', value: (u, v) => v ?? '–'},
          ...this.#series.map(s => ({
            label: s.label,
            stroke: s.color,
            width: 2,
            dash: s.dash,
            points: {show: true, size: 6, fill: s.color, stroke: s.color},
            value: (u, v) => (v === null || v === undefined ? '–' : digits(v)),
          })),
        ],
        cursor: {y: false, points: {size: 9}},
        legend: {live: true},
        hooks: {draw: [plot => this.#drawMark(plot)]},
      },
      data,
      this.#element,
    );
  }

  #range(min, max) {
    const {low, high} = this.#options;
    const lo = low ?? Math.min(0, min ?? 0);
    const hi = high ?? (max > lo ? max : lo + 1);
    const space = low === undefined || high === undefined ? 0.06 * (hi - lo) : 0;
    return [lo < 0 ? lo - space : lo, hi + space];
  }

  #drawMark(plot) {
    const x = plot.valToPos(this.#t + 1, 'x', true);
    const context = plot.ctx;
    context.save();
    context.strokeStyle = themed('--accent');
    context.globalAlpha = 0.55;
    context.lineWidth = 3 * devicePixelRatio;
    context.beginPath();
    context.moveTo(x, plot.bbox.top);
    context.lineTo(x, plot.bbox.top + plot.bbox.height);
    context.stroke();
    context.restore();
  }

  /** What an exported figure draws again. */
  get content() {
    return {xs: this.#xs, series: this.#series, options: this.#options};
  }
}
