// Numbers, times and sizes as people read them. The language and the present come in as arguments; times are shown in
// the time zone of the site, wherever the reader sits.

import type { Signal } from "./api";

/** Locale of `Intl` for a language of the page. English is written with a 24-hour clock. */
export const LOCALES: Record<string, string> = { en: "en-GB", de: "de-DE" };

const numberFormats = new Map<string, Intl.NumberFormat>();

function numberFormat(language: string, decimals: number, grouping: boolean): Intl.NumberFormat {
  const key = `${language}${decimals}${grouping}`;
  let format = numberFormats.get(key);
  if (!format) {
    format = new Intl.NumberFormat(LOCALES[language] ?? language, {
      minimumFractionDigits: decimals,
      maximumFractionDigits: decimals,
      useGrouping: grouping,
    });
    numberFormats.set(key, format);
  }
  return format;
}

/**
 * How many decimals a signal is shown with: as many as give a thousandth of its range, so that the last digit means
 * something and the width does not jump. Whole-number kinds have none. Without a range it depends on the value.
 */
export function decimalsOf(signal: Pick<Signal, "kind" | "low" | "high">, value: number): number {
  if (!signal.kind.startsWith("f")) return Number.isInteger(value) ? 0 : 2;
  const { low, high } = signal;
  if (low !== null && high !== null && high > low) {
    return clamp(3 - Math.floor(Math.log10(high - low)), 0, 6);
  }
  return decimalsFor(value);
}

/** Decimals that show four to five digits of a number whose range is unknown, fewer of a small one near 1. */
export function decimalsFor(value: number): number {
  const size = Math.abs(value);
  if (size === 0 || !Number.isFinite(size)) return 2;
  return clamp(4 - Math.floor(Math.log10(size)), 0, size >= 10 ? 2 : size >= 0.1 ? 3 : 6);
}

const clamp = (value: number, low: number, high: number) => Math.min(Math.max(value, low), high);

/** A measured number: never grouped ("12.345" must not mean two things), a true minus sign. */
export function measured(value: number, decimals: number, language: string): string {
  if (Number.isNaN(value)) return "–";
  if (!Number.isFinite(value)) return value > 0 ? "∞" : "−∞";
  const size = Math.abs(value);
  if (size >= 1e9 || (size > 0 && size < 1e-5 && decimals >= 5)) {
    return value.toExponential(3).replaceAll("-", "−");
  }
  return numberFormat(language, decimals, false).format(value).replace("-", "−");
}

/** A signal's value as its people know it: label of an enum, 0/1 of a bit, else a number with its decimals. */
export function signalValue(
  signal: Pick<Signal, "kind" | "low" | "high" | "labels">,
  value: number,
  language: string,
): string {
  if (Number.isNaN(value)) return "–";
  const label = signal.labels?.[String(value)];
  if (label !== undefined) return label;
  if (signal.kind === "bool") return value === 0 ? "0" : "1";
  return measured(value, decimalsOf(signal, value), language);
}

/** A count: grouped, because nobody reads 1234567. */
export const count = (value: number, language: string) => numberFormat(language, 0, true).format(value);

/** A rate or other number of which two digits are enough. */
export function coarse(value: number, language: string): string {
  const size = Math.abs(value);
  return numberFormat(language, size >= 100 || Number.isInteger(value) ? 0 : size >= 1 ? 1 : 2, true).format(value);
}

/** Bytes with the unit that leaves one to three digits before the point. */
export function bytes(value: number, language: string): string {
  const units = ["B", "kB", "MB", "GB", "TB"];
  let scaled = value;
  let unit = 0;
  while (scaled >= 999.5 && unit < units.length - 1) {
    scaled /= 1000;
    unit++;
  }
  const decimals = unit === 0 || scaled >= 99.95 ? 0 : 1;
  return `${numberFormat(language, decimals, false).format(scaled)} ${units[unit] ?? ""}`;
}

/** A span of time with at most two units: "< 1 s", "42 s", "3 min 20 s", "5 h 12 min", "9 d 4 h". */
export function span(ms: number): string {
  if (ms < 1000) return "< 1 s";
  const seconds = Math.floor(ms / 1000);
  if (seconds < 120) return `${seconds} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return two(minutes, "min", seconds % 60, "s");
  const hours = Math.floor(minutes / 60);
  if (hours < 48) return two(hours, "h", minutes % 60, "min");
  return two(Math.floor(hours / 24), "d", hours % 24, "h");
}

/** A span for a column that ticks: one unit, "–" when unknown. A sample from the future is "0 s" old. */
export function age(ms: number): string {
  if (!Number.isFinite(ms)) return "–";
  if (ms < 1000) return "< 1 s";
  if (ms < 120_000) return `${Math.floor(ms / 1000)} s`;
  if (ms < 7_200_000) return `${Math.floor(ms / 60_000)} min`;
  if (ms < 172_800_000) return `${Math.floor(ms / 3_600_000)} h`;
  return `${Math.floor(ms / 86_400_000)} d`;
}

const two = (large: number, largeUnit: string, small: number, smallUnit: string) =>
  small === 0 ? `${large} ${largeUnit}` : `${large} ${largeUnit} ${small} ${smallUnit}`;

let siteZone: string | undefined;

/** From now on times are shown in this IANA zone. One that the browser does not know leaves things as they are. */
export function showTimesIn(name: string): void {
  if (name === siteZone) return;
  try {
    new Intl.DateTimeFormat("en", { timeZone: name });
  } catch {
    return;
  }
  siteZone = name;
  timeFormats.clear();
}

/** The zone as an option of `Intl`; empty for the browser's own. */
export const inSiteZone = (): { timeZone?: string } => (siteZone === undefined ? {} : { timeZone: siteZone });

const timeFormats = new Map<string, Intl.DateTimeFormat>();

function timeFormat(language: string, name: string, options: Intl.DateTimeFormatOptions) {
  const key = `${language}${name}`;
  let format = timeFormats.get(key);
  if (!format) {
    format = new Intl.DateTimeFormat(LOCALES[language] ?? language, { hourCycle: "h23", ...inSiteZone(), ...options });
    timeFormats.set(key, format);
  }
  return format;
}

const CLOCK = { hour: "2-digit", minute: "2-digit", second: "2-digit" } as const;
const DATE = { year: "numeric", month: "short", day: "2-digit" } as const;

/** "14:03:22" */
export const clockTime = (ms: number, language: string) =>
  timeFormat(language, "clock", CLOCK).format(ms);

/** "14:03:22.250" */
export const fineTime = (ms: number, language: string) =>
  timeFormat(language, "fine", { ...CLOCK, fractionalSecondDigits: 3 }).format(ms);

/** "22 Nov 2025, 14:03:22" */
export const dateTime = (ms: number, language: string) =>
  timeFormat(language, "dateTime", { ...DATE, ...CLOCK }).format(ms);

/** The clock time alone when `ms` lies within the half day before `nowMs`, with the date when it does not. */
export const recentTime = (ms: number, nowMs: number, language: string) =>
  Math.abs(nowMs - ms) < 43_200_000 ? clockTime(ms, language) : dateTime(ms, language);

/** "UTC+1": how far the times shown are from UTC at that moment. */
export function zone(ms: number): string {
  const parts = timeFormat("en", "zone", { hour: "2-digit", timeZoneName: "shortOffset" }).formatToParts(ms);
  const offset = parts.find((part) => part.type === "timeZoneName")?.value ?? "GMT";
  return offset.replace("GMT", "UTC").replace(/[+-]0$/, "").replace("-", "−");
}

/** A reason as words, from the gateway's list or, for families of codes, from the code itself. */
export function reasonName(code: number, names: Record<string, string>): string {
  if (code === 0) return "";
  const known = names[String(code)];
  if (known) return known;
  const member = code & 0xff;
  if (code >> 8 === 1) return `exc_${member}`;
  if (code >> 8 === 2) return `sentinel_${member}`;
  return `#${code}`;
}
