import { describe, expect, it } from "vitest";
import { panned, present, rangeName, viewOf, zoomed } from "./view";

const NOW = Date.UTC(2025, 10, 22, 12);
const view = { fromMs: 1000_000, toMs: 2000_000, follow: true };
const asked = (query: string) => viewOf(new URLSearchParams(query), NOW);

describe("zoom and pan", () => {
  it("zooming keeps the time under the cursor in its place", () => {
    const closer = zoomed(view, 1250_000, 0.5);
    expect((1250_000 - closer.fromMs) / (closer.toMs - closer.fromMs)).toBeCloseTo(0.25);
    expect(closer.toMs - closer.fromMs).toBe(500_000);
  });
  it("zooming stops at one second", () => {
    const closest = zoomed(view, 1500_000, 1e-9);
    expect(closest.toMs - closest.fromMs).toBe(1000);
  });
  it("panning stops following", () => expect(panned(view, -5).follow).toBe(false));
});

describe("links", () => {
  it("name a followed range", () => {
    expect(asked("range=30m")).toEqual({ fromMs: NOW - 1_800_000, toMs: NOW, follow: true });
    expect(asked("range=240s")).toEqual({ fromMs: NOW - 240_000, toMs: NOW, follow: true });
  });
  it("name a fixed stretch of time", () => {
    expect(asked("from=2025-11-22T10:00:00Z&to=2025-11-22T10:05:00Z")).toEqual({
      fromMs: NOW - 7_200_000,
      toMs: NOW - 6_900_000,
      follow: false,
    });
  });
  it.each(["", "range=toString", "range=-5s", "from=x&to=y", "from=2025-11-22T10:00:00Z&to=2025-11-22T09:00:00Z"])(
    "that make no sense are not followed: %s",
    (query) => expect(asked(query)).toBeNull(),
  );
  it("have the button's name for a button's span", () => {
    expect(rangeName(1_800_000)).toBe("30m");
    expect(rangeName(240_000)).toBe("240s");
  });
});

describe("present", () => {
  it("moves a followed view to now and leaves a fixed one", () => {
    expect(present(view, 9000_000)).toEqual({ fromMs: 8000_000, toMs: 9000_000, follow: true });
    expect(present(panned(view, 0), 9000_000)).toEqual({ ...view, follow: false });
  });
});
