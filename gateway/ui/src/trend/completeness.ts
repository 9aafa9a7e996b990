// How complete signals are: what the gateway is asked, and what its answer means. No page here.

import type { Answer } from "../api";

/** Hours that are looked at, the present one included. */
export const HOURS = 24;

/** One signal over all hours. */
export interface Completeness {
  path: string;
  table: string;
  /** Samples that were to be; null for what comes when it comes. */
  expected: number | null;
  /** Samples with a value. */
  valued: number;
  /** Samples without one, by reason. */
  bad: number;
  reasons: Record<string, number>;
  /** Samples that are not there, with and without a cause. */
  explained: number;
  unexplained: number;
}

/** Slots without rows, with one cause. */
export interface Hole {
  fromMs: number;
  toMs: number;
  missing: number;
  cause: string;
  detail: string;
}

const quoted = (text: string) => `'${text.replaceAll("'", "''")}'`;
const since = `date_trunc('hour', now()) - INTERVAL '${HOURS - 1} hours'`;

export const completenessSql = (paths: readonly string[]) =>
  `SELECT path, "table", expected, good + uncertain AS valued, bad, reasons, explained, unexplained ` +
  `FROM completeness WHERE path IN (${paths.map(quoted).join(", ")}) AND ts >= ${since}`;

export const holesSql = (table: string) =>
  `SELECT ts, until, missing, cause, detail FROM holes WHERE "table" = ${quoted(table)} AND ts >= ${since} ` +
  `ORDER BY ts DESC LIMIT 200`;

/** The cells of a row by the names of their columns. */
function* rowsOf(answer: Answer): Generator<(name: string) => string | null> {
  const places = new Map(answer.columns.map((column, place) => [column.name, place]));
  for (const row of answer.rows) yield (name) => row[places.get(name) ?? -1] ?? null;
}

/** Hours added up by signal and table, in the order they come. */
export function completenessOf(answer: Answer): Completeness[] {
  const found = new Map<string, Completeness>();
  for (const cell of rowsOf(answer)) {
    const [path, table] = [cell("path") ?? "", cell("table") ?? ""];
    const key = `${path} ${table}`;
    const none = { path, table, expected: null, valued: 0, bad: 0, reasons: {}, explained: 0, unexplained: 0 };
    const sum: Completeness = found.get(key) ?? none;
    found.set(key, sum);
    const expected = cell("expected");
    if (expected !== null) sum.expected = (sum.expected ?? 0) + Number(expected);
    sum.valued += Number(cell("valued"));
    sum.bad += Number(cell("bad"));
    sum.explained += Number(cell("explained") ?? 0);
    sum.unexplained += Number(cell("unexplained") ?? 0);
    const reasons = JSON.parse(cell("reasons") ?? "{}") as Record<string, number>;
    for (const [reason, count] of Object.entries(reasons)) sum.reasons[reason] = (sum.reasons[reason] ?? 0) + count;
  }
  return [...found.values()];
}

/** Newest first; slots that follow each other with the same cause are one. */
export function holesOf(answer: Answer): Hole[] {
  const holes: Hole[] = [];
  for (const cell of rowsOf(answer)) {
    const hole = {
      fromMs: Date.parse(cell("ts") ?? ""),
      toMs: Date.parse(cell("until") ?? ""),
      missing: Number(cell("missing")),
      cause: cell("cause") ?? "",
      detail: cell("detail") ?? "",
    };
    const after = holes.at(-1);
    // Of an overloaded line every other slot is a hole: one line a stretch that was told together.
    if (after && after.cause === hole.cause && after.detail === hole.detail) {
      after.fromMs = hole.fromMs;
      after.missing += hole.missing;
    } else holes.push(hole);
  }
  return holes;
}

/** The share of samples with a value, in percent; 100 only when none is missing. */
export function percent({ expected, valued }: Pick<Completeness, "expected" | "valued">): number | null {
  if (expected === null || expected === 0) return null;
  const share = (100 * valued) / expected;
  return valued >= expected ? 100 : Math.min(Math.floor(share * 100) / 100, 99.99);
}
