// Measures what a browser downloads: to show a class (the page, every script and style that it needs, and the Latin font), and what each
// thing that is loaded on demand adds to that. Sizes are of the gzip form, as a server sends them. Fails above a budget, so that a heavy
// dependency is noticed.
import { readdirSync, readFileSync } from "node:fs";
import { basename, join } from "node:path";
import { gzipSync } from "node:zlib";

const budgetBytes = 500 * 1024;
/** What somebody may open beside it: the module that is loaded then, and how much it may be. */
const onDemand = { WorkArea: 60, BoardView: 400, NotesView: 120, pdf: 150 };
const dist = new URL("../app/dist", import.meta.url).pathname;

let files;
try {
  files = readdirSync(join(dist, "assets")).filter((name) => /\.(js|css)$/.test(name));
} catch {
  console.error("web/app/dist is missing. Run `npm run build` first.");
  process.exit(1);
}

const kib = (bytes) => `${(bytes / 1024).toFixed(1)} KiB`;
const read = (name) => readFileSync(join(dist, name));
const bytesOf = (name) => (name.endsWith(".woff2") ? read(name).length : gzipSync(read(name)).length);
/** `ClassPage` of `ClassPage-Bp3mEzLq.js`. */
const moduleOf = (name) => basename(name).replace(/-[\w-]{8}\.\w+$/, "");

/** A script with all that it imports at once, and the styles that come with it. */
function withImports(name, found = new Set()) {
  if (found.has(name)) return found;
  found.add(name);
  const code = read(name).toString();
  const imported = code.matchAll(/(?:from|import)\s*["']\.\/([\w.-]+\.js)["']/g);
  for (const [, other] of imported) withImports(`assets/${other}`, found);
  for (const style of files) {
    if (style.endsWith(".css") && moduleOf(style) === moduleOf(name)) found.add(`assets/${style}`);
  }
  return found;
}

function entry(module) {
  const name = files.find((name) => name.endsWith(".js") && moduleOf(name) === module);
  if (name === undefined) throw new Error(`there is no module ${module} in the page; ${files.join(", ")}`);
  return `assets/${name}`;
}

let isOver = false;
function report(title, names, mostBytes) {
  const sizes = names.map((name) => ({ name, bytes: bytesOf(name) })).sort((a, b) => b.bytes - a.bytes);
  const total = sizes.reduce((sum, { bytes }) => sum + bytes, 0);
  console.log(title);
  for (const { name, bytes } of sizes) console.log(`${kib(bytes).padStart(12)}  ${name}`);
  console.log(`${kib(total).padStart(12)}  in total, of ${kib(mostBytes)} allowed`);
  if (total <= mostBytes) return;
  console.error(`${title} is over its size budget.`);
  isOver = true;
}

const index = read("index.html").toString();
const linked = [...index.matchAll(/(?:src|href)="\/([^"]+)"/g)].map(([, name]) => name);
const first = new Set(["index.html", ...linked]);
for (const name of [...linked.filter((name) => name.endsWith(".js")), entry("ClassPage")])
  withImports(name, first);
const font = readdirSync(join(dist, "assets")).find((name) => /^atkinson.*-latin-wght/.test(name));
first.add(`assets/${font}`);
report("A class", [...first], budgetBytes);

// The work area is loaded before what is in it.
const before = new Set(first);
for (const [module, most] of Object.entries(onDemand)) {
  const more = [...withImports(entry(module))].filter((name) => !before.has(name));
  report(`${module}, on demand`, more, most * 1024);
  if (module === "WorkArea") more.forEach((name) => before.add(name));
}
if (isOver) process.exit(1);
