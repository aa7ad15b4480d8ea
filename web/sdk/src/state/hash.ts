/**
 * The hash that says whether two parties see the same class. Each entity has one of its own, and they are added up, so that
 * a change costs no more than its entity.
 */

const encoder = new TextEncoder();

/** 32-bit FNV-1a of `collection/id=json`. */
export function entityHash(collection: string, id: string, entity: unknown): number {
  let hash = 0x811c9dc5;
  for (const byte of encoder.encode(`${collection}/${id}=${canonicalJson(entity)}`)) {
    hash = Math.imul(hash ^ byte, 0x01000193);
  }
  return hash >>> 0;
}

/** The sum of entities' hashes, modulo 2^32, as eight hexadecimal digits. */
export function written(sum: number): string {
  return (sum >>> 0).toString(16).padStart(8, "0");
}

/** JSON without spaces, the keys of every object in the order of their code points. */
export function canonicalJson(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(",")}]`;
  if (typeof value !== "object" || value === null) return JSON.stringify(value);
  const members = Object.entries(value)
    .filter(([, member]) => member !== undefined)
    .sort(([a], [b]) => compareCodePoints(a, b))
    .map(([key, member]) => `${JSON.stringify(key)}:${canonicalJson(member)}`);
  return `{${members.join(",")}}`;
}

/** JavaScript compares UTF-16 units, which puts what is above U+FFFF before U+E000. */
function compareCodePoints(a: string, b: string): number {
  const length = Math.min(a.length, b.length);
  for (let at = 0; at < length; at += 1) {
    const [left, right] = [a.charCodeAt(at), b.charCodeAt(at)];
    if (left === right) continue;
    const isSurrogate = (unit: number) => unit >= 0xd800 && unit <= 0xdfff;
    if (isSurrogate(left) !== isSurrogate(right)) return isSurrogate(left) ? 1 : -1;
    return left - right;
  }
  return a.length - b.length;
}
