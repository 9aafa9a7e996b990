// The last frames of a Modbus line, as the gateway prints them, put together as requests with their answers.

/** What became of a frame; the words are the gateway's. */
export interface Frame {
  sent: boolean;
  fate: string;
  atMs: number;
  /** Bytes on the wire; the gateway keeps at most 260 of them. */
  length: number;
  bytes: number[];
}

export interface Exchange {
  request: Frame;
  unit: number;
  code: number;
  /** First address, 0-based as on the wire, and how many; null where the function has none. */
  first: number | null;
  count: number | null;
  answer: Frame | null;
  /** Modbus exception code, if that was the answer. */
  exception: number | null;
}

export interface Trace {
  framing: "mbap" | "rtu";
  frames: Frame[];
}

/** Reads the text of `/api/v1/lines/{name}/frames`. Lines it does not know are passed over. */
export function parseTrace(text: string): Trace {
  const frames: Frame[] = [];
  let framing: Trace["framing"] = "mbap";
  let next: { fate: string; length: number } | null = null;
  for (const line of text.split("\n")) {
    const about = /^# (.+), (\d+) bytes, .* ago$/.exec(line);
    const stamp = /^([IO]) (\d+\.\d+)$/.exec(line);
    const bytes = /^[0-9a-f]{6}((?: [0-9a-f]{2})+)$/.exec(line);
    if (line.startsWith("# Modbus RTU")) framing = "rtu";
    else if (about) next = { fate: about[1] ?? "", length: Number(about[2]) };
    else if (stamp && next) {
      frames.push({ ...next, sent: stamp[1] === "O", atMs: Number(stamp[2]) * 1000, bytes: [] });
      next = null;
    } else if (bytes) {
      const frame = frames.at(-1);
      for (const hex of (bytes[1] ?? "").trim().split(" ")) frame?.bytes.push(parseInt(hex, 16));
    }
  }
  return { framing, frames };
}

/** Functions whose request begins with an address and a quantity, Modbus V1.1b3 clause 6. */
const WITH_QUANTITY = new Set([1, 2, 3, 4, 15, 16]);
/** Functions whose request begins with one address. */
const WITH_ADDRESS = new Set([5, 6, 22]);

/** Requests in the order they were sent, each with the frame that was taken as its answer. */
export function exchangesOf({ framing, frames }: Trace): Exchange[] {
  const at = framing === "mbap" ? 6 : 0;
  const exchanges: Exchange[] = [];
  const waiting = new Map<string, Exchange>();
  for (const frame of frames) {
    const unit = frame.bytes[at];
    const code = frame.bytes[at + 1];
    if (unit === undefined || code === undefined) continue;
    // A transaction id names the request over TCP; on a serial line only one is on its way.
    const key = framing === "mbap" ? `${frame.bytes[0]}/${frame.bytes[1]}` : `${unit}`;
    if (frame.sent) {
      const word = (offset: number) =>
        (frame.bytes[at + offset] ?? 0) * 256 + (frame.bytes[at + offset + 1] ?? 0);
      const exchange: Exchange = {
        request: frame,
        unit,
        code,
        first: WITH_QUANTITY.has(code) || WITH_ADDRESS.has(code) ? word(2) : null,
        count: WITH_QUANTITY.has(code) ? word(4) : WITH_ADDRESS.has(code) ? 1 : null,
        answer: null,
        exception: null,
      };
      exchanges.push(exchange);
      waiting.set(key, exchange);
    } else if (frame.fate === "answer") {
      const exchange = waiting.get(key);
      if (!exchange) continue;
      waiting.delete(key);
      exchange.answer = frame;
      if (code >= 0x80) exchange.exception = frame.bytes[at + 2] ?? null;
    }
  }
  return exchanges;
}
