// The chart itself: uPlot for axes, scales, lines and cursor; bands, bad stretches, anomaly shades and pen numbers are
// drawn here. Nothing outside this file knows uPlot, so another canvas could take its place.
//
// In: pens with their series, a view (ms). Out: what the hand does, as calls of the listener.

import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";
import type { Signal } from "../api";
import { inSiteZone, measured } from "../format";
import { decimalsOfStep, timeLabels } from "./labels";
import { align, blemishes, lowerBound, runs, type Series } from "./series";

export interface Pen {
  signal: Signal;
  series: Series;
  colour: string;
  /** 1.. as drawn at the line's end. */
  number: number;
}

export interface Shade {
  fromMs: number;
  toMs: number;
  name: string;
}

export interface PlotColours {
  text: string;
  quiet: string;
  grid: string;
  ground: string;
  bad: string;
  uncertain: string;
  anomaly: string;
}

export interface PlotListener {
  /** The cursor is at this time, or away. */
  cursor(timeMs: number | null): void;
}

const AXIS_PX = 62;
/** Below this width a bucket's band is drawn as a bar, CSS px. */
const BAR_PX = 3;
const FONT = "12px system-ui, sans-serif";

export class TrendPlot {
  private plot: uPlot | null = null;
  private pens: Pen[] = [];
  private shades: Shade[] = [];
  private fromMs = 0;
  private toMs = 1;
  private shape = "";
  private size = { width: 600, height: 300 };

  constructor(
    private readonly host: HTMLElement,
    private readonly listener: PlotListener,
    private colours: PlotColours,
    private language: string,
  ) {}

  /** The element over the plotting area, which takes the pointer. */
  get area(): HTMLElement | null {
    return this.plot?.over ?? null;
  }

  dress(colours: PlotColours, language: string): void {
    this.colours = colours;
    this.language = language;
    this.shape = "";
  }

  resize(width: number, height: number): void {
    this.size = { width, height };
    this.plot?.setSize(this.size);
  }

  /** Draws these pens over this time. */
  show(pens: Pen[], fromMs: number, toMs: number, shades: Shade[]): void {
    this.pens = pens;
    this.shades = shades;
    this.fromMs = fromMs;
    this.toMs = toMs;
    const { x, means } = align(pens.map((pen) => pen.series));
    const columns = [x, ...means] as uPlot.AlignedData;
    const shape = pens.map((pen) => `${pen.signal.id} ${pen.colour} ${pen.number}`).join();
    if (!this.plot || shape !== this.shape) {
      this.plot?.destroy();
      this.plot = new uPlot(this.options(), columns, this.host);
      this.shape = shape;
      return;
    }
    this.plot.batch(() => {
      this.plot?.setData(columns, false);
      this.plot?.setScale("x", { min: fromMs / 1000, max: toMs / 1000 });
    });
  }

  /** Time under an offset in the plotting area, ms. */
  timeAt(offsetPx: number): number {
    const width = this.plot?.over.clientWidth || 1;
    return this.fromMs + (offsetPx / width) * (this.toMs - this.fromMs);
  }

  /** Puts the cursor at a time, or away. */
  point(timeMs: number | null): void {
    if (!this.plot) return;
    const left = timeMs === null ? -10 : this.plot.valToPos(timeMs / 1000, "x");
    this.plot.setCursor({ left, top: timeMs === null ? -10 : 1 });
  }

  destroy(): void {
    this.plot?.destroy();
    this.plot = null;
  }

  private options(): uPlot.Options {
    const units = [...new Set(this.pens.map(scaleOf))];
    return {
      ...this.size,
      // Marks fall on whole hours and midnights of the site.
      tzDate: (s) => {
        const { timeZone } = inSiteZone();
        const date = new Date(s * 1000);
        return timeZone === undefined ? date : uPlot.tzDate(date, timeZone);
      },
      legend: { show: false },
      padding: [10, units.length > 1 ? 0 : 16, 0, 0],
      cursor: { drag: { x: false, y: false, setScale: false }, y: false, points: { size: 7 } },
      scales: {
        x: { time: true, auto: false, min: this.fromMs / 1000, max: this.toMs / 1000 },
        ...Object.fromEntries(units.map((unit) => [unit, { auto: true, range: () => this.rangeOf(unit) }])),
      },
      axes: [this.timeAxis(), ...units.map((unit, place) => this.valueAxis(unit, place))],
      series: [
        {},
        ...this.pens.map((pen): uPlot.Series => {
          const stepped = !pen.signal.kind.startsWith("f") ? uPlot.paths.stepped?.({ align: 1 }) : undefined;
          return {
            scale: scaleOf(pen),
            stroke: pen.colour,
            width: 1.6,
            points: { show: false },
            ...(stepped ? { paths: stepped } : {}),
          };
        }),
      ],
      hooks: {
        drawAxes: [(plot) => this.drawBehind(plot)],
        draw: [(plot) => this.drawInFront(plot)],
        setCursor: [
          (plot) => {
            const left = plot.cursor.left ?? -1;
            this.listener.cursor(left < 0 ? null : plot.posToVal(left, "x") * 1000);
          },
        ],
      },
    };
  }

  private timeAxis(): uPlot.Axis {
    return {
      ...this.axisColours(),
      values: (_plot, splits, _axis, _space, step) => timeLabels(splits, step, this.language),
      space: 80,
    };
  }

  private valueAxis(unit: string, place: number): uPlot.Axis {
    const pens = this.pens.filter((pen) => scaleOf(pen) === unit);
    const [first] = pens;
    const labels = first?.signal.labels;
    const colour = pens.length === 1 ? (first?.colour ?? this.colours.text) : this.colours.text;
    return {
      ...this.axisColours(),
      scale: unit,
      side: place % 2 === 0 ? 3 : 1,
      size: AXIS_PX,
      stroke: colour,
      ...(place > 0 ? { grid: { show: false } } : {}),
      label: pens.map((pen) => pen.number).join(" ") + (first?.signal.unit ? `  ${first.signal.unit}` : ""),
      labelSize: 18,
      labelFont: FONT,
      values: (_plot, splits, _axis, _space, step) => {
        const decimals = decimalsOfStep(step);
        return splits.map((split) => labels?.[String(split)] ?? measured(split, decimals, this.language));
      },
      ...(first && isDiscrete(first.signal) ? { incrs: [1, 2, 5, 10, 20, 50, 100, 1000, 1e4, 1e5] } : {}),
    };
  }

  private axisColours() {
    return {
      stroke: this.colours.quiet,
      font: FONT,
      grid: { stroke: this.colours.grid, width: 1 },
      ticks: { stroke: this.colours.grid, width: 1 },
    };
  }

  /** Low and high of a value axis: everything in view, bands included, with air around it. */
  private rangeOf(unit: string): [number, number] {
    let low = Infinity;
    let high = -Infinity;
    let spanMin = 0;
    for (const pen of this.pens) {
      if (scaleOf(pen) !== unit) continue;
      const { t, min, max, bucketMs } = pen.series;
      const end = lowerBound(t, this.toMs);
      for (let place = lowerBound(t, this.fromMs - bucketMs); place < end; place++) {
        low = Math.min(low, min[place] ?? Infinity);
        high = Math.max(high, max[place] ?? -Infinity);
      }
      const { low: from, high: to } = pen.signal;
      // The noise of a sensor must not fill the screen: never show less than a fiftieth of its range.
      if (from !== null && to !== null) spanMin = Math.max(spanMin, (to - from) / 50);
      if (isDiscrete(pen.signal)) spanMin = Math.max(spanMin, 1);
    }
    if (!(low <= high)) return [0, 1];
    const span = Math.max(high - low, spanMin, Math.abs(high) * 1e-3, 1e-9);
    const middle = (low + high) / 2;
    return [middle - span * 0.56, middle + span * 0.56];
  }

  private x(plot: uPlot, timeMs: number): number {
    return plot.valToPos(timeMs / 1000, "x", true);
  }

  private clipped(plot: uPlot, draw: (context: CanvasRenderingContext2D) => void): void {
    const { ctx: context, bbox } = plot;
    context.save();
    context.beginPath();
    context.rect(bbox.left, bbox.top, bbox.width, bbox.height);
    context.clip();
    draw(context);
    context.restore();
  }

  private drawBehind(plot: uPlot): void {
    const ratio = devicePixelRatio;
    this.clipped(plot, (context) => {
      for (const shade of this.shades) {
        const left = this.x(plot, shade.fromMs);
        const width = Math.max(this.x(plot, shade.toMs) - left, 2 * ratio);
        if (left + width < plot.bbox.left || left > plot.bbox.left + plot.bbox.width) continue;
        context.globalAlpha = 0.15;
        context.fillStyle = this.colours.anomaly;
        context.fillRect(left, plot.bbox.top, width, plot.bbox.height);
        context.globalAlpha = 1;
        context.fillRect(left, plot.bbox.top, width, 3 * ratio);
        context.fillStyle = this.colours.text;
        context.font = `${11 * ratio}px system-ui, sans-serif`;
        context.textAlign = "left";
        context.textBaseline = "alphabetic";
        const textLeft = Math.max(left, plot.bbox.left) + 4 * ratio;
        if (textLeft + context.measureText(shade.name).width < left + width) {
          context.fillText(shade.name, textLeft, plot.bbox.top + 15 * ratio);
        }
      }
      for (const pen of this.pens) this.drawBand(plot, context, pen);
    });
  }

  private drawBand(plot: uPlot, context: CanvasRenderingContext2D, pen: Pen): void {
    const scale = scaleOf(pen);
    const { t, min, max, bucketMs } = pen.series;
    const y = (value: number | null | undefined) => plot.valToPos(value ?? 0, scale, true);
    const x = (place: number) => this.x(plot, (t[place] ?? 0) + bucketMs / 2);
    context.fillStyle = pen.colour;
    for (const [first, last] of runs(pen.series)) {
      if (first === last) {
        // A lone sample has no line: it gets a dot, as high as its band.
        const size = 3 * devicePixelRatio;
        context.globalAlpha = 1;
        context.fillRect(x(first) - size / 2, y(max[first]) - size / 2, size, y(min[first]) - y(max[first]) + size);
        continue;
      }
      context.globalAlpha = 0.22;
      const step = (x(last) - x(first)) / (last - first);
      if (step < BAR_PX * devicePixelRatio) {
        // Narrow buckets are bars: a jagged outline of a thousand corners is slow to fill.
        for (let place = first; place <= last; place++) {
          context.fillRect(x(place) - step / 2, y(max[place]), step, y(min[place]) - y(max[place]));
        }
        continue;
      }
      context.beginPath();
      for (let place = first; place <= last; place++) context.lineTo(x(place), y(max[place]));
      for (let place = last; place >= first; place--) context.lineTo(x(place), y(min[place]));
      context.fill();
    }
    context.globalAlpha = 1;
  }

  private drawInFront(plot: uPlot): void {
    const ratio = devicePixelRatio;
    let drawn = 0;
    this.clipped(plot, (context) => {
      this.pens.forEach((pen, row) => {
        const height = 6 * ratio;
        const top = plot.bbox.top + plot.bbox.height - (this.pens.length - row) * (height + 2 * ratio);
        for (const [from, to, quality] of blemishes(pen.series)) {
          const left = this.x(plot, from);
          this.hatch(context, { left, top, width: Math.max(this.x(plot, to) - left, 2 * ratio), height }, quality);
        }
        drawn += this.inView(pen.series);
      });
    });
    this.drawNumbers(plot);
    const { canvas } = plot.ctx;
    canvas.dataset.testid = "trend-canvas";
    canvas.dataset.points = String(drawn);
  }

  /** Bad is crossed by falling lines in a filled strip, uncertain by none: told apart without colour. */
  private hatch(
    context: CanvasRenderingContext2D,
    box: { left: number; top: number; width: number; height: number },
    quality: number,
  ): void {
    const { left, top, width, height } = box;
    context.fillStyle = quality >= 2 ? this.colours.bad : this.colours.uncertain;
    context.fillRect(left, top, width, height);
    if (quality < 2) return;
    context.save();
    context.beginPath();
    context.rect(left, top, width, height);
    context.clip();
    context.strokeStyle = this.colours.ground;
    context.lineWidth = devicePixelRatio;
    context.beginPath();
    for (let x = left - height; x < left + width; x += height) {
      context.moveTo(x, top);
      context.lineTo(x + height, top + height);
    }
    context.stroke();
    context.restore();
  }

  /** Each pen's number in a small box at the end of its line, moved down where two would meet. */
  private drawNumbers(plot: uPlot): void {
    const { ctx: context, bbox } = plot;
    const size = 14 * devicePixelRatio;
    const boxes = this.pens
      .flatMap((pen) => {
        const end = this.lineEnd(plot, pen);
        return end ? [{ pen, right: Math.min(end.x + size + 4, bbox.left + bbox.width), top: end.y - size / 2 }] : [];
      })
      .sort((a, b) => a.top - b.top);
    let free = bbox.top;
    context.save();
    context.font = `700 ${11 * devicePixelRatio}px system-ui, sans-serif`;
    context.textAlign = "center";
    context.textBaseline = "middle";
    for (const { pen, right, top } of boxes) {
      const place = Math.max(free, Math.min(top, bbox.top + bbox.height - size));
      free = place + size + 1;
      context.fillStyle = pen.colour;
      context.fillRect(right - size, place, size, size);
      context.fillStyle = this.colours.ground;
      context.fillText(String(pen.number), right - size / 2, place + size / 2 + 1);
    }
    context.restore();
  }

  /** Where on the canvas the last drawn point of a pen is. */
  private lineEnd(plot: uPlot, pen: Pen): { x: number; y: number } | null {
    const { t, mean, bucketMs } = pen.series;
    let place = lowerBound(t, this.toMs) - 1;
    while (place >= 0 && mean[place] === null) place--;
    const value = mean[place];
    const time = t[place];
    if (value === undefined || value === null || time === undefined || time < this.fromMs) return null;
    return { x: this.x(plot, time + bucketMs / 2), y: plot.valToPos(value, scaleOf(pen), true) };
  }

  private inView({ t, mean }: Series): number {
    let points = 0;
    const end = lowerBound(t, this.toMs);
    for (let place = lowerBound(t, this.fromMs); place < end; place++) if (mean[place] !== null) points++;
    return points;
  }
}

const isDiscrete = (signal: Signal) => signal.kind === "bool" || signal.labels !== null;

/** Pens of one unit share an axis; an enum or a bit has its own. */
const scaleOf = (pen: Pen) =>
  isDiscrete(pen.signal) || pen.signal.unit === null ? `#${pen.signal.id}` : `u${pen.signal.unit}`;
