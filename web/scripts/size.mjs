// Measures what a browser downloads to show a class: the page, every script and style, and the Latin font.
// Sizes are of the gzip form, as a server sends them. Fails above the budget, so that a heavy dependency is noticed.
import { readdirSync, readFileSync } from "node:fs";
import { join, relative } from "node:path";
import { gzipSync } from "node:zlib";

const budgetBytes = 500 * 1024;
const dist = new URL("../app/dist", import.meta.url).pathname;

/** Loaded on demand, by unicode-range, or never by a browser. */
const notOnFirstLoad = [/latin-ext/, /\.map$/, /\.md$/, /\.txt$/];

function filesUnder(folder) {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    return entry.isDirectory() ? filesUnder(path) : [path];
  });
}

function transferBytes(path) {
  const bytes = readFileSync(path);
  return path.endsWith(".woff2") ? bytes.length : gzipSync(bytes).length;
}

let paths;
try {
  paths = filesUnder(dist);
} catch {
  console.error("web/app/dist is missing. Run `npm run build` first.");
  process.exit(1);
}

const loaded = paths
  .filter((path) => !notOnFirstLoad.some((pattern) => pattern.test(path)))
  .map((path) => ({ path: relative(dist, path), bytes: transferBytes(path) }))
  .sort((a, b) => b.bytes - a.bytes);
const totalBytes = loaded.reduce((sum, file) => sum + file.bytes, 0);

const kib = (bytes) => `${(bytes / 1024).toFixed(1)} KiB`;
for (const file of loaded) console.log(`${kib(file.bytes).padStart(10)}  ${file.path}`);
console.log(`${kib(totalBytes).padStart(10)}  in total, of ${kib(budgetBytes)} allowed`);
if (totalBytes > budgetBytes) {
  console.error("The class page is over its size budget.");
  process.exit(1);
}
