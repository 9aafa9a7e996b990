// The binary frame of /api/v1/live, little-endian and columnar:
//
//   u32 magic "LFG1" · u32 subscription · u32 sequence · u32 n · f64 now (ms)
//   n × u32 signal id · n × f64 value · n × u8 quality · pad to 4 · n × u16 reason · pad to 4 · n × f64 time (ms)
//
// Padding counts from the start of the frame. The f64 columns may start on any multiple of 4, so columns are copied
// out before they are viewed.

export const FRAME_MAGIC = 0x3147464c;
const HEADER_BYTES = 24;
/** More rows than any selection can hold: such a count is damage, not a frame. */
const ROWS_MAX = 1_000_000;

export interface Frame {
  subscription: number;
  sequence: number;
  /** Gateway time when the frame was made, ms since the epoch. */
  nowMs: number;
  ids: Uint32Array;
  /** NaN where there is no number. */
  values: Float64Array;
  /** 0 good, 1 uncertain, 2 bad. */
  quality: Uint8Array;
  reasons: Uint16Array;
  /** When the samples were taken, ms since the epoch. */
  timesMs: Float64Array;
}

const padded = (offset: number) => (offset + 3) & ~3;

/** Where each column of a frame with `rows` rows starts, and where the frame ends. */
function layout(rows: number) {
  const ids = HEADER_BYTES;
  const values = ids + 4 * rows;
  const quality = values + 8 * rows;
  const reasons = padded(quality + rows);
  const times = padded(reasons + 2 * rows);
  return { ids, values, quality, reasons, times, end: times + 8 * rows };
}

/** The frame in `bytes`, or `null` when they are not exactly one frame. */
export function parseFrame(bytes: ArrayBuffer): Frame | null {
  if (bytes.byteLength < HEADER_BYTES) return null;
  const head = new DataView(bytes);
  if (head.getUint32(0, true) !== FRAME_MAGIC) return null;
  const rows = head.getUint32(12, true);
  if (rows > ROWS_MAX) return null;
  const at = layout(rows);
  if (bytes.byteLength !== at.end) return null;
  return {
    subscription: head.getUint32(4, true),
    sequence: head.getUint32(8, true),
    nowMs: head.getFloat64(16, true),
    ids: new Uint32Array(bytes.slice(at.ids, at.values)),
    values: new Float64Array(bytes.slice(at.values, at.quality)),
    quality: new Uint8Array(bytes, at.quality, rows),
    reasons: new Uint16Array(bytes.slice(at.reasons, at.reasons + 2 * rows)),
    timesMs: new Float64Array(bytes.slice(at.times, at.end)),
  };
}

/** The bytes of a frame: the twin of {@link parseFrame}, for tests and stand-in servers. */
export function writeFrame(frame: Frame): ArrayBuffer {
  const rows = frame.ids.length;
  const at = layout(rows);
  const bytes = new ArrayBuffer(at.end);
  const view = new DataView(bytes);
  view.setUint32(0, FRAME_MAGIC, true);
  view.setUint32(4, frame.subscription, true);
  view.setUint32(8, frame.sequence, true);
  view.setUint32(12, rows, true);
  view.setFloat64(16, frame.nowMs, true);
  for (let row = 0; row < rows; row++) {
    view.setUint32(at.ids + 4 * row, frame.ids[row] ?? 0, true);
    view.setFloat64(at.values + 8 * row, frame.values[row] ?? NaN, true);
    view.setUint8(at.quality + row, frame.quality[row] ?? 2);
    view.setUint16(at.reasons + 2 * row, frame.reasons[row] ?? 0, true);
    view.setFloat64(at.times + 8 * row, frame.timesMs[row] ?? 0, true);
  }
  return bytes;
}
