// modbus_serial_poller.js PORT UNITS REGISTERS PERIOD_US: polls with modbus-serial until killed; period 0 = at once again.
//
// One connection, one request at a time, slots of absolute time spread over the period; registers stay arrays.
const ModbusRTU = require("modbus-serial");

const LONGEST = 125;
const [port, units, registers, periodUs] = process.argv.slice(2).map(Number);
const kept = new Map();
const sleep = (ms) => new Promise((done) => setTimeout(done, ms));

async function main() {
    const client = new ModbusRTU();
    await client.connectTCP("127.0.0.1", { port });
    client.setTimeout(500);
    const step = periodUs / 1000 / units;
    let due = performance.now();
    for (;;) {
        for (let unit = 1; unit <= units; unit++) {
            if (step) {
                const left = due - performance.now();
                if (left > 0) await sleep(left);
                due += step;
            }
            client.setID(unit);
            for (let start = 0; start < registers; start += LONGEST) {
                const count = Math.min(LONGEST, registers - start);
                kept.set(unit * 65536 + start, (await client.readHoldingRegisters(start, count)).data);
            }
        }
    }
}

main().catch((err) => {
    console.error(err);
    process.exit(1);
});
