// Weighs the built page: fails when the first route needs more than 60 KB of gzipped JS and CSS.
import { readFileSync, readdirSync } from "node:fs";
import { gzipSync } from "node:zlib";

const FIRST_ROUTE_BYTES_MAX = 60 * 1024;
const LAZY_CHUNK_BYTES_MAX = 120 * 1024;
const html = readFileSync("dist/index.html", "utf8");
let first = 0;
let failed = false;
for (const name of readdirSync("dist/assets").sort()) {
  const bytes = gzipSync(readFileSync(`dist/assets/${name}`), { level: 9 }).length;
  const initial = html.includes(name);
  if (initial) first += bytes;
  else if (bytes > LAZY_CHUNK_BYTES_MAX) failed = true;
  console.log(`${String(bytes).padStart(7)} B gzip  ${initial ? "first" : "lazy "}  ${name}`);
}
console.log(`${String(first).padStart(7)} B gzip  first route, at most ${FIRST_ROUTE_BYTES_MAX}`);
if (failed || first > FIRST_ROUTE_BYTES_MAX) {
  console.error("budget: the page is too heavy; make the new part lazy or smaller");
  process.exit(1);
}
