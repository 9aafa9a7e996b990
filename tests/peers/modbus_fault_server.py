#!/usr/bin/env python3
"""Fault-injecting Modbus server with an exact register oracle (stdlib only, Python >= 3.9).

Own code, written for this project. It plays one or more Modbus devices on any mix of
  --tcp HOST:PORT            Modbus TCP (MBAP)
  --rtu-tcp HOST:PORT        RTU framing over TCP
  --serial PATH[:BAUD]       RTU on an existing tty / pty (e.g. one end of a socat pair)
  --pty LINK                 creates its own pseudo terminal and symlinks it at LINK
and offers a small HTTP control port (--control HOST:PORT) for tests:
  GET  /health                      GET /stats                GET /journal?since=N&unit=U
  GET  /oracle?unit=1&table=holding&addr=0&count=4[&t=SECONDS]
  POST /faults  [rule,...]          DELETE /faults            GET /faults
  POST /set     {"unit":1,"table":"holding","addr":0,"words":[1,2]}
  POST /clock   {"t": 12.5} | {"advance": 1.0} | {"mode":"real"|"manual"}
  POST /conn    {"action":"reset_all"|"close_all"|"refuse"|"accept"|"blackhole"|"unblackhole"}

Values are pure functions of (unit, table, address, t), so a test can recompute every word a
client should have seen; the journal records the words that were really sent for each request
(after the store, before faults), with the server's receive and send times in nanoseconds.

Device file (JSON), every key optional unless noted:
{"units": {"1": {
   "limits": {"max_read_words":125,"max_read_bits":2000,"max_write_words":123,"max_write_bits":1968,
              "over_limit_exception":3, "min_gap_ms":0, "busy_if_overlap":false, "functions":[1,2,3,4,5,6,15,16,22,23]},
   "tables": {"holding":[{"start":0,"words":[1,2]},
                         {"start":100,"count":10,"gen":{"kind":"ramp","start":0,"step":1,"period_ms":100}}],
              "input":[...], "coil":[{"start":0,"bits":[1,0]}], "discrete":[...]},
   "readonly": [["holding",0,10]], "write_effect": "store"|"ignore"|"clamp", "clamp":[0,1000] }},
 "line": {"baud":9600, "parity":"E", "turnaround_ms":3, "dead_units":[7], "dead":"silent"|"exc11"|"exc10",
          "dead_timeout_ms":1000},
 "faults": [rule, ...],
 "ordered": true, "max_connections":0, "max_connections_policy":"reject"|"kick_oldest", "idle_close_s":0}
A register that is in no segment is an illegal address (exception 2): holes are real holes.
"line" models a TCP-to-serial gateway: all units of the file share one half-duplex line.

Generators (word generators; "f32"/"u32"/"i32"/"f64"/"u64" use consecutive registers, order ABCD|CDAB|BADC|DCBA):
  ramp   start + step*floor(t/period) mod 65536           counter like ramp, type u32/u64
  sine   offset + amp*sin(2*pi*(t+phase)/period_s), type i16 (rounded) or f32/f64
  square lo/hi every period_ms      noise  keyed hash of (seed, addr, tick), lo..hi
  sig    word = (unit*257 + table*53 + addr*7 + tick) & 0xffff   -> proves right unit, address and tick
  tick   low word of floor(t/period)

Fault rule:
{"id":"late", "match":{"unit":1|[..],"fc":3|[..],"addr":[lo,hi],"count_gt":10,"conn":2},
 "when":{"nth":3|"every":5|"first":2|"after":10|"prob":0.1,"times":1,"from_s":0,"to_s":9},
 "do":[{"action":...}, ...]}
Actions (do them in the given order):
  delay ms [detach]   drop   exception code   wrong_tid delta   wrong_unit unit   wrong_fc fc   wrong_pid pid
  mbap_len delta      byte_count delta        short_words n     extra_words n     truncate bytes then=stall|close|reset
  split sizes[..] gap_ms   garbage_before hex|n   garbage_after hex|n   duplicate   replay_prev   hold_until_next
  close   reset   close_after   reset_after   bad_crc   flip_bit bit   echo_request   ack_only (writes: do not store)
  store_instead words (writes: store other words, ack what was asked)   set_words words (reads: send other words)
"""
from __future__ import annotations
import argparse, asyncio, collections, json, os, socket, struct, termios, time, tty
from urllib.parse import urlparse, parse_qs

from modbus_fault_devices import ACTIONS, ModbusExc, Server, crc16_fast


def garbage(rng, a):
    if "hex" in a:
        return bytes.fromhex(a["hex"])
    return bytes(rng.randrange(256) for _ in range(int(a.get("n", 5))))


class Conn:
    """One client connection (TCP) or one serial port."""
    def __init__(self, srv, framing, writer, peer):
        self.srv, self.framing, self.writer, self.peer = srv, framing, writer, peer
        srv.conn_seq += 1
        self.cid = srv.conn_seq
        srv.conns[self.cid] = self
        self.prev = None
        self.held = None
        self.wlock = asyncio.Lock()
        self.olock = asyncio.Lock()          # FIFO: keeps the answers of one connection in request order
        self.closed = False
        self.in_flight = 0

    def abort(self, reset):
        if self.closed:
            return
        self.closed = True
        try:
            sock = self.writer.get_extra_info("socket") if hasattr(self.writer, "get_extra_info") else None
            if sock is not None and reset:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                self.writer.transport.abort()
            else:
                self.writer.close()
        except Exception:
            pass

    def wrap(self, tid, uid, pdu, acts):
        for a in acts:
            n = a["action"]
            if n == "wrong_fc":
                pdu = bytes([a.get("fc", pdu[0] ^ 1)]) + pdu[1:]
            elif n == "byte_count" and len(pdu) > 1:
                pdu = pdu[:1] + bytes([(pdu[1] + a.get("delta", 1)) & 0xFF]) + pdu[2:]
            elif n == "wrong_unit":
                uid = a.get("unit", (uid + 1) & 0xFF)
            elif n == "flip_bit":
                b = bytearray(pdu); i = a.get("bit", 16) % (len(b) * 8); b[i // 8] ^= 0x80 >> (i % 8); pdu = bytes(b)
        if self.framing == "tcp":
            pid, ln = 0, len(pdu) + 1
            for a in acts:
                n = a["action"]
                if n == "wrong_tid": tid = (tid + a.get("delta", 1)) & 0xFFFF
                elif n == "wrong_pid": pid = a.get("pid", 1)
                elif n == "mbap_len": ln = max(0, ln + a.get("delta", 1)) & 0xFFFF
            return struct.pack(">HHHB", tid, pid, ln, uid) + pdu
        adu = bytes([uid]) + pdu
        c = crc16_fast(adu)
        if any(a["action"] == "bad_crc" for a in acts):
            c ^= 0x5A5A
        return adu + struct.pack("<H", c)

    async def send(self, data, acts):
        rng = self.srv.rng
        async with self.wlock:
            if self.closed or self.srv.blackhole:
                return
            for a in acts:
                if a["action"] == "garbage_before": data = garbage(rng, a) + data
                elif a["action"] == "garbage_after": data = data + garbage(rng, a)
            if any(a["action"] == "duplicate" for a in acts):
                data = data + data
            trunc = next((a for a in acts if a["action"] == "truncate"), None)
            if trunc is not None:
                data = data[:int(trunc.get("bytes", max(1, len(data) // 2)))]
            split = next((a for a in acts if a["action"] == "split"), None)
            try:
                if split is not None:
                    # By the clock: a machine that stands still for some ms does not make the answer longer by them.
                    sizes = list(split.get("sizes", [1])); i = 0; k = 0; due = time.monotonic()
                    while i < len(data):
                        n = sizes[min(k, len(sizes) - 1)]
                        self.writer.write(data[i:i + n]); await self.writer.drain()
                        i += n; k += 1
                        if i < len(data):
                            due += split.get("gap_ms", 5) / 1000.0
                            await asyncio.sleep(max(0.0, due - time.monotonic()))
                else:
                    self.writer.write(data); await self.writer.drain()
            except (ConnectionError, OSError):
                self.closed = True
                return
            then = trunc.get("then", "stall") if trunc else None
            if then in ("close", "reset"):
                self.abort(then == "reset")
            if any(a["action"] == "close_after" for a in acts): self.abort(False)
            if any(a["action"] == "reset_after" for a in acts): self.abort(True)

    async def handle(self, tid, uid, pdu, raw):
        srv = self.srv
        t_rx = time.monotonic_ns()
        wall = time.time_ns()
        if srv.blackhole:
            srv.counters["blackholed"] += 1
            return
        fc = pdu[0] if pdu else 0
        addr = cnt = None
        if len(pdu) >= 5:
            addr, cnt = struct.unpack(">HH", pdu[1:5])
            if fc in (5, 6, 22): cnt = 1
        srv.counters["requests"] += 1
        unit = srv.units.get(uid) or srv.any_unit
        overlap = False
        if unit is not None:
            if unit.lim["min_gap_ms"] and unit.last_reply and (time.monotonic() - unit.last_reply) * 1000 < unit.lim["min_gap_ms"]:
                unit.gap_violations += 1
                srv.counters["gap_violation"] += 1
                self.log(t_rx, wall, tid, uid, fc, addr, cnt, None, ["gap_violation"], None, "dropped")
                return
            overlap = unit.in_service > 0
            unit.in_service += 1
        self.in_flight += 1
        srv.counters["max_in_flight_conn"] = max(srv.counters["max_in_flight_conn"], self.in_flight)
        ordered = srv.ordered and self.framing == "tcp"
        if ordered:
            await self.olock.acquire()
        try:
            acts, ids = srv.pick(uid, fc, addr, cnt, self.cid)
            names = [a["action"] for a in acts]
            if srv.line is not None:
                async with srv.line.lock:
                    ln = srv.line
                    if uid in ln.dead:
                        await asyncio.sleep(ln.spec.get("dead_timeout_ms", 1000) / 1000.0)
                        srv.counters["dead_unit"] += 1
                        kind = ln.spec.get("dead", "exc11")
                        self.log(t_rx, wall, tid, uid, fc, addr, cnt, None, ["dead:" + kind], None, kind)
                        if kind == "silent":
                            return
                        await self.send(self.wrap(tid, uid, bytes([fc | 0x80, 11 if kind == "exc11" else 10]), []), [])
                        return
                    resp, info = srv.execute(uid, pdu, acts)
                    await ln.exchange(len(pdu) + 3, len(resp) + 3)
            else:
                # content is sampled when the request is executed; a delay happens after that (a slow device)
                pre = next((a for a in acts if a["action"] == "delay" and a.get("before")), None)
                if pre: await asyncio.sleep(pre.get("ms", 100) / 1000.0)
                resp, info = srv.execute(uid, pdu, acts)
            if uid == 0 and self.framing != "tcp":
                self.log(t_rx, wall, tid, uid, fc, info["addr"], info["count"], None, ids, info, "broadcast")
                return
            if overlap and unit is not None and unit.lim["busy_if_overlap"]:
                srv.counters["overlap"] += 1
                resp = bytes([(fc & 0x7F) | 0x80, 6]); info["exception"] = 6; info["words"] = None
            for a in acts:
                if a["action"] == "exception":
                    resp = bytes([(fc & 0x7F) | 0x80, int(a.get("code", 4))]); info["exception"] = int(a.get("code", 4)); info["words"] = None
            for a in acts:
                if a["action"] == "delay" and not a.get("before"):
                    if a.get("detach") and ordered:      # let later requests overtake this one
                        ordered = False; self.olock.release()
                    await asyncio.sleep(a.get("ms", 100) / 1000.0)
            outcome = "exc%d" % info["exception"] if info.get("exception") else "ok"
            if "drop" in names: outcome = "drop"
            if "close" in names: outcome = "close"
            if "reset" in names: outcome = "reset"
            self.log(t_rx, wall, tid, uid, fc, info["addr"], info["count"], info["words"], ids, info, outcome)
            if "close" in names: self.abort(False); return
            if "reset" in names: self.abort(True); return
            if "drop" in names: return
            frame = self.wrap(tid, uid, resp, acts)
            if "replay_prev" in names and self.prev is not None:
                frame = self.prev
            else:
                self.prev = frame
            if "echo_request" in names:
                frame = raw + frame
            if "hold_until_next" in names:
                self.held = (frame, acts)
                return
            if unit is not None:
                unit.last_reply = time.monotonic()       # before the send: the client must not see the answer earlier
            await self.send(frame, acts)
            if self.held is not None:
                f2, a2 = self.held; self.held = None
                await self.send(f2, a2)
        finally:
            if ordered:
                self.olock.release()
            self.in_flight -= 1
            if unit is not None:
                unit.in_service -= 1

    def log(self, t_rx, wall, tid, uid, fc, addr, cnt, words, ids, info, outcome):
        srv = self.srv
        srv.seq += 1
        srv.counters["outcome." + outcome] += 1
        for i in ids: srv.counters["fault." + i] += 1
        if srv.journal_on:
            srv.journal.append({"seq": srv.seq, "conn": self.cid, "rx_ns": t_rx, "wall_ns": wall, "tx_ns": time.monotonic_ns(),
                                "t": info.get("t") if info else None, "tid": tid, "unit": uid, "fc": fc, "addr": addr, "count": cnt,
                                "words": words, "written": info.get("written") if info else None, "faults": ids, "outcome": outcome})


def established(conn):
    """Whether the client has not closed it, which the kernel knows before we have read the end: first byte of TCP_INFO, 1."""
    try: return conn.writer.get_extra_info("socket").getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0] == 1
    except (OSError, AttributeError): return False


async def tcp_session(srv, framing, reader, writer):
    sock = writer.get_extra_info("socket")
    if sock is not None:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    conn = Conn(srv, framing, writer, writer.get_extra_info("peername"))
    srv.counters["accepted"] += 1
    live = [c for c in srv.conns.values() if not c.closed and c is not conn and c.framing in ("tcp", "rtu-tcp") and established(c)]
    srv.counters["max_open_connections"] = max(srv.counters["max_open_connections"], len(live) + 1)
    if not srv.accepting:
        conn.abort(True); return
    if srv.max_conns and len(live) >= srv.max_conns:
        srv.counters["over_max_conns"] += 1
        if srv.conn_policy == "kick_oldest":
            live[0].abort(True)
        else:
            conn.abort(True); return
    buf = b""
    tasks = set()
    try:
        while not conn.closed:
            try:
                data = await (asyncio.wait_for(reader.read(4096), srv.idle_close_s) if srv.idle_close_s else reader.read(4096))
            except asyncio.TimeoutError:
                srv.counters["idle_closed"] += 1
                break
            if not data:
                break
            buf += data
            if framing == "tcp":
                while len(buf) >= 7:
                    tid, pid, ln, uid = struct.unpack(">HHHB", buf[:7])
                    if pid != 0 or ln < 2 or ln > 254:
                        srv.counters["bad_request_header"] += 1
                        conn.abort(False); buf = b""; break
                    if len(buf) < 6 + ln:
                        break
                    raw, buf = buf[:6 + ln], buf[6 + ln:]
                    t = asyncio.create_task(conn.handle(tid, uid, raw[7:], raw))
                    tasks.add(t); t.add_done_callback(tasks.discard)
            else:
                buf = await rtu_feed(srv, conn, buf)
    except (ConnectionError, OSError):
        pass
    finally:
        conn.closed = True
        srv.conns.pop(conn.cid, None)
        try: writer.close()
        except Exception: pass


def rtu_request_len(buf):
    """Expected total length of the RTU request at the start of buf; None = need more, -1 = not a request."""
    if len(buf) < 2: return None
    fc = buf[1]
    if fc in (1, 2, 3, 4, 5, 6, 8): return 8
    if fc in (15, 16): return None if len(buf) < 7 else 9 + buf[6]
    if fc == 22: return 10
    if fc == 23: return None if len(buf) < 11 else 13 + buf[10]
    if fc in (7, 11, 12, 17): return 4
    if fc == 43: return 7
    return -1


async def rtu_feed(srv, conn, buf):
    while len(buf) >= 4:
        n = rtu_request_len(buf)
        if n is None: break
        if n == -1:
            srv.counters["rtu_skipped_bytes"] += 1; buf = buf[1:]; continue
        if len(buf) < n: break
        raw = buf[:n]
        if crc16_fast(raw[:-2]) == struct.unpack("<H", raw[-2:])[0]:
            buf = buf[n:]
            uid = raw[0]
            if uid != 0 and uid not in srv.units and srv.any_unit is None:
                srv.counters["rtu_other_unit"] += 1      # a real slave stays silent for other addresses
                continue
            await conn.handle(0, uid, raw[1:-2], raw)
        else:
            srv.counters["rtu_bad_crc_rx"] += 1; buf = buf[1:]
    return buf


class FdWriter:
    def __init__(self, fd): self.fd = fd
    def write(self, data):
        while data:
            try: n = os.write(self.fd, data)
            except BlockingIOError: time.sleep(0.001); continue
            data = data[n:]
    async def drain(self): await asyncio.sleep(0)
    def close(self): pass


async def serial_session(srv, fd, gap_s):
    loop = asyncio.get_running_loop()
    conn = Conn(srv, "rtu", FdWriter(fd), "serial")
    q: asyncio.Queue = asyncio.Queue()
    os.set_blocking(fd, False)

    def on_read():
        try:
            d = os.read(fd, 4096)
            if d: q.put_nowait(d)
        except (BlockingIOError, OSError):
            time.sleep(0.002)
    loop.add_reader(fd, on_read)
    buf = b""
    while True:
        try:
            d = await asyncio.wait_for(q.get(), gap_s if buf else None)
            buf += d
        except asyncio.TimeoutError:
            if buf:
                srv.counters["rtu_gap_flush"] += 1
                buf = b""
            continue
        buf = await rtu_feed(srv, conn, buf)


def open_serial(path, baud):
    fd = os.open(path, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
    tty.setraw(fd)
    a = termios.tcgetattr(fd)
    b = getattr(termios, "B%d" % baud, termios.B9600)
    a[4] = a[5] = b
    termios.tcsetattr(fd, termios.TCSANOW, a)
    return fd


# ---------------------------------------------------------------- control port (tiny HTTP)
def quant(xs, q):
    xs = sorted(xs)
    return xs[min(len(xs) - 1, int(q * len(xs)))] if xs else None


def stats(srv):
    groups = collections.defaultdict(list)
    for j in srv.journal:
        groups[(j["unit"], j["fc"], j["addr"], j["count"])].append(j["rx_ns"])
    polls = []
    for (u, f, a, c), ts in sorted(groups.items(), key=lambda kv: str(kv[0])):
        d = [(b - a_) / 1e6 for a_, b in zip(ts, ts[1:])]
        polls.append({"unit": u, "fc": f, "addr": a, "count": c, "n": len(ts),
                      "interval_ms": {"min": min(d), "p50": quant(d, .5), "p99": quant(d, .99), "max": max(d),
                                      "mean": sum(d) / len(d)} if d else None,
                      "drift_ms_per_1000": ((ts[-1] - ts[0]) / 1e6 - quant(d, .5) * (len(ts) - 1)) / (len(ts) - 1) * 1000 if d else None})
    return {"t": srv.now(), "counters": dict(srv.counters), "open_connections": sum(not c.closed for c in srv.conns.values()),
            "gap_violations": {u: x.gap_violations for u, x in srv.units.items() if x.gap_violations}, "polls": polls,
            "rules": [{"id": r["id"], "seen": r["_seen"], "hit": r["_hit"]} for r in srv.rules]}


async def http_session(srv, reader, writer):
    status, body = 200, {}
    try:
        line = (await reader.readline()).decode().split()
        if len(line) < 2: writer.close(); return
        clen = 0
        while True:
            h = (await reader.readline()).decode().strip()
            if not h: break
            if h.lower().startswith("content-length:"): clen = int(h.split(":")[1])
        payload = json.loads(await reader.readexactly(clen)) if clen else None
        u = urlparse(line[1]); q = {k: v[0] for k, v in parse_qs(u.query).items()}
        m, p = line[0], u.path
        if p == "/health": body = {"ok": True, "t": srv.now(), "monotonic_ns": time.monotonic_ns()}
        elif p == "/stats": body = stats(srv)
        elif p == "/journal":
            since = int(q.get("since", 0)); uu = q.get("unit")
            body = [j for j in srv.journal if j["seq"] > since and (uu is None or j["unit"] == int(uu))][:int(q.get("limit", 100000))]
        elif p == "/journal/clear": srv.journal.clear(); srv.counters.clear(); body = {"ok": True}
        elif p == "/oracle":
            t = float(q["t"]) if "t" in q else srv.now()
            un = srv.units[int(q["unit"])]
            try: body = {"t": t, "words": un.read(q["table"], int(q["addr"]), int(q.get("count", 1)), t)}
            except ModbusExc as e: body = {"t": t, "exception": e.code}
        elif p == "/faults" and m == "POST": srv.set_rules(payload); body = {"rules": len(srv.rules)}
        elif p == "/faults" and m == "DELETE": srv.rules = []; body = {"rules": 0}
        elif p == "/faults": body = [{k: v for k, v in r.items()} for r in srv.rules]
        elif p == "/set":
            un = srv.units[int(payload["unit"])]
            for i, w in enumerate(payload["words"]): un.overlay[(payload["table"], int(payload["addr"]) + i)] = int(w) & 0xFFFF
            body = {"ok": True}
        elif p == "/clock":
            if payload.get("mode") == "real": srv.manual_t = None
            elif payload.get("mode") == "manual": srv.manual_t = srv.now()
            if "t" in payload: srv.manual_t = float(payload["t"])
            if "advance" in payload: srv.manual_t = srv.now() + float(payload["advance"])
            body = {"t": srv.now(), "manual": srv.manual_t is not None}
        elif p == "/line" and srv.line is not None:
            srv.line.dead = set(payload.get("dead_units", srv.line.dead)); body = {"dead_units": sorted(srv.line.dead)}
        elif p == "/conn":
            act = payload["action"]
            if act in ("reset_all", "close_all"):
                for c in list(srv.conns.values()):
                    if c.framing != "rtu": c.abort(act == "reset_all")
            elif act == "refuse": srv.accepting = False
            elif act == "accept": srv.accepting = True
            elif act == "blackhole": srv.blackhole = True
            elif act == "unblackhole": srv.blackhole = False
            body = {"ok": True}
        else: status, body = 404, {"error": "no such path"}
    except Exception as e:                                     # a test tool: say what went wrong
        status, body = 400, {"error": "%s: %s" % (type(e).__name__, e)}
    data = json.dumps(body).encode()
    writer.write(b"HTTP/1.1 %d OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\nConnection: close\r\n\r\n" % (status, len(data)) + data)
    try:
        await writer.drain(); writer.close()
    except Exception: pass


def from_image(doc):
    """Turn a device-image file of shared/data/modbus (one device) into a unit map of this server."""
    un = {"limits": {}, "tables": {}}
    lim = doc.get("limits", {})
    for a, b in (("max_read_registers", "max_read_words"), ("max_read_bits", "max_read_bits"), ("max_write_registers", "max_write_words")):
        if a in lim: un["limits"][b] = lim[a]
    if "min_gap_ms" in lim: un["limits"]["min_gap_ms"] = lim["min_gap_ms"]
    for t, segs in doc.get("image", {}).items():
        un["tables"][t] = segs
    un["readonly"] = doc.get("readonly", [])
    return {str(doc.get("unit", 1)): un}


DEMO = {"units": {"1": {"tables": {
    "holding": [{"start": 0, "count": 100, "gen": {"kind": "sig", "period_ms": 100}},
                {"start": 100, "count": 1, "gen": {"kind": "tick", "period_ms": 100}},
                {"start": 200, "words": [0] * 100},
                {"start": 400, "count": 20, "gen": {"kind": "sine", "type": "f32", "amp": 50, "offset": 100, "period_s": 10, "phase_s": 0.5}}],
    "input": [{"start": 0, "count": 100, "gen": {"kind": "ramp", "step": 1, "spread": 3, "period_ms": 100}}],
    "coil": [{"start": 0, "bits": [1, 0, 1, 1, 0, 0, 1, 0, 1, 1]}],
    "discrete": [{"start": 0, "count": 64, "gen": {"kind": "square", "period_ms": 1000}}]}},
    "2": {"limits": {"max_read_words": 16, "over_limit_exception": 2}, "tables": {
        "holding": [{"start": 0, "count": 40, "gen": {"kind": "sig", "period_ms": 100}}, {"start": 50, "words": [7, 8, 9]}]}}}}


async def amain(args):
    cfg = {"units": {}}
    for f in args.config or []:
        doc = json.load(open(f))
        if "units" in doc:
            units = doc.pop("units"); cfg.update(doc); cfg["units"].update(units)
        else:
            cfg["units"].update(from_image(doc))
    if not cfg["units"]:
        cfg = DEMO
    if args.no_journal: cfg["journal_on"] = False
    srv = Server(cfg, args.seed)
    for hp in args.tcp or []:
        h, p = hp.rsplit(":", 1)
        s = await asyncio.start_server(lambda r, w: tcp_session(srv, "tcp", r, w), h, int(p))
        print("tcp %s:%d" % s.sockets[0].getsockname()[:2], flush=True)
    for hp in args.rtu_tcp or []:
        h, p = hp.rsplit(":", 1)
        s = await asyncio.start_server(lambda r, w: tcp_session(srv, "rtu-tcp", r, w), h, int(p))
        print("rtu-tcp %s:%d" % s.sockets[0].getsockname()[:2], flush=True)
    for sp in args.serial or []:
        path, _, baud = sp.partition(":")
        asyncio.create_task(serial_session(srv, open_serial(path, int(baud or 9600)), args.rtu_gap_ms / 1000))
        print("serial %s" % path, flush=True)
    for link in args.pty or []:
        m, s = os.openpty()
        tty.setraw(m); tty.setraw(s)
        if os.path.islink(link): os.unlink(link)
        os.symlink(os.ttyname(s), link)
        asyncio.create_task(serial_session(srv, m, args.rtu_gap_ms / 1000))
        print("pty %s" % link, flush=True)
    if args.control:
        h, p = args.control.rsplit(":", 1)
        s = await asyncio.start_server(lambda r, w: http_session(srv, r, w), h, int(p))
        print("control %s:%d" % s.sockets[0].getsockname()[:2], flush=True)
    print("ready", flush=True)
    await asyncio.Event().wait()


def main():
    ap = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    ap.add_argument("--config", action="append", help="device file or device-image file (JSON); may be repeated")
    ap.add_argument("--tcp", action="append"); ap.add_argument("--rtu-tcp", action="append")
    ap.add_argument("--serial", action="append"); ap.add_argument("--pty", action="append")
    ap.add_argument("--control"); ap.add_argument("--seed", type=int, default=1)
    ap.add_argument("--rtu-gap-ms", type=float, default=20.0); ap.add_argument("--no-journal", action="store_true")
    args = ap.parse_args()
    try: asyncio.run(amain(args))
    except KeyboardInterrupt: pass


if __name__ == "__main__":
    main()
