import { describe, expect, it } from "vitest";
import type { Frame } from "./frame";
import { UNHEARD, Values } from "./values";

function sample(id: number, value: number, timeMs: number, quality = 0): Frame {
  return {
    subscription: 1,
    sequence: 0,
    nowMs: timeMs,
    ids: Uint32Array.of(id),
    values: Float64Array.of(value),
    quality: Uint8Array.of(quality),
    reasons: Uint16Array.of(0),
    timesMs: Float64Array.of(timeMs),
  };
}

function fedEverySecond(count: number): Values {
  const values = new Values();
  values.grow(1);
  for (let tick = 1; tick <= count; tick++) values.apply(sample(0, tick, tick * 1000));
  return values;
}

describe("Values", () => {
  it("keeps what it knows when more signals appear", () => {
    const values = fedEverySecond(1);
    values.grow(3);
    expect([...values.value]).toEqual([1, NaN, NaN]);
    expect([...values.quality]).toEqual([0, UNHEARD, UNHEARD]);
  });

  it("tells when a frame names a signal it does not know", () => {
    const values = fedEverySecond(1);
    expect(values.apply(sample(5, 1, 2000))).toBe(true);
    expect(values.apply(sample(0, 1, 2000))).toBe(false);
  });

  it("calls a value stale once it is older than three usual spacings", () => {
    const values = fedEverySecond(5);
    expect(values.isStale(0, 5000 + 2999)).toBe(false);
    expect(values.isStale(0, 5000 + 3001)).toBe(true);
  });

  it("never calls a value stale that is younger than two seconds", () => {
    const values = new Values();
    values.grow(1);
    for (let tick = 1; tick < 20; tick++) values.apply(sample(0, tick, tick * 10));
    expect(values.isStale(0, 190 + 1999)).toBe(false);
  });

  it("does not take a pause of the page for a pause of the device", () => {
    const values = fedEverySecond(5);
    values.pause([0]);
    values.apply(sample(0, 9, 600_000));
    expect(values.spacingMs[0]).toBe(1000);
  });

  it("does not call a signal stale that nobody asks for, until the gateway speaks of it again", () => {
    const values = fedEverySecond(5);
    values.pause([0]);
    expect(values.isStale(0, 60_000)).toBe(false);
    values.apply(sample(0, 5, 5000));
    expect(values.isStale(0, 60_000)).toBe(true);
  });

  it("does not take a repeated sample for a new one", () => {
    const values = fedEverySecond(3);
    values.apply(sample(0, 3, 3000));
    expect(values.spacingMs[0]).toBe(1000);
    expect(values.timeMs[0]).toBe(3000);
  });

  it("remembers when a value last became different, not when it last arrived", () => {
    const values = new Values();
    values.grow(1);
    values.apply(sample(0, 7, 1000));
    expect(values.changedMs[0]).toBe(0);
    values.apply(sample(0, 8, 2000));
    values.apply(sample(0, 8, 3000));
    expect(values.changedMs[0]).toBe(2000);
    values.apply(sample(0, 8, 4000, 2));
    expect(values.changedMs[0]).toBe(4000);
  });

  it("does not call a signal stale that never sent anything", () => {
    const values = new Values();
    values.grow(1);
    expect(values.isStale(0, 1e12)).toBe(false);
  });
});
