"""paho-mqtt draining a queue in SQLite with QoS 1: publishes with a window of 20, deletes what is acknowledged."""

import sqlite3
import sys
import threading

import paho.mqtt.client as mqtt

path, port, limit = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
queue = sqlite3.connect(path)
queue.execute("PRAGMA journal_mode=WAL")
client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, client_id="paho")
room = threading.Semaphore(20)
acknowledged = 0
done = threading.Event()


def on_publish(_client, _userdata, _mid, _code, _properties):
    global acknowledged
    acknowledged += 1
    room.release()
    if acknowledged == limit:
        done.set()


client.on_publish = on_publish
client.max_inflight_messages_set(20)
client.connect("127.0.0.1", port)
client.loop_start()
at = 0
while at < limit:
    rows = queue.execute("SELECT seq, payload FROM queue WHERE seq >= ? ORDER BY seq LIMIT 256", (at,)).fetchall()
    for seq, payload in rows[: limit - at]:
        room.acquire()
        client.publish("fieldgate/v1/gw-1/aggregates", payload, qos=1)
        at = seq + 1
    # What is acknowledged for sure leaves the queue.
    queue.execute("DELETE FROM queue WHERE seq < ?", (at - 20,))
    queue.commit()
done.wait()
client.disconnect()
client.loop_stop()
