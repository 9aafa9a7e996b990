import { expect, test } from "vitest";
import { exchangesOf, parseTrace } from "./exchanges";

const TCP = `# Modbus TCP (text2pcap -D -t %s.%f -T 1502,502); the last 5 of 266 frames
# answer, 11 bytes, 9.9 s ago
I 1700000000.000000
000000 00 06 00 00 00 05 11 03 02 00 01
# sent, 12 bytes, 9.837862 s ago
O 1700000001.000000
000000 00 07 00 00 00 06 11 04 00 10 00 16
# sent, 12 bytes, 9.8 s ago
O 1700000001.001000
000000 00 08 00 00 00 06 03 03 00 02 00 02
# answer, 9 bytes, 9.7 s ago
I 1700000001.004500
000000 00 08 00 00 00 03 03 83 02
# late, dropped, 53 bytes, 9.6 s ago
I 1700000001.100000
000000 00 07 00 00 00 2f 11 04 2c 43 77 36 58 49 f6 07
000010 6f 58
`;

test("answers belong to the request whose transaction id they carry", () => {
  const exchanges = exchangesOf(parseTrace(TCP));
  expect(exchanges.length).toBe(2);
  const [read, refused] = exchanges;
  expect(read).toMatchObject({ unit: 0x11, code: 4, first: 16, count: 22, answer: null, exception: null });
  expect(refused).toMatchObject({ unit: 3, code: 3, first: 2, count: 2, exception: 2 });
  expect((refused?.answer?.atMs ?? 0) - (refused?.request.atMs ?? 0)).toBeCloseTo(3.5, 3);
});

test("bytes of a frame go on over lines", () => {
  const { frames } = parseTrace(TCP);
  expect(frames.map((frame) => frame.fate)).toEqual(["answer", "sent", "sent", "answer", "late, dropped"]);
  expect(frames.at(-1)?.bytes.length).toBe(18);
});

test("on a serial line the next answer of the unit is the answer", () => {
  const text = `# Modbus RTU (text2pcap …); the last 3 of 3 frames
# sent, 8 bytes, 1 s ago
O 10.000000
000000 05 01 00 00 00 08 3d c8
# answer, 6 bytes, 1 s ago
I 10.020000
000000 05 01 01 ff 11 38
# sent, 6 bytes, 1 s ago
O 11.000000
000000 05 08 00 00 a5 37
`;
  const [read, echo] = exchangesOf(parseTrace(text));
  expect(read).toMatchObject({ unit: 5, code: 1, first: 0, count: 8 });
  expect(read?.answer?.atMs).toBe(10_020);
  expect(echo).toMatchObject({ code: 8, first: null, count: null, answer: null });
});
