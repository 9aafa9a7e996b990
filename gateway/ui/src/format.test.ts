import { describe, expect, it } from "vitest";
import {
  age,
  bytes,
  clockTime,
  coarse,
  count,
  dateTime,
  decimalsOf,
  measured,
  reasonName,
  recentTime,
  showTimesIn,
  signalValue,
  span,
  zone,
} from "./format";

const analog = (low: number | null, high: number | null) => ({ kind: "f64", low, high, labels: null });

describe("measured values", () => {
  it.each([
    [0, 16, 2],
    [0, 1, 3],
    [0, 3000, 0],
    [-40, 120, 1],
    [0, 0.01, 5],
  ])("range %d..%d is shown with %d decimals", (low, high, decimals) => {
    expect(decimalsOf(analog(low, high), 1.23456)).toBe(decimals);
  });

  it("shows four or five digits where no range is known", () => {
    expect(signalValue(analog(null, null), 1234.5678, "en")).toBe("1234.6");
    expect(signalValue(analog(null, null), 0.873291, "en")).toBe("0.873");
    expect(signalValue(analog(null, null), 0.0123456, "en")).toBe("0.012346");
  });

  it("never groups digits, so that 12.345 cannot mean twelve thousand", () => {
    expect(measured(12345, 0, "en")).toBe("12345");
    expect(measured(12.345, 3, "de")).toBe("12,345");
  });

  it("shows a true minus sign and a dash where there is no number", () => {
    expect(measured(-3.5, 1, "en")).toBe("−3.5");
    expect(measured(NaN, 1, "en")).toBe("–");
    expect(measured(-Infinity, 1, "en")).toBe("−∞");
  });

  it("shows very large and very small numbers with an exponent", () => {
    expect(measured(1.5e12, 0, "en")).toBe("1.500e+12");
    expect(measured(-2.5e-7, 6, "en")).toBe("−2.500e−7");
  });

  it("shows the label of an enum and the number of an unlabelled state", () => {
    const mode = { kind: "u16", low: null, high: null, labels: { "0": "off", "2": "auto" } };
    expect(signalValue(mode, 2, "en")).toBe("auto");
    expect(signalValue(mode, 7, "en")).toBe("7");
  });

  it("shows a scaled whole number with its decimals", () => {
    expect(signalValue({ kind: "i16", low: null, high: null, labels: null }, 12.5, "en")).toBe("12.50");
  });

  it("shows a bit as 0 or 1", () => {
    expect(signalValue({ kind: "bool", low: null, high: null, labels: null }, 1, "en")).toBe("1");
  });
});

describe("sizes and spans", () => {
  it.each([
    [0, "0 B"],
    [999, "999 B"],
    [1000, "1.0 kB"],
    [99_950, "100 kB"],
    [999_499, "999 kB"],
    [999_500, "1.0 MB"],
    [12_345_678_901, "12.3 GB"],
  ])("%d bytes are %s", (value, text) => expect(bytes(value, "en")).toBe(text));

  it.each([
    [-5, "< 1 s"],
    [999, "< 1 s"],
    [119_999, "119 s"],
    [200_000, "3 min 20 s"],
    [3_600_000, "1 h"],
    [18_720_000, "5 h 12 min"],
    [792_000_000, "9 d 4 h"],
  ])("%d ms are %s", (ms, text) => expect(span(ms)).toBe(text));

  it("an unknown age is a dash", () => expect(age(Infinity)).toBe("–"));
  it("an age has one unit", () => expect(age(200_000)).toBe("3 min"));
  it("counts are grouped", () => expect(count(1234567, "en")).toBe("1,234,567"));
  it("rates lose the digits nobody needs", () => {
    expect(coarse(12.345, "en")).toBe("12.3");
    expect(coarse(1234.5, "en")).toBe("1,235");
    expect(coarse(0.051, "en")).toBe("0.05");
  });
});

describe("times", () => {
  const noon = new Date(2025, 10, 22, 12, 0, 0).getTime();
  it("leaves out the date of a recent time", () => {
    expect(recentTime(noon - 60_000, noon, "en")).toBe("11:59:00");
  });
  it("shows the date of an old time", () => {
    expect(recentTime(noon - 86_400_000, noon, "en")).toContain("Nov 2025");
  });
});

describe("times of the site", () => {
  const summer = Date.UTC(2026, 6, 1, 10, 0, 0);
  const winter = Date.UTC(2026, 0, 1, 22, 30, 0);
  it("are shown in its zone, also when the reader sits elsewhere", () => {
    showTimesIn("Asia/Kolkata");
    expect(clockTime(summer, "en")).toBe("15:30:00");
    expect(zone(summer)).toBe("UTC+5:30");
    showTimesIn("America/New_York");
    expect(dateTime(winter, "en")).toContain("17:30:00");
    expect([zone(winter), zone(summer)]).toEqual(["UTC−5", "UTC−4"]);
    showTimesIn("UTC");
    expect([clockTime(summer, "en"), zone(summer)]).toEqual(["10:00:00", "UTC"]);
  });
  it("stay as they are when the browser does not know the zone", () => {
    showTimesIn("UTC");
    showTimesIn("Mars/Olympus");
    expect(clockTime(summer, "en")).toBe("10:00:00");
  });
});

describe("reasons", () => {
  it("come from the gateway's list", () => expect(reasonName(2, { "2": "timeout" })).toBe("timeout"));
  it("name the exception of a code in the exception family", () => {
    expect(reasonName(0x0102, {})).toBe("exc_2");
    expect(reasonName(0x0200, {})).toBe("sentinel_0");
  });
  it("show the number of a code nobody knows", () => expect(reasonName(99, {})).toBe("#99"));
  it("are empty when all is well", () => expect(reasonName(0, { "0": "none" })).toBe(""));
});
