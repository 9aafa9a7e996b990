import { describe, expect, it } from "vitest";
import { FRAME_MAGIC, parseFrame, writeFrame, type Frame } from "./frame";

function frame(rows: number): Frame {
  const numbers = Array.from({ length: rows }, (_, row) => row);
  return {
    subscription: 7,
    sequence: 42,
    nowMs: 1_763_800_000_123.5,
    ids: Uint32Array.from(numbers, (row) => row * 3),
    values: Float64Array.from(numbers, (row) => (row === 1 ? NaN : row + 0.25)),
    quality: Uint8Array.from(numbers, (row) => row % 3),
    reasons: Uint16Array.from(numbers, (row) => 0x0100 | row),
    timesMs: Float64Array.from(numbers, (row) => 1_763_800_000_000 + row),
  };
}

describe("parseFrame", () => {
  it.each([0, 1, 2, 3, 4, 5, 1000])("gives back the %i rows that were written", (rows) => {
    expect(parseFrame(writeFrame(frame(rows)))).toEqual(frame(rows));
  });

  it("reads a frame laid out by hand, byte for byte", () => {
    // One row: the f64 columns start at 28 and 44, neither a multiple of 8.
    const bytes = new Uint8Array(52);
    const view = new DataView(bytes.buffer);
    bytes.set([0x4c, 0x46, 0x47, 0x31], 0);
    view.setUint32(4, 1, true);
    view.setUint32(8, 9, true);
    view.setUint32(12, 1, true);
    view.setFloat64(16, 1000, true);
    view.setUint32(24, 5, true);
    view.setFloat64(28, 25.5, true);
    bytes[36] = 2;
    view.setUint16(40, 0x0102, true);
    view.setFloat64(44, 999, true);
    expect(parseFrame(bytes.buffer)).toEqual({
      subscription: 1,
      sequence: 9,
      nowMs: 1000,
      ids: Uint32Array.of(5),
      values: Float64Array.of(25.5),
      quality: Uint8Array.of(2),
      reasons: Uint16Array.of(0x0102),
      timesMs: Float64Array.of(999),
    });
  });

  it("refuses every frame that was cut short", () => {
    const whole = writeFrame(frame(3));
    for (let length = 0; length < whole.byteLength; length++) {
      expect(parseFrame(whole.slice(0, length))).toBeNull();
    }
  });

  it("refuses a frame with bytes behind its end", () => {
    const longer = new Uint8Array(writeFrame(frame(3)).byteLength + 1);
    longer.set(new Uint8Array(writeFrame(frame(3))));
    expect(parseFrame(longer.buffer)).toBeNull();
  });

  it("refuses another magic number", () => {
    const bytes = writeFrame(frame(1));
    new DataView(bytes).setUint32(0, FRAME_MAGIC + 1, true);
    expect(parseFrame(bytes)).toBeNull();
  });

  it("refuses a row count that no selection can hold", () => {
    const bytes = writeFrame(frame(0));
    new DataView(bytes).setUint32(12, 0xffffffff, true);
    expect(parseFrame(bytes)).toBeNull();
  });
});
