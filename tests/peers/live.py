"""live.py HOST:PORT DEVICE: the last value of every signal of a device, as the page gets it over its WebSocket.

FIELDGATE_TOKEN is a token that may read. Prints a JSON list of {path, sa, value, class, reason}; signals of which nothing has been heard are left out.
"""

import base64
import json
import os
import socket
import struct
import sys
import urllib.request

MAGIC = 0x3147464C
TOKEN = os.environ["FIELDGATE_TOKEN"]
CLASSES = ["good", "uncertain", "bad"]


def get(address, path):
    request = urllib.request.Request(f"http://{address}{path}", headers={"Authorization": f"Bearer {TOKEN}"})
    with urllib.request.urlopen(request, timeout=20) as answer:
        return json.load(answer)


class WebSocket:
    """As much of RFC 6455 as a client needs to read."""

    def __init__(self, address, path):
        host, port = address.rsplit(":", 1)
        self.socket = socket.create_connection((host, int(port)), timeout=20)
        key = base64.b64encode(os.urandom(16)).decode()
        self.socket.sendall(
            f"GET {path} HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {TOKEN}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n".encode()
        )
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            head += self.take(1)
        if b" 101 " not in head.split(b"\r\n")[0]:
            raise SystemExit(f"no WebSocket: {head!r}")

    def take(self, count):
        got = b""
        while len(got) < count:
            part = self.socket.recv(count - len(got))
            if not part:
                raise SystemExit("the gateway closed the WebSocket")
            got += part
        return got

    def send_text(self, text):
        payload, mask = text.encode(), os.urandom(4)
        length = struct.pack("!BBH", 0x81, 0x80 | 126, len(payload))
        self.socket.sendall(length + mask + bytes(b ^ mask[i % 4] for i, b in enumerate(payload)))

    def receive(self):
        first, length = self.take(2)
        if length & 127 == 126:
            (length,) = struct.unpack("!H", self.take(2))
        elif length & 127 == 127:
            (length,) = struct.unpack("!Q", self.take(8))
        return first & 15, self.take(length)


def samples(frame):
    """(id, value, class, reason) of a binary frame; layout: gateway/src/api/live.rs."""
    magic, _, _, count = struct.unpack_from("<4I", frame)
    assert magic == MAGIC, hex(magic)
    place = 24
    ids = struct.unpack_from(f"<{count}I", frame, place)
    values = struct.unpack_from(f"<{count}d", frame, place + 4 * count)
    place += 12 * count
    classes = frame[place : place + count]
    place += -(-count // 4) * 4
    reasons = struct.unpack_from(f"<{count}H", frame, place)
    return list(zip(ids, values, classes, reasons))


def main():
    address, device = sys.argv[1:3]
    known = {signal["id"]: signal for signal in get(address, "/api/v1/signals")["signals"]}
    words = get(address, "/api/v1/reasons")["reasons"]
    wanted = [number for number, signal in known.items() if signal["device"] == device]
    link = WebSocket(address, "/api/v1/live")
    link.send_text(json.dumps({"id": 1, "sel": wanted, "max_hz": 10}))
    while True:
        kind, frame = link.receive()
        # The first binary frame has everything that is known.
        if kind == 2:
            break
    told = [
        {
            "path": known[number]["path"],
            "source": known[number]["source"],
            "sa": known[number]["sa"],
            "value": None if value != value else value,
            "class": CLASSES[quality],
            "reason": words.get(str(reason), ""),
        }
        for number, value, quality, reason in samples(frame)
    ]
    print(json.dumps(told))


main()
