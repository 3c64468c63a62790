// What a fan must download before the first page shows, held to its budget (gzip).
import { readFileSync } from "node:fs";
import { gzipSync } from "node:zlib";

const budget = { js: 110 * 1024, css: 15 * 1024 };
const html = readFileSync("dist/index.html", "utf8");
const entry = [...html.matchAll(/(?:src|href)="(\/assets\/[^"]+\.(js|css))"/g)];
const sizes = { js: 0, css: 0 };
for (const [, file, kind] of entry) sizes[kind] += gzipSync(readFileSync(`dist${file}`), { level: 9 }).length;

let over = entry.length === 0;
for (const kind of ["js", "css"]) {
  const line = `entry ${kind}: ${(sizes[kind] / 1024).toFixed(1)} KiB of ${budget[kind] / 1024} KiB, gzip`;
  process.stdout.write(`${line}\n`);
  over ||= sizes[kind] === 0 || sizes[kind] > budget[kind];
}
if (over) {
  process.stderr.write("The fan's entry is over its budget, or dist/index.html names no script or style.\n");
  process.exit(1);
}
