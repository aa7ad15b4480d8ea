/**
 * Documents on the state socket: binary messages, each the name of a document and one message of y-protocols, or one of the two that
 * y-protocols lack, ack and reset. Reading never throws: what comes from the network may be anything.
 */
import * as decoding from "lib0/decoding";
import * as encoding from "lib0/encoding";

export type DocumentMessage =
  /** "This is what I have": the answer is a `step2`. */
  | { readonly kind: "step1"; readonly vector: Uint8Array }
  | { readonly kind: "step2"; readonly update: Uint8Array }
  | { readonly kind: "update"; readonly update: Uint8Array }
  | { readonly kind: "awareness"; readonly states: Uint8Array }
  | { readonly kind: "denied"; readonly reason: string }
  /** The oldest update without an answer is on the disk. */
  | { readonly kind: "ack"; readonly seq: number }
  /** An update was refused; the document is this one. */
  | {
      readonly kind: "reset";
      readonly code: string;
      readonly message: string;
      readonly seq: number;
      readonly snapshot: Uint8Array;
    };

export type ClientDocumentMessage = Extract<
  DocumentMessage,
  { kind: "step1" | "step2" | "update" | "awareness" }
>;

const sync = 0;
const awareness = 1;
const auth = 2;
const ack = 100;
const reset = 101;
const syncSteps = ["step1", "step2", "update"] as const;

export function writeFrame(name: string, message: ClientDocumentMessage): Uint8Array<ArrayBuffer> {
  const encoder = encoding.createEncoder();
  encoding.writeVarString(encoder, name);
  if (message.kind === "awareness") {
    encoding.writeVarUint(encoder, awareness);
    encoding.writeVarUint8Array(encoder, message.states);
  } else {
    encoding.writeVarUint(encoder, sync);
    encoding.writeVarUint(encoder, syncSteps.indexOf(message.kind));
    encoding.writeVarUint8Array(encoder, message.kind === "step1" ? message.vector : message.update);
  }
  return encoding.toUint8Array(encoder);
}

/** `null` for what is no such message, or one that is not known here. */
export function readFrame(frame: Uint8Array): { name: string; message: DocumentMessage } | null {
  try {
    const decoder = decoding.createDecoder(frame);
    const name = decoding.readVarString(decoder);
    const message = readMessage(decoder);
    return message === null ? null : { name, message };
  } catch {
    return null;
  }
}

function readMessage(decoder: decoding.Decoder): DocumentMessage | null {
  switch (decoding.readVarUint(decoder)) {
    case sync: {
      const kind = syncSteps[decoding.readVarUint(decoder)];
      const body = decoding.readVarUint8Array(decoder);
      if (kind === undefined) return null;
      return kind === "step1" ? { kind, vector: body } : { kind, update: body };
    }
    case awareness:
      return { kind: "awareness", states: decoding.readVarUint8Array(decoder) };
    case auth: {
      if (decoding.readVarUint(decoder) !== 0) return null;
      return { kind: "denied", reason: decoding.readVarString(decoder) };
    }
    case ack:
      return { kind: "ack", seq: decoding.readVarUint(decoder) };
    case reset: {
      const code = decoding.readVarString(decoder);
      const message = decoding.readVarString(decoder);
      const seq = decoding.readVarUint(decoder);
      return { kind: "reset", code, message, seq, snapshot: decoding.readVarUint8Array(decoder) };
    }
    default:
      return null;
  }
}
