// One pen's history: buckets on the gateway's absolute time grid, closed ones as fetched, the open one kept up with
// live samples until it is fetched again. Pure.

import type { Buckets } from "../api";

/** Columns of equal length, ordered by time. */
export interface Series {
  bucketMs: number;
  /** Bucket starts, ms since the epoch. */
  t: number[];
  /** `null`: the bucket holds bad samples only. */
  min: (number | null)[];
  max: (number | null)[];
  mean: (number | null)[];
  /** Worst quality class in the bucket. */
  q: number[];
  /** Samples folded into the last bucket since it was fetched. */
  folded: number;
}

export function seriesOf(buckets: Buckets): Series {
  return {
    bucketMs: buckets.bucket_us / 1000,
    t: buckets.t_us.map((us) => us / 1000),
    min: [...buckets.min],
    max: [...buckets.max],
    mean: [...buckets.mean],
    q: [...buckets.q],
    folded: 0,
  };
}

/** Adds a live sample: into the last bucket, or as a new one behind it. Samples before the last bucket are left to the next fetch. */
export function fold(series: Series, timeMs: number, value: number, quality: number): void {
  const start = Math.floor(timeMs / series.bucketMs) * series.bucketMs;
  const last = series.t.length - 1;
  const lastStart = series.t[last];
  if (lastStart !== undefined && start < lastStart) return;
  const number = quality < 2 && Number.isFinite(value) ? value : null;
  if (start !== lastStart) {
    series.t.push(start);
    series.min.push(number);
    series.max.push(number);
    series.mean.push(number);
    series.q.push(quality);
    series.folded = 1;
    return;
  }
  series.q[last] = Math.max(series.q[last] ?? 0, quality);
  if (number === null) return;
  series.folded++;
  const { min, max, mean, folded } = series;
  min[last] = Math.min(min[last] ?? number, number);
  max[last] = Math.max(max[last] ?? number, number);
  const before = mean[last] ?? number;
  mean[last] = before + (number - before) / folded;
}

/** Replaces everything from the start of `tail` on by `tail`; buckets of another width replace the whole series. */
export function renew(series: Series, tail: Series, tailFromMs: number): Series {
  if (series.bucketMs !== tail.bucketMs) return tail;
  const from = Math.floor(tailFromMs / series.bucketMs) * series.bucketMs;
  const keep = lowerBound(series.t, from);
  // What arrived live after the answer was made is newer than the answer.
  const tailEnd = tail.t[tail.t.length - 1] ?? -Infinity;
  const newer = lowerBound(series.t, tailEnd + series.bucketMs / 2);
  const column = <T>(old: T[], fresh: T[]) =>
    fresh.length === 0 ? old : [...old.slice(0, keep), ...fresh, ...old.slice(newer)];
  return {
    bucketMs: series.bucketMs,
    t: column(series.t, tail.t),
    min: column(series.min, tail.min),
    max: column(series.max, tail.max),
    mean: column(series.mean, tail.mean),
    q: column(series.q, tail.q),
    folded: newer < series.t.length ? series.folded : 0,
  };
}

/** Forgets the buckets that end before `beforeMs`. */
export function trim(series: Series, beforeMs: number): void {
  const cut = lowerBound(series.t, beforeMs - series.bucketMs);
  if (cut === 0) return;
  for (const column of [series.t, series.min, series.max, series.mean, series.q]) column.splice(0, cut);
}

/** First place whose time is not before `timeMs`. */
export function lowerBound(times: readonly number[], timeMs: number): number {
  let low = 0;
  let high = times.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((times[middle] ?? 0) < timeMs) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Longest distance of two bucket starts that is not a gap: three buckets, or three usual distances. */
export function gapLimitMs(series: Series): number {
  const steps: number[] = [];
  for (let place = 1; place < series.t.length; place++) {
    steps.push((series.t[place] ?? 0) - (series.t[place - 1] ?? 0));
  }
  steps.sort((a, b) => a - b);
  const median = steps[steps.length >> 1] ?? 0;
  return Math.max(3 * series.bucketMs, 3 * median);
}

/** Runs `[first, last]` of buckets with numbers and no gap between them. */
export function runs(series: Series): [number, number][] {
  const limit = gapLimitMs(series);
  const found: [number, number][] = [];
  let first = -1;
  for (let place = 0; place < series.t.length; place++) {
    const empty = series.mean[place] === null;
    const far = place > 0 && (series.t[place] ?? 0) - (series.t[place - 1] ?? 0) > limit;
    if (first >= 0 && (empty || far)) {
      found.push([first, place - 1]);
      first = -1;
    }
    if (!empty && first < 0) first = place;
  }
  if (first >= 0) found.push([first, series.t.length - 1]);
  return found;
}

/** Stretches of buckets whose worst quality is `quality` or worse, as `[fromMs, toMs, quality]`. */
export function blemishes(series: Series): [number, number, number][] {
  const limit = gapLimitMs(series);
  const found: [number, number, number][] = [];
  for (let place = 0; place < series.t.length; place++) {
    const quality = series.q[place] ?? 0;
    if (quality === 0) continue;
    const from = series.t[place] ?? 0;
    const to = from + series.bucketMs;
    const last = found[found.length - 1];
    if (last && last[2] === quality && from - last[1] < limit) last[1] = to;
    else found.push([from, to, quality]);
  }
  return found;
}

/** Place of the bucket at `timeMs`, or of the nearest within the gap limit; -1 when there is none. */
export function nearest(series: Series, timeMs: number): number {
  const at = timeMs - series.bucketMs / 2;
  const after = lowerBound(series.t, at);
  const distance = (place: number) => Math.abs((series.t[place] ?? Infinity) - at);
  const place = distance(after - 1) <= distance(after) ? after - 1 : after;
  return distance(place) <= gapLimitMs(series) / 2 ? place : -1;
}

/** Columns for one chart: a shared time axis (bucket middles, seconds) and a mean per pen. */
export interface Aligned {
  x: number[];
  /** `null` breaks the line, `undefined` means only that other pens have a bucket there. */
  means: (number | null | undefined)[][];
}

/** Lays several pens, whose buckets need not match, on one axis, with a break in every gap. */
export function align(pens: readonly Series[]): Aligned {
  const columns = pens.map(withBreaks);
  const times = new Set<number>();
  for (const column of columns) for (const [time] of column) times.add(time);
  const x = [...times].sort((a, b) => a - b);
  const place = new Map(x.map((time, index) => [time, index]));
  const means = columns.map((column) => {
    const mean = new Array<number | null | undefined>(x.length).fill(undefined);
    for (const [time, value] of column) mean[place.get(time) ?? 0] = value;
    return mean;
  });
  return { x: x.map((time) => time / 1000), means };
}

function withBreaks(series: Series): [number, number | null][] {
  const limit = gapLimitMs(series);
  const points: [number, number | null][] = [];
  const half = series.bucketMs / 2;
  series.t.forEach((time, index) => {
    const before = series.t[index - 1];
    if (before !== undefined && time - before > limit) points.push([before + series.bucketMs + half, null]);
    points.push([time + half, series.mean[index] ?? null]);
  });
  return points;
}
