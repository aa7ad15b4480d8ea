// Counts a log of ADL's conformance tests: each test by its own outcome. Fails unless as many passed as are expected, and no other is there.
import { readFileSync } from 'node:fs';

const { log } = JSON.parse(readFileSync(process.argv[2], 'utf8'));
const expected = Number(process.env.EXPECTED);
const counts = {};
const count = (node, path) => {
  if (node.tests?.length > 0) {
    for (const test of node.tests) count(test, [...path, node.title ?? '']);
    return;
  }
  counts[node.status] = (counts[node.status] ?? 0) + 1;
  if (node.status !== 'passed') console.log(`  ${node.status}: ${path.at(-1)}: ${node.title}\n    ${node.error ?? ''}`);
};
count(log, []);
const passed = counts.passed ?? 0;
const total = Object.values(counts).reduce((sum, some) => sum + some, 0);
console.log(`${process.env.NAME}: ${passed} of ${total} passed, ${expected} expected`);
process.exit(passed === expected && total === expected ? 0 : 1);
