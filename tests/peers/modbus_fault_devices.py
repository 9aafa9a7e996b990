"""Devices of the fault server: registers as functions of time, units, the line model, fault rules.

The protocol around them is in modbus_fault_server.py, which says how all of it is used.
"""
from __future__ import annotations
import asyncio, collections, hashlib, math, random, struct, time

TABLES = {"coil": 0, "discrete": 1, "input": 3, "holding": 4}
FC_TABLE = {1: "coil", 2: "discrete", 3: "holding", 4: "input"}


def crc16(data: bytes) -> int:
    crc = 0xFFFF
    for b in data:
        crc ^= b
        for _ in range(8):
            crc = (crc >> 1) ^ 0xA001 if crc & 1 else crc >> 1
    return crc


_CRC_TAB = []
for _i in range(256):
    _c = _i
    for _ in range(8):
        _c = (_c >> 1) ^ 0xA001 if _c & 1 else _c >> 1
    _CRC_TAB.append(_c)


def crc16_fast(data: bytes) -> int:
    crc = 0xFFFF
    for b in data:
        crc = (crc >> 8) ^ _CRC_TAB[(crc ^ b) & 0xFF]
    return crc


class ModbusExc(Exception):
    def __init__(self, code: int):
        self.code = code


def words_of(kind: str, value, order: str = "ABCD"):
    """Encode a number into 16-bit words. order names the bytes as seen on the wire (A = most significant)."""
    fmt = {"i16": ">h", "u16": ">H", "i32": ">i", "u32": ">I", "f32": ">f", "i64": ">q", "u64": ">Q", "f64": ">d"}[kind]
    if kind[0] in "iu":
        bits = int(kind[1:])
        value = int(value) & ((1 << bits) - 1)
        fmt = fmt.upper()
    raw = struct.pack(fmt, value)
    if len(raw) == 2:
        raw = raw if order[0] == "A" or order == "ABCD" or order == "CDAB" else raw[::-1]
    else:
        ws = [raw[i:i + 2] for i in range(0, len(raw), 2)]
        if order in ("CDAB", "DCBA"):
            ws.reverse()
        if order in ("BADC", "DCBA"):
            ws = [w[::-1] for w in ws]
        raw = b"".join(ws)
    return list(struct.unpack(">%dH" % (len(raw) // 2), raw))


class Segment:
    def __init__(self, unit, table, spec):
        self.unit, self.table = unit, table
        self.start = int(spec["start"])
        vals = spec.get("words", spec.get("bits"))
        self.gen = spec.get("gen")
        self.vals = [int(v) & 0xFFFF for v in vals] if vals is not None else None
        self.count = len(self.vals) if self.vals is not None else int(spec["count"])
        self.end = self.start + self.count

    def get(self, addr, t):
        if self.vals is not None:
            return self.vals[addr - self.start]
        g = self.gen
        k = g["kind"]
        period = float(g.get("period_ms", 1000)) / 1000.0
        tick = int(math.floor(t / period + 1e-9))
        typ = g.get("type", "u16")
        width = {"u16": 1, "i16": 1, "u32": 2, "i32": 2, "f32": 2, "u64": 4, "i64": 4, "f64": 4}[typ]
        idx, part = divmod(addr - self.start, width)
        if k == "sig":
            return (self.unit * 257 + TABLES[self.table] * 53 + addr * 7 + tick) & (1 if self.table in ("coil", "discrete") else 0xFFFF)
        if k == "tick":
            return tick & 0xFFFF
        if k in ("ramp", "counter"):
            v = g.get("start", 0) + g.get("step", 1) * tick + idx * g.get("spread", 0)
        elif k == "sine":
            tt = tick * period if g.get("stepped") else t
            v = g.get("offset", 0) + g.get("amp", 1) * math.sin(
                2 * math.pi * (tt + idx * g.get("phase_s", 0)) / float(g.get("period_s", 10)))
        elif k == "square":
            v = g.get("hi", 1) if tick % 2 else g.get("lo", 0)
        elif k == "noise":
            h = hashlib.blake2b(b"%d|%d|%d|%d" % (g.get("seed", 0), self.unit, addr, tick), digest_size=8).digest()
            lo, hi = g.get("lo", 0), g.get("hi", 65535)
            v = lo + int.from_bytes(h, "big") % (hi - lo + 1)
        else:
            raise ValueError("unknown generator %r" % k)
        if typ[0] in "iu":
            v = int(round(v))
        if self.table in ("coil", "discrete"):
            return int(v) & 1
        return words_of(typ, v, g.get("order", "ABCD"))[part]


class Unit:
    def __init__(self, uid, spec):
        self.uid = uid
        self.spec = spec
        self.lim = {"max_read_words": 125, "max_read_bits": 2000, "max_write_words": 123, "max_write_bits": 1968,
                    "over_limit_exception": 3, "min_gap_ms": 0, "busy_if_overlap": False,
                    "functions": [1, 2, 3, 4, 5, 6, 15, 16, 22, 23, 43, 8, 17]}
        self.lim.update(spec.get("limits", {}))
        self.segs = {t: sorted((Segment(uid, t, s) for s in spec.get("tables", {}).get(t, [])), key=lambda s: s.start)
                     for t in TABLES}
        self.readonly = spec.get("readonly", [])
        self.overlay = {}            # (table, addr) -> word written by a client or by /set
        self.in_service = 0
        self.last_reply = 0.0
        self.gap_violations = 0

    def word(self, table, addr, t):
        o = self.overlay.get((table, addr))
        if o is not None:
            return o
        for s in self.segs[table]:
            if s.start <= addr < s.end:
                return s.get(addr, t)
        raise ModbusExc(2)

    def read(self, table, addr, count, t):
        if addr + count > 65536:
            raise ModbusExc(2)
        return [self.word(table, a, t) for a in range(addr, addr + count)]

    def check_writable(self, table, addr, count):
        for a in range(addr, addr + count):
            self.word(table, a, 0.0)
        for (t, lo, hi) in self.readonly:
            if t == table and addr <= hi and addr + count - 1 >= lo:
                raise ModbusExc(2)

    def write(self, table, addr, vals):
        eff = self.spec.get("write_effect", "store")
        if eff == "ignore":
            return
        for i, v in enumerate(vals):
            if eff == "clamp":
                lo, hi = self.spec.get("clamp", [0, 65535])
                v = max(lo, min(hi, v))
            self.overlay[(table, addr + i)] = v & 0xFFFF


class Line:
    """A half-duplex serial line behind a TCP gateway."""
    def __init__(self, spec):
        self.spec = spec
        self.lock = asyncio.Lock()
        bits = 11 if spec.get("parity", "E") in ("E", "O") or spec.get("stop_bits", 1) == 2 else 10
        self.char_s = bits / float(spec.get("baud", 9600))
        self.dead = set(spec.get("dead_units", []))
        self.t35_s = 3.5 * self.char_s if spec.get("baud", 9600) <= 19200 else 0.00175
        self.free_at = 0.0           # when the silence behind the last answer is over

    async def exchange(self, request_bytes, answer_bytes):
        """Takes the time from the first character of a request to the last one of its answer.

        The t3.5 behind the answer is taken before the next request: a master that keeps it waits once.
        """
        begun = max(time.monotonic(), self.free_at)
        chars = request_bytes + answer_bytes
        ends = begun + chars * self.char_s + self.t35_s + self.spec.get("turnaround_ms", 2) / 1000.0
        self.free_at = ends + self.t35_s
        # asyncio rounds up to its millisecond: the rest is waited for actively.
        await asyncio.sleep(max(0.0, ends - time.monotonic() - 0.002))
        while time.monotonic() < ends:
            await asyncio.sleep(0)


class Server:
    def __init__(self, cfg, seed=1):
        self.cfg = cfg
        self.units = {int(k): Unit(int(k), v) for k, v in cfg.get("units", {}).items()}
        self.any_unit = self.units.get(-1)
        self.rules = []
        self.set_rules(cfg.get("faults", []))
        self.line = Line(cfg["line"]) if cfg.get("line") else None
        self.rng = random.Random(seed)
        self.t0 = time.monotonic()
        self.manual_t = None
        self.journal = collections.deque(maxlen=int(cfg.get("journal", 200000)))
        self.seq = 0
        self.conns = {}
        self.conn_seq = 0
        self.accepting = True
        self.blackhole = False
        self.max_conns = int(cfg.get("max_connections", 0))
        self.conn_policy = cfg.get("max_connections_policy", "reject")   # reject | kick_oldest
        self.idle_close_s = float(cfg.get("idle_close_s", 0))
        self.counters = collections.Counter()
        self.journal_on = bool(cfg.get("journal_on", True))
        self.ordered = bool(cfg.get("ordered", True))   # True: a connection answers in request order (most real devices)

    # ---- clock
    def now(self):
        return self.manual_t if self.manual_t is not None else time.monotonic() - self.t0

    # ---- rules
    def set_rules(self, rules):
        out = []
        for i, r in enumerate(rules):
            r = dict(r)
            r.setdefault("id", "rule%d" % i)
            r["_seen"] = 0
            r["_hit"] = 0
            for a in r.get("do", []):
                if a.get("action") not in ACTIONS:
                    raise ValueError("rule %s: unknown action %r (known: %s)" % (r["id"], a.get("action"), sorted(ACTIONS)))
            out.append(r)
        self.rules = out

    @staticmethod
    def _in(val, want):
        return val in want if isinstance(want, list) else val == want

    def pick(self, unit, fc, addr, count, conn):
        actions, ids = [], []
        for r in self.rules:
            m = r.get("match", {})
            if "unit" in m and not self._in(unit, m["unit"]): continue
            if "fc" in m and not self._in(fc, m["fc"]): continue
            if "conn" in m and m["conn"] != conn: continue
            if "addr" in m and (addr is None or addr > m["addr"][1] or addr + max(count or 1, 1) - 1 < m["addr"][0]): continue
            if "count_gt" in m and not (count or 0) > m["count_gt"]: continue
            w = r.get("when", {})
            t = self.now()
            if t < w.get("from_s", -1e18) or t > w.get("to_s", 1e18): continue
            r["_seen"] += 1
            n = r["_seen"]
            if "nth" in w and n != w["nth"]: continue
            if "every" in w and n % w["every"]: continue
            if "first" in w and n > w["first"]: continue
            if "after" in w and n <= w["after"]: continue
            if "prob" in w and self.rng.random() >= w["prob"]: continue
            if "times" in w and r["_hit"] >= w["times"]: continue
            r["_hit"] += 1
            actions += r.get("do", [])
            ids.append(r["id"])
        return actions, ids

    # ---- PDU
    def execute(self, uid, pdu, actions):
        """Return (response pdu, info). Faults that change the content are applied by the caller."""
        unit = self.units.get(uid) or self.any_unit
        info = {"fc": pdu[0] if pdu else None, "addr": None, "count": None, "words": None}
        fc = pdu[0]
        t = self.now()
        info["t"] = t
        try:
            if unit is None:
                raise ModbusExc(11)
            if fc not in unit.lim["functions"]:
                raise ModbusExc(1)
            if fc in (1, 2, 3, 4):
                if len(pdu) != 5:
                    raise ModbusExc(3)
                addr, cnt = struct.unpack(">HH", pdu[1:5])
                info.update(addr=addr, count=cnt)
                bits = fc in (1, 2)
                proto_max = 2000 if bits else 125
                if cnt < 1 or cnt > proto_max:
                    raise ModbusExc(3)
                if cnt > unit.lim["max_read_bits" if bits else "max_read_words"]:
                    raise ModbusExc(unit.lim["over_limit_exception"])
                vals = unit.read(FC_TABLE[fc], addr, cnt, t)
                for a in actions:
                    if a["action"] == "set_words":
                        vals = (list(a["words"]) * (cnt // len(a["words"]) + 1))[:cnt]
                info["words"] = vals
                n_extra = sum(a.get("n", 1) for a in actions if a["action"] == "extra_words")
                n_short = sum(a.get("n", 1) for a in actions if a["action"] == "short_words")
                if bits:
                    body = bytearray((cnt + 7) // 8)
                    for i, b in enumerate(vals):
                        if b: body[i // 8] |= 1 << (i % 8)
                    body = bytes(body)
                    body = body[:max(0, len(body) - n_short)] + b"\0" * n_extra
                else:
                    out = vals[:max(0, cnt - n_short)] + [0xDEAD] * n_extra
                    body = struct.pack(">%dH" % len(out), *out)
                return bytes([fc, len(body) & 0xFF]) + body, info
            no_store = any(a["action"] == "ack_only" for a in actions)
            instead = next((a["words"] for a in actions if a["action"] == "store_instead"), None)

            def put(table, addr, vals):
                info["written"] = [table, addr, vals]
                if not no_store:
                    unit.write(table, addr, instead if instead is not None else vals)

            if fc == 5:
                addr, v = struct.unpack(">HH", pdu[1:5]); info.update(addr=addr, count=1)
                if v not in (0, 0xFF00): raise ModbusExc(3)
                unit.check_writable("coil", addr, 1); put("coil", addr, [1 if v else 0])
                return pdu[:5], info
            if fc == 6:
                addr, v = struct.unpack(">HH", pdu[1:5]); info.update(addr=addr, count=1)
                unit.check_writable("holding", addr, 1); put("holding", addr, [v])
                return pdu[:5], info
            if fc == 15:
                addr, cnt, bc = struct.unpack(">HHB", pdu[1:6]); info.update(addr=addr, count=cnt)
                if cnt < 1 or cnt > unit.lim["max_write_bits"] or bc != (cnt + 7) // 8 or len(pdu) != 6 + bc: raise ModbusExc(3)
                unit.check_writable("coil", addr, cnt)
                put("coil", addr, [(pdu[6 + i // 8] >> (i % 8)) & 1 for i in range(cnt)])
                return pdu[:5], info
            if fc == 16:
                addr, cnt, bc = struct.unpack(">HHB", pdu[1:6]); info.update(addr=addr, count=cnt)
                if cnt < 1 or cnt > unit.lim["max_write_words"] or bc != cnt * 2 or len(pdu) != 6 + bc: raise ModbusExc(3)
                unit.check_writable("holding", addr, cnt)
                put("holding", addr, list(struct.unpack(">%dH" % cnt, pdu[6:])))
                return pdu[:5], info
            if fc == 22:
                addr, am, om = struct.unpack(">HHH", pdu[1:7]); info.update(addr=addr, count=1)
                unit.check_writable("holding", addr, 1)
                cur = unit.word("holding", addr, t)
                put("holding", addr, [(cur & am) | (om & ~am & 0xFFFF)])
                return pdu[:7], info
            if fc == 23:
                ra, rc, wa, wc, bc = struct.unpack(">HHHHB", pdu[1:10]); info.update(addr=ra, count=rc)
                if not 1 <= rc <= 125 or not 1 <= wc <= 121 or bc != wc * 2 or len(pdu) != 10 + bc: raise ModbusExc(3)
                unit.check_writable("holding", wa, wc)
                unit.read("holding", ra, rc, t)
                put("holding", wa, list(struct.unpack(">%dH" % wc, pdu[10:])))
                vals = unit.read("holding", ra, rc, t); info["words"] = vals
                return bytes([fc, rc * 2]) + struct.pack(">%dH" % rc, *vals), info
            if fc == 8:
                return pdu, info
            if fc == 17:
                s = b"faultsrv"
                return bytes([17, len(s) + 1]) + s + b"\xff", info
            if fc == 43 and len(pdu) >= 4 and pdu[1] == 14:
                objs = [(0, b"own"), (1, b"fault-server"), (2, b"1.0")]
                return bytes([43, 14, pdu[2], 1, 0, 0, len(objs)]) + b"".join(bytes([i, len(v)]) + v for i, v in objs), info
            raise ModbusExc(1)
        except ModbusExc as e:
            info["exception"] = e.code
            return bytes([(fc & 0x7F) | 0x80, e.code]), info
        except struct.error:
            info["exception"] = 3
            return bytes([(fc & 0x7F) | 0x80, 3]), info


ACTIONS = {"delay", "drop", "exception", "wrong_tid", "wrong_unit", "wrong_fc", "wrong_pid", "mbap_len", "byte_count",
           "short_words", "extra_words", "truncate", "split", "garbage_before", "garbage_after", "duplicate", "replay_prev",
           "hold_until_next", "close", "reset", "close_after", "reset_after", "bad_crc", "flip_bit", "echo_request",
           "ack_only", "store_instead", "set_words"}
