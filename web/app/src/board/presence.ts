/**
 * What others see of somebody on a board before it is written: where their pointer is, and the stroke that they are drawing. It is
 * awareness, so it is small: of a long stroke only what follows the part that is written already.
 */
import type { BoardElement } from "./elements";

export interface Presence {
  readonly name: string;
  readonly pointer?: { readonly x: number; readonly y: number; readonly tool: "pointer" | "laser" };
  readonly button?: "up" | "down";
  readonly stroke?: Stroke | null;
}

export interface Stroke {
  /** The element without its points. */
  readonly element: Readonly<Record<string, unknown>>;
  /** `points` take the place of the element's from this one on. */
  readonly from: number;
  readonly points: readonly (readonly [number, number])[];
}

/** Most points of a stroke that are said at once: the server passes on 4 KiB. */
const mostPoints = 200;

export function strokeOf(element: BoardElement, writtenPoints: number): Stroke {
  const rest: Record<string, unknown> = { ...element };
  const { points } = rest;
  delete rest.points;
  delete rest.pressures;
  const all = isPoints(points) ? points : [];
  const from = Math.max(Math.min(writtenPoints, all.length), all.length - mostPoints);
  return { element: rest, from, points: all.slice(from).map(([x, y]) => [rounded(x), rounded(y)]) };
}

/** The element that is being drawn; `written` is what the document has of it. */
export function elementOf(stroke: unknown, written: unknown): Record<string, unknown> | null {
  if (!isStroke(stroke)) return null;
  const before = (written as { points?: unknown } | undefined)?.points;
  const begin = isPoints(before) ? before.slice(0, stroke.from) : [];
  const isLine = stroke.points.length > 0;
  // Nobody takes hold of what another is drawing.
  return {
    ...stroke.element,
    ...(isLine ? { points: [...begin, ...stroke.points], pressures: [], simulatePressure: true } : {}),
    locked: true,
  };
}

/** What somebody says of themselves may be anything. */
export function readPresence(state: unknown): Presence | null {
  if (typeof state !== "object" || state === null) return null;
  const { name, pointer, button, stroke } = state as Record<string, unknown>;
  if (typeof name !== "string") return null;
  return {
    name: name.slice(0, 60),
    button: button === "down" ? "down" : "up",
    ...(isPointer(pointer) ? { pointer } : {}),
    stroke: isStroke(stroke) ? stroke : null,
  };
}

function isPointer(value: unknown): value is NonNullable<Presence["pointer"]> {
  const { x, y, tool } = (value ?? {}) as Record<string, unknown>;
  return Number.isFinite(x) && Number.isFinite(y) && (tool === "pointer" || tool === "laser");
}

function isStroke(value: unknown): value is Stroke {
  const { element, from, points } = (value ?? {}) as Record<string, unknown>;
  const { id, type } = (element ?? {}) as Record<string, unknown>;
  return typeof id === "string" && typeof type === "string" && Number.isInteger(from) && isPoints(points);
}

function isPoints(value: unknown): value is [number, number][] {
  return (
    Array.isArray(value) &&
    value.every((point) => Array.isArray(point) && point.length === 2 && point.every(Number.isFinite))
  );
}

function rounded(value: number): number {
  return Math.round(value * 10) / 10;
}
