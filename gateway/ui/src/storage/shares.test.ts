import { expect, test } from "vitest";
import { shares } from "./shares";

const of = (bytes: number, free: number, freeMin: number) =>
  shares({ bytes, volume: { total: 100, free }, budget: { bytes_max: null, free_min: freeMin } });

test("the parts add up to the volume", () => {
  const parts = of(20, 50, 10);
  expect(parts.map((part) => part.bytes)).toEqual([20, 30, 40, 10]);
  expect(parts.reduce((sum, part) => sum + part.bytes, 0)).toBe(100);
});

test("a full volume has no free part, only what is left of the reserve", () => {
  expect(of(80, 4, 10).map((part) => part.bytes)).toEqual([80, 16, 0, 4]);
});

test("without a volume nothing is drawn", () => {
  expect(shares({ bytes: 1, volume: null, budget: { bytes_max: null, free_min: 0 } })).toEqual([]);
});
