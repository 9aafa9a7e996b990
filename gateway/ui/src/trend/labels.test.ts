import { describe, expect, it } from "vitest";
import { decimalsOfStep, timeLabels } from "./labels";

describe("axis labels", () => {
  it.each([
    [1, 0],
    [0.5, 1],
    [0.25, 2],
    [0.002, 3],
    [20, 0],
  ])("a step of %d needs %d decimals to tell marks apart", (step, decimals) => {
    expect(decimalsOfStep(step)).toBe(decimals);
  });

  it("carry the date on the first mark and after midnight only", () => {
    const evening = new Date(2025, 10, 22, 22, 0, 0).getTime() / 1000;
    const labels = timeLabels([evening, evening + 3600, evening + 7200, evening + 10_800], 3600, "en");
    expect(labels).toEqual(["22:00\n22 Nov", "23:00", "00:00\n23 Nov", "01:00"]);
  });
});
