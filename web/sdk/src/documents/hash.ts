/**
 * The hash by which two replicas see whether they have received the same: of which changes are there and which are deleted, as
 * docs/documents.md has it.
 */
import * as Y from "yjs";

/** As eight hexadecimal digits. */
export function documentHash(doc: Y.Doc): string {
  let hash = 0x811c9dc5;
  const feed = (text: string) => {
    for (let at = 0; at < text.length; at += 1) hash = Math.imul(hash ^ text.charCodeAt(at), 0x01000193);
  };
  const clocks = [...Y.decodeStateVector(Y.encodeStateVector(doc))].sort(([a], [b]) => a - b);
  for (const [client, clock] of clocks) feed(`${client}=${clock};`);
  const { clients } = Y.createDeleteSetFromStructStore(doc.store);
  for (const [client, ranges] of [...clients].sort(([a], [b]) => a - b)) {
    for (const { clock, len } of ranges) feed(`${client}:${clock}-${clock + len};`);
  }
  return (hash >>> 0).toString(16).padStart(8, "0");
}
