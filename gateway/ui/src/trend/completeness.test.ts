import { expect, test } from "vitest";
import { completenessOf, completenessSql, holesOf, percent } from "./completeness";

const answer = (names: string[], rows: (string | null)[][]) => ({
  columns: names.map((name) => ({ name, type: "", number: false })),
  rows,
  cut: false,
  elapsed_ms: 0,
});
const HOURS = ["path", "table", "expected", "valued", "bad", "reasons", "explained", "unexplained"];
const HOLES = ["ts", "until", "missing", "cause", "detail"];

test("hours of a signal are added up, reasons by name", () => {
  const sums = completenessOf(
    answer(HOURS, [
      ["a", "a_1s", "3600", "3000", "100", '{"timeout":90,"crc":10}', "400", "100"],
      ["a", "a_1s", "60", "50", "10", '{"timeout":10}', "0", "0"],
      ["b", "can", null, "7", "0", "{}", null, null],
    ]),
  );
  expect(sums).toEqual([
    {
      path: "a",
      table: "a_1s",
      expected: 3660,
      valued: 3050,
      bad: 110,
      reasons: { timeout: 100, crc: 10 },
      explained: 400,
      unexplained: 100,
    },
    { path: "b", table: "can", expected: null, valued: 7, bad: 0, reasons: {}, explained: 0, unexplained: 0 },
  ]);
});

test("nothing short of all is a hundred percent", () => {
  expect(percent({ expected: 1_000_000, valued: 999_999 })).toBe(99.99);
  expect(percent({ expected: 10, valued: 10 })).toBe(100);
  expect(percent({ expected: 3, valued: 0 })).toBe(0);
  expect(percent({ expected: null, valued: 5 })).toBeNull();
});

test("holes of one stretch are one line, holes of other causes are their own", () => {
  const at = (second: number) => new Date(second * 1000).toISOString();
  const holes = holesOf(
    answer(HOLES, [
      [at(30), at(31), "2", "line_busy", "5 slots"],
      [at(20), at(22), "3", "line_busy", "5 slots"],
      [at(10), at(10), "1", "unexplained", ""],
    ]),
  );
  expect(holes.map(({ fromMs, toMs, missing, cause }) => [fromMs, toMs, missing, cause])).toEqual([
    [20_000, 31_000, 5, "line_busy"],
    [10_000, 10_000, 1, "unexplained"],
  ]);
});

test("a path is text in the question, whatever is in it", () => {
  expect(completenessSql(["it's"])).toContain("IN ('it''s')");
});
