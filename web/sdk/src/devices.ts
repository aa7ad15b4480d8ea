/**
 * Cameras, microphones and speakers of this machine: which exist, and in plain words why one cannot be used.
 */

export type DeviceKind = "microphone" | "camera" | "screen";

export type DeviceProblemCode =
  | "refused"
  | "missing"
  | "in_use"
  | "insecure"
  | "unsupported"
  | "unplugged"
  | "not_allowed_here"
  | "not_sent"
  | "muted_for_you"
  | "failed";

export interface DeviceProblem {
  code: DeviceProblemCode;
  /** What happened and what to do, in one or two sentences. */
  message: string;
}

export interface DeviceChoice {
  id: string;
  label: string;
}

export interface DeviceChoices {
  microphones: readonly DeviceChoice[];
  cameras: readonly DeviceChoice[];
  speakers: readonly DeviceChoice[];
}

export const noDevices: DeviceChoices = { microphones: [], cameras: [], speakers: [] };

/** The browser names devices only after the person has allowed one; until then numbers stand in. */
export async function listDevices(): Promise<DeviceChoices> {
  if (mediaDevices() === null) return noDevices;
  const infos = await navigator.mediaDevices.enumerateDevices();
  const ofKind = (kind: MediaDeviceKind, word: string): DeviceChoice[] =>
    infos
      .filter((info) => info.kind === kind && info.deviceId !== "")
      .map((info, index) => ({ id: info.deviceId, label: info.label || `${word} ${index + 1}` }));
  return {
    microphones: ofKind("audioinput", "Microphone"),
    cameras: ofKind("videoinput", "Camera"),
    speakers: ofKind("audiooutput", "Speaker"),
  };
}

/** Calls back whenever a device is plugged in or out; returns how to stop. */
export function watchDevices(onChange: () => void): () => void {
  const devices = mediaDevices();
  if (devices === null) return () => undefined;
  devices.addEventListener("devicechange", onChange);
  return () => devices.removeEventListener("devicechange", onChange);
}

/** Browsers hide devices from pages that are not loaded over HTTPS or from localhost. */
export function mediaDevices(): MediaDevices | null {
  const { mediaDevices: devices } = globalThis.navigator as { mediaDevices?: MediaDevices };
  return devices ?? null;
}

export function canShareScreen(): boolean {
  const devices = mediaDevices() as { getDisplayMedia?: unknown } | null;
  return typeof devices?.getDisplayMedia === "function";
}

const words: Record<DeviceKind, string> = { microphone: "microphone", camera: "camera", screen: "screen" };

export function problemOf(kind: DeviceKind, code: DeviceProblemCode): DeviceProblem {
  return { code, message: messageOf(kind, code) };
}

/** Says why `getUserMedia` or `getDisplayMedia` failed. */
export function describeDeviceError(kind: DeviceKind, error: unknown): DeviceProblem {
  const name = error instanceof Error ? error.name : "";
  switch (name) {
    case "NotAllowedError":
    case "PermissionDeniedError":
    case "SecurityError":
      return problemOf(kind, "refused");
    case "NotFoundError":
    case "DevicesNotFoundError":
    case "OverconstrainedError":
      return problemOf(kind, "missing");
    case "NotReadableError":
    case "TrackStartError":
    case "AbortError":
      return problemOf(kind, "in_use");
    case "InsecureContextError":
      return problemOf(kind, "insecure");
    case "DeviceUnsupportedError":
      return problemOf(kind, "unsupported");
    default:
      return problemOf(kind, "failed");
  }
}

function messageOf(kind: DeviceKind, code: DeviceProblemCode): string {
  const device = words[kind];
  switch (code) {
    case "refused":
      return kind === "screen"
        ? "Sharing was not started: no screen was chosen, or the system does not let the browser record it."
        : `The browser may not use your ${device}. Allow it in the settings beside the page's address, then try again.`;
    case "missing":
      return `We found no ${device}. Plug one in, or go on without.`;
    case "in_use":
      return `Your ${device} cannot be opened. Close other programs that use it, then try again.`;
    case "insecure":
      return `Browsers allow a ${device} only on secure pages. Open this class with an address that begins with https://.`;
    case "unsupported":
      return `This browser cannot share a ${device}. Use another browser for that.`;
    case "unplugged":
      return `Your ${device} was unplugged or taken away. Plug it in, then turn it on again.`;
    case "not_allowed_here":
      return `In this class you may not use a ${device}.`;
    case "not_sent":
      return `Your ${device} works, but the class did not take it. We try again.`;
    case "muted_for_you":
      return `Your ${device} was turned off for you. You can turn it on again.`;
    case "failed":
      return `Your ${device} did not start. Try again, or choose another one.`;
  }
}
