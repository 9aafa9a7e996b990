// The stretch of time a trend shows, and what zooming and panning make of it. Pure.

export const RANGES = { "5m": 300_000, "30m": 1_800_000, "2h": 7_200_000, "24h": 86_400_000 } as const;
export type RangeName = keyof typeof RANGES;

const SPAN_MS_MIN = 1_000;
const SPAN_MS_MAX = 400 * 86_400_000;

export interface View {
  fromMs: number;
  toMs: number;
  /** The view ends at the present and moves with it. */
  follow: boolean;
}

/** The view as it is at this moment: a followed one ends now. */
export const present = (view: View, nowMs: number): View =>
  view.follow ? { fromMs: nowMs - (view.toMs - view.fromMs), toMs: nowMs, follow: true } : view;

/** Scales the view by `factor` so that `anchorMs` stays where it is. */
export function zoomed(view: View, anchorMs: number, factor: number): View {
  const span = view.toMs - view.fromMs;
  const wanted = Math.min(Math.max(span * factor, SPAN_MS_MIN), SPAN_MS_MAX);
  const share = (anchorMs - view.fromMs) / span;
  const fromMs = anchorMs - share * wanted;
  return { fromMs, toMs: fromMs + wanted, follow: false };
}

export const panned = (view: View, byMs: number): View => ({
  fromMs: view.fromMs + byMs,
  toMs: view.toMs + byMs,
  follow: false,
});

/** The view a link asks for, or `null` when it names no range that makes sense. */
export function viewOf(params: URLSearchParams, nowMs: number): View | null {
  const fromMs = Date.parse(params.get("from") ?? "");
  const toMs = Date.parse(params.get("to") ?? "");
  if (toMs - fromMs >= SPAN_MS_MIN) return { fromMs, toMs: Math.min(toMs, fromMs + SPAN_MS_MAX), follow: false };
  const range = params.get("range") ?? "";
  const span = Object.hasOwn(RANGES, range) ? RANGES[range as RangeName] : secondsRange(range);
  return span === null ? null : { fromMs: nowMs - span, toMs: nowMs, follow: true };
}

/** "240s": a followed span that none of the buttons has. */
function secondsRange(text: string): number | null {
  const seconds = /^(\d{1,8})s$/.exec(text)?.[1];
  return seconds === undefined ? null : Math.min(Math.max(Number(seconds) * 1000, SPAN_MS_MIN), SPAN_MS_MAX);
}

/** The name of a followed span in a link. */
export function rangeName(spanMs: number): string {
  const named = Object.entries(RANGES).find(([, span]) => Math.abs(span - spanMs) < 500);
  return named ? named[0] : `${Math.round(spanMs / 1000)}s`;
}
