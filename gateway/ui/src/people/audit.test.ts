import { expect, test } from "vitest";
import { auditAbout } from "./audit";

const record = (kind: string, body: Record<string, unknown>) => ({ n: 1, kind, hash: "", body });

test("a change of who may says who, from where and what of whom", () => {
  const body = { at: 1_790_000_000_000_000, who: "eva", from: "192.0.2.1", subject: "adam", details: { role: "viewer" } };
  expect(auditAbout(record("role_changed", body))).toEqual({
    us: 1_790_000_000_000_000,
    who: "eva",
    from: "192.0.2.1",
    about: "adam · role: viewer",
  });
});

test("a failed login says how often, and nothing of a name that nobody has", () => {
  const body = { at: 1, who: null, from: "192.0.2.1", in_a_row: 5, untold: 7 };
  expect(auditAbout(record("login_failed", body))).toMatchObject({ who: "–", about: "× 5 · + 7" });
});

test("a refused write says tag, result and reason", () => {
  const closing = { tag: "a/b", result: "refused_by_policy", detail: "above 10" };
  const told = auditAbout(record("refused", { intent: { tag: "a/b", who: "eva" }, closing }));
  expect(told).toMatchObject({ who: "eva", about: "a/b · refused_by_policy · above 10" });
});

test("a record of another version does no harm", () => {
  expect(auditAbout(record("new", { at: {}, who: 7, details: ["x"] }))).toMatchObject({ us: null, who: "–" });
});
