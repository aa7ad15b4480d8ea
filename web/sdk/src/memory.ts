/**
 * What a browser tab remembers of a class, so that a reload leads straight back: the invite, the name, the
 * last access token, and which devices were on. It lives in the tab's session storage and dies with the tab.
 */

export interface TabMemory {
  /** True while the person is in the class: a page that loads again goes straight back in. */
  inside: boolean;
  invite: string;
  name: string;
  /** The last access token; hand it to the server to be the same person again. */
  token: string | null;
  microphoneOn: boolean;
  cameraOn: boolean;
  picturesPaused: boolean;
  microphoneId: string | null;
  cameraId: string | null;
  speakerId: string | null;
}

const key = (room: string) => `lyceum.class.${room}`;

export function recallTab(storage: Storage | null, room: string): TabMemory | null {
  let value: unknown;
  try {
    value = JSON.parse(storage?.getItem(key(room)) ?? "null");
  } catch {
    return null;
  }
  if (typeof value !== "object" || value === null) return null;
  const stored = value as Partial<Record<keyof TabMemory, unknown>>;
  if (typeof stored.invite !== "string" || typeof stored.name !== "string") return null;
  const textOrNull = (text: unknown) => (typeof text === "string" ? text : null);
  return {
    inside: stored.inside === true,
    invite: stored.invite,
    name: stored.name,
    token: textOrNull(stored.token),
    microphoneOn: stored.microphoneOn === true,
    cameraOn: stored.cameraOn === true,
    picturesPaused: stored.picturesPaused === true,
    microphoneId: textOrNull(stored.microphoneId),
    cameraId: textOrNull(stored.cameraId),
    speakerId: textOrNull(stored.speakerId),
  };
}

/** Storage may be full or switched off; the class goes on without memory then, and this returns `false`. */
export function rememberTab(storage: Storage | null, room: string, memory: TabMemory): boolean {
  try {
    storage?.setItem(key(room), JSON.stringify(memory));
    return storage !== null;
  } catch {
    return false;
  }
}
