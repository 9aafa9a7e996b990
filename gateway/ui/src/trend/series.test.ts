import { describe, expect, it } from "vitest";
import { align, blemishes, fold, gapLimitMs, nearest, renew, runs, seriesOf, trim, type Series } from "./series";

function series(t: number[], mean: (number | null)[] = t.map(() => 1), bucketMs = 1000): Series {
  return seriesOf({
    id: 0,
    from_us: 0,
    to_us: 0,
    bucket_us: bucketMs * 1000,
    t_us: t.map((ms) => ms * 1000),
    min: mean.map((value) => (value === null ? null : value - 1)),
    max: mean.map((value) => (value === null ? null : value + 1)),
    mean,
    q: mean.map((value) => (value === null ? 2 : 0)),
  });
}

describe("gaps", () => {
  it("three empty buckets are not a gap, four are", () => {
    expect(runs(series([0, 1000, 4000, 5000]))).toEqual([[0, 3]]);
    expect(runs(series([0, 1000, 4001, 5000]))).toEqual([
      [0, 1],
      [2, 3],
    ]);
  });

  it("a signal that comes every ten buckets has no gaps of its own", () => {
    expect(gapLimitMs(series([0, 10_000, 20_000, 30_000]))).toBe(30_000);
    expect(runs(series([0, 10_000, 20_000, 50_000]))).toEqual([[0, 3]]);
  });

  it("a bucket with bad samples only breaks the line", () => {
    expect(runs(series([0, 1000, 2000, 3000], [1, null, 2, 3]))).toEqual([
      [0, 0],
      [2, 3],
    ]);
  });

  it("an empty history has no runs", () => expect(runs(series([]))).toEqual([]));
});

describe("align", () => {
  it("breaks the line in a gap and nowhere else", () => {
    const { x, means } = align([series([0, 1000, 2000, 9000, 10_000])]);
    expect(x).toEqual([0.5, 1.5, 2.5, 3.5, 9.5, 10.5]);
    expect(means).toEqual([[1, 1, 1, null, 1, 1]]);
  });

  it("does not break one pen where only the other has buckets", () => {
    const { x, means } = align([series([0, 2000, 4000]), series([1000, 3000])]);
    expect(x).toEqual([0.5, 1.5, 2.5, 3.5, 4.5]);
    expect(means[0]).toEqual([1, undefined, 1, undefined, 1]);
    expect(means[1]).toEqual([undefined, 1, undefined, 1, undefined]);
  });
});

describe("live samples", () => {
  it("widen the open bucket and open the next", () => {
    const pen = series([0, 1000], [5, 5]);
    fold(pen, 1500, 9, 0);
    expect([pen.min[1], pen.max[1]]).toEqual([4, 9]);
    fold(pen, 2100, 7, 0);
    expect(pen.t).toEqual([0, 1000, 2000]);
    expect(pen.mean[2]).toBe(7);
  });

  it("average inside the bucket they opened", () => {
    const pen = series([0]);
    for (const value of [2, 4, 6]) fold(pen, 1000 + value, value, 0);
    expect(pen.mean[1]).toBe(4);
  });

  it("that are bad mark the bucket and leave its numbers", () => {
    const pen = series([0], [5]);
    fold(pen, 500, 99, 2);
    expect([pen.mean[0], pen.max[0], pen.q[0]]).toEqual([5, 6, 2]);
    fold(pen, 1500, NaN, 2);
    expect([pen.mean[1], pen.q[1]]).toEqual([null, 2]);
  });

  it("older than the open bucket change nothing", () => {
    const pen = series([0, 1000], [5, 5]);
    fold(pen, 500, 99, 0);
    expect(pen).toEqual(series([0, 1000], [5, 5]));
  });
});

describe("renew", () => {
  it("puts the fetched tail in place of what was folded", () => {
    const pen = series([0, 1000, 2000], [1, 1, 1]);
    fold(pen, 2500, 8, 0);
    const fresh = renew(pen, series([1000, 2000], [3, 4]), 1000);
    expect(fresh.t).toEqual([0, 1000, 2000]);
    expect(fresh.mean).toEqual([1, 3, 4]);
  });

  it("keeps samples that arrived after the tail was made", () => {
    const pen = series([0, 1000], [1, 1]);
    fold(pen, 2500, 8, 0);
    const fresh = renew(pen, series([1000], [3]), 1000);
    expect(fresh.t).toEqual([0, 1000, 2000]);
    expect(fresh.mean).toEqual([1, 3, 8]);
  });

  it("takes the tail alone when its buckets are of another width", () => {
    expect(renew(series([0, 1000]), series([0], [1], 5000), 0).t).toEqual([0]);
  });
});

describe("looking at a place", () => {
  it("finds the bucket under the cursor", () => {
    expect(nearest(series([0, 1000, 2000]), 1400)).toBe(1);
  });
  it("finds nothing in the middle of a gap", () => {
    expect(nearest(series([0, 1000, 2000, 20_000]), 11_000)).toBe(-1);
  });
  it("finds nothing in an empty history", () => expect(nearest(series([]), 0)).toBe(-1));
  it("joins neighbouring bad buckets into one stretch", () => {
    expect(blemishes(series([0, 1000, 2000, 9000], [1, null, null, null]))).toEqual([
      [1000, 3000, 2],
      [9000, 10_000, 2],
    ]);
  });
  it("forgets only what lies wholly before the view", () => {
    const pen = series([0, 1000, 2000]);
    trim(pen, 1500);
    expect(pen.t).toEqual([1000, 2000]);
  });
});
