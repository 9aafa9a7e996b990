// node_red_poller.js PORT UNITS REGISTERS PERIOD_US: Node-RED with node-red-contrib-modbus, headless, until killed.
//
// One modbus-client, one modbus-read node a block, each with the period as its rate; with period 0 a flex-getter is
// asked again by its own answer, sixteen times over so that its queue never runs dry.
const fs = require("fs");
const http = require("http");
const os = require("os");
const path = require("path");
const RED = require("node-red");

const LONGEST = 125;
const [port, units, registers, periodUs] = process.argv.slice(2).map(Number);

const blocks = [];
for (let unit = 1; unit <= units; unit++) {
    for (let start = 0; start < registers; start += LONGEST) {
        blocks.push({ unit, start, count: Math.min(LONGEST, registers - start) });
    }
}

const client = {
    id: "client", type: "modbus-client", name: "bench", clienttype: "tcp", bufferCommands: true, stateLogEnabled: false,
    queueLogEnabled: false, failureLogEnabled: true, tcpHost: "127.0.0.1", tcpPort: String(port), tcpType: "DEFAULT",
    serialPort: "/dev/ttyUSB", serialType: "RTU-BUFFERD", serialBaudrate: "9600", serialDatabits: "8",
    serialStopbits: "1", serialParity: "none", serialConnectionDelay: "100", serialAsciiResponseStartDelimiter: "0x3A",
    unit_id: "1", commandDelay: "1", clientTimeout: "500", reconnectOnTimeout: true, reconnectTimeout: "2000",
    parallelUnitIdsAllowed: true, showErrors: true, showWarnings: true, showLogs: false,
};
const flow = [{ id: "tab", type: "tab", label: "bench" }, client];
const keep = {
    id: "keep", type: "function", z: "tab", x: 400, y: 0, wires: [[]], outputs: 1, name: "keep",
    func: "context.set(String(msg.topic), msg.payload); return null;",
};
if (periodUs) {
    flow.push(keep);
    blocks.forEach((block, place) => flow.push({
        id: `read${place}`, type: "modbus-read", z: "tab", x: 0, y: 0, name: `u${block.unit}`, topic: `b${place}`,
        showStatusActivities: false, logIOActivities: false, showErrors: true, showWarnings: true,
        unitid: String(block.unit), dataType: "HoldingRegister", adr: String(block.start), quantity: String(block.count),
        rate: String(periodUs / 1000), rateUnit: "ms", delayOnStart: false, startDelayTime: "", server: "client",
        useIOFile: false, ioFile: "", useIOForPayload: false, emptyMsgOnFail: false, wires: [["keep"], []],
    }));
} else {
    const text = JSON.stringify(blocks);
    flow.push({
        id: "start", type: "inject", z: "tab", x: 0, y: 0, name: "", props: [], repeat: "", crontab: "", once: true,
        onceDelay: 3, topic: "", wires: [["next16"]],
    }, {
        id: "next16", type: "function", z: "tab", x: 100, y: 0, name: "start", outputs: 1, wires: [["next"]],
        func: "for (let i = 0; i < 16; i++) node.send({});",
    }, {
        id: "next", type: "function", z: "tab", x: 200, y: 0, name: "next", outputs: 1, wires: [["get"]],
        initialize: `context.set("blocks", ${text}); context.set("place", 0);`,
        func: `const blocks = context.get("blocks"); const place = context.get("place");
context.set("place", (place + 1) % blocks.length); const b = blocks[place];
return { payload: { value: 0, fc: 3, unitid: b.unit, address: b.start, quantity: b.count } };`,
    }, {
        id: "get", type: "modbus-flex-getter", z: "tab", x: 300, y: 0, name: "", showStatusActivities: false,
        showErrors: true, showWarnings: true, logIOActivities: false, server: "client", useIOFile: false, ioFile: "",
        useIOForPayload: false, emptyMsgOnFail: false, keepMsgProperties: false, delayOnStart: false, startDelayTime: "",
        wires: [["next"], []],
    });
}

const userDir = fs.mkdtempSync(path.join(os.tmpdir(), "bench-node-red-"));
process.on("exit", () => fs.rmSync(userDir, { recursive: true, force: true }));
process.on("SIGTERM", () => process.exit(0));
fs.writeFileSync(path.join(userDir, "flows.json"), JSON.stringify(flow));
const server = http.createServer();
RED.init(server, {
    userDir, flowFile: "flows.json", httpAdminRoot: false, httpNodeRoot: false, nodesDir: [], disableEditor: true,
    coreNodesDir: path.join(path.dirname(require.resolve("@node-red/nodes/package.json"))),
    logging: { console: { level: process.env.BENCH_LOG || "warn", metrics: false, audit: false } },
    nodesExcludes: [], paletteCategories: [],
});
// Nodes installed beside this file are found from the user directory.
fs.symlinkSync(path.join(__dirname, "..", "node_modules"), path.join(userDir, "node_modules"));
fs.writeFileSync(path.join(userDir, "package.json"), JSON.stringify({
    name: "bench", private: true, version: "0.0.1", dependencies: { "node-red-contrib-modbus": "5.23.3" },
}));
RED.start().catch((err) => {
    console.error(err);
    process.exit(1);
});
