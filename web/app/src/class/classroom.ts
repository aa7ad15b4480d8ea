/** The one classroom of this tab, made when the page loads so that a reload goes straight back in. */
import { Classroom, roomOfPath, type ClassroomState } from "@lyceum/sdk";
import { useSyncExternalStore } from "react";

declare global {
  interface Window {
    /** Debugging hook: the classroom, with LiveKit's room (and so its statistics) under `room`. */
    __lyceum?: Classroom;
  }
}

export function inviteInAddress(): string | null {
  const invite = window.location.hash.slice(1);
  return invite === "" ? null : invite;
}

export function openClassroom(pathname: string): Classroom | null {
  const room = roomOfPath(pathname);
  if (room === null) return null;
  const classroom = new Classroom({ room });
  if (Classroom.wasInside(room, inviteInAddress())) classroom.comeBack();
  window.__lyceum = classroom;
  return classroom;
}

export function useClassroom(classroom: Classroom): ClassroomState {
  return useSyncExternalStore(
    (listener) => classroom.subscribe(listener),
    () => classroom.state,
  );
}

/** The invite in the address bar; somebody may paste another one while the page is open. */
export function useInviteInAddress(): string | null {
  return useSyncExternalStore(
    (listener) => {
      window.addEventListener("hashchange", listener);
      return () => window.removeEventListener("hashchange", listener);
    },
    () => inviteInAddress(),
  );
}
