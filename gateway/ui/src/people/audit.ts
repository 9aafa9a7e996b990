// Records of the audit as people read them: who may, and writes to devices.

import type { AuditRecord } from "../api";

export interface Told {
  /** When, µs; null when the record does not say. */
  us: number | null;
  who: string;
  from: string;
  about: string;
}

/** What a record says, whatever its kind: unknown fields are shown as they are. */
export function auditAbout(record: AuditRecord): Told {
  const { body } = record;
  const intent = (isFields(body.intent) ? body.intent : body) as Record<string, unknown>;
  const closing = isFields(body.closing) ? body.closing : body;
  const text = (value: unknown) => (typeof value === "string" ? value : "");
  const parts = [text(body.subject) || text(intent.tag) || text(closing.tag)];
  if (typeof body.in_a_row === "number") parts.push(`× ${body.in_a_row}`);
  if (typeof body.untold === "number" && body.untold > 0) parts.push(`+ ${body.untold}`);
  if (isFields(body.details)) {
    const known = Object.entries(body.details).filter(([, value]) => value !== null);
    parts.push(...known.map(([key, value]) => `${key}: ${String(value)}`));
  }
  parts.push(text(closing.result), text(closing.detail));
  return {
    us: time(body.at) ?? time(intent.at) ?? time(closing.at),
    who: text(body.who) || text(intent.who) || "–",
    from: text(body.from),
    about: parts.filter(Boolean).join(" · "),
  };
}

const isFields = (value: unknown): value is Record<string, unknown> => value !== null && typeof value === "object";

/** µs as a number, or RFC 3339. */
function time(value: unknown): number | null {
  if (typeof value === "number") return value;
  const ms = typeof value === "string" ? Date.parse(value) : NaN;
  return Number.isNaN(ms) ? null : ms * 1000;
}
