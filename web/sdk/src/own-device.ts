/**
 * One of your own sources: microphone, camera or screen. It keeps what you want (on or off) apart from what is so,
 * and works until the two agree: captures, mutes, publishes, and publishes again after the class was lost.
 * The capture outlives any connection, so coming back never asks for permission or for the screen again.
 */
import { TrackEvent, type LocalTrack } from "livekit-client";
import { describeDeviceError, problemOf, type DeviceKind, type DeviceProblem } from "./devices.js";

export interface OwnDeviceState {
  /** What you want. The page shows this: your own mute acts at once. */
  readonly on: boolean;
  /** The browser is opening the device, or asking you. */
  readonly starting: boolean;
  readonly problem: DeviceProblem | null;
  readonly deviceId: string | null;
  /** The captured track, for your own preview and level; `null` while there is none. */
  readonly track: LocalTrack | null;
}

/** The browser's devices, as far as they are needed here. */
export interface DeviceDriver {
  /** Opens a device. A screen may give two tracks: picture and sound. */
  open(kind: DeviceKind, deviceId: string | null): Promise<LocalTrack[]>;
  /** The same capture in a fresh LiveKit track: one that was published remembers its room. */
  rewrap(track: LocalTrack): LocalTrack;
}

/** Where tracks go while the class is connected. */
export interface Outlet {
  allows(kind: DeviceKind): boolean;
  isPublished(track: LocalTrack): boolean;
  publish(track: LocalTrack): Promise<void>;
  unpublish(track: LocalTrack): Promise<void>;
}

/** Pause before a publication that the class did not take is tried again, in milliseconds. */
const publishRetryMs = 3_000;

export class OwnDevice {
  private wanted = false;
  private starting = false;
  private problem: DeviceProblem | null = null;
  private deviceId: string | null = null;
  private tracks: LocalTrack[] = [];
  private outlet: Outlet | null = null;
  /** Let go of after the class: a capture that arrives late must not stay open. */
  private shut = false;
  private dirty = false;
  private working: Promise<void> | null = null;
  private retryTimer: ReturnType<typeof setTimeout> | undefined;

  constructor(
    readonly kind: DeviceKind,
    private readonly driver: DeviceDriver,
    private readonly changed: () => void,
  ) {}

  get state(): OwnDeviceState {
    const track = this.tracks[0] ?? null;
    return {
      on: this.wanted,
      starting: this.starting,
      problem: this.problem,
      deviceId: this.deviceId,
      track: track !== null && this.kind === "camera" && track.isMuted ? null : track,
    };
  }

  async set(on: boolean): Promise<void> {
    this.wanted = on;
    this.problem = null;
    this.shut = false;
    this.changed();
    if (!on && this.kind === "microphone") {
      // Silence must not wait for a publication that is still under way.
      await Promise.all(this.tracks.map((track) => track.mute()));
    }
    await this.settle();
  }

  async choose(deviceId: string | null): Promise<void> {
    this.deviceId = deviceId;
    this.problem = null;
    this.changed();
    if (deviceId === null || this.tracks.length === 0) return;
    try {
      await Promise.all(this.tracks.map((track) => track.setDeviceId(deviceId)));
    } catch (error) {
      this.fail(describeDeviceError(this.kind, error));
    }
    this.changed();
  }

  /** Connects this device to the class, or disconnects it (`null`) while the class is lost. */
  plug(outlet: Outlet | null): void {
    this.outlet = outlet;
    if (outlet === null) {
      clearTimeout(this.retryTimer);
      return;
    }
    this.shut = false;
    void this.settle();
  }

  /**
   * Makes the running captures fit for publication in another room. A capture that has ended is let go; it is opened again when wanted.
   */
  renew(): void {
    this.tracks = this.tracks.flatMap((track) => {
      track.removeAllListeners(TrackEvent.Ended);
      track.removeAllListeners(TrackEvent.Muted);
      if (track.mediaStreamTrack.readyState === "ended") {
        track.stop();
        return [];
      }
      return [this.adopt(this.driver.rewrap(track))];
    });
    this.changed();
  }

  /** Lets go of the device; what you want stays, so that a later `plug` opens it again. */
  release(): void {
    this.shut = true;
    clearTimeout(this.retryTimer);
    for (const track of this.tracks) track.stop();
    this.tracks = [];
    this.changed();
  }

  private settle(): Promise<void> {
    this.dirty = true;
    this.working ??= this.work().finally(() => {
      this.working = null;
    });
    return this.working;
  }

  private async work(): Promise<void> {
    while (this.dirty) {
      this.dirty = false;
      if (this.wanted && this.outlet?.allows(this.kind) === false) {
        this.fail(problemOf(this.kind, "not_allowed_here"));
      }
      await (this.wanted ? this.open() : this.close());
      await this.publish();
      this.changed();
    }
  }

  private async open(): Promise<void> {
    const silent = this.tracks.filter((track) => track.isMuted);
    if (this.tracks.length > 0 && silent.length === 0) return;
    this.starting = true;
    this.changed();
    try {
      if (this.tracks.length === 0) {
        const tracks = await this.driver.open(this.kind, this.deviceId);
        if (this.shut) {
          for (const track of tracks) track.stop();
          return;
        }
        this.tracks = tracks.map((track) => this.adopt(track));
        this.deviceId ??= tracks[0]?.mediaStreamTrack.getSettings().deviceId ?? null;
      } else {
        await Promise.all(silent.map((track) => track.unmute()));
      }
    } catch (error) {
      this.fail(describeDeviceError(this.kind, error));
    } finally {
      this.starting = false;
    }
  }

  private async close(): Promise<void> {
    if (this.kind !== "screen") {
      // A muted camera track also closes the camera, so that its light goes out.
      await Promise.all(this.tracks.map((track) => track.mute()));
      return;
    }
    const tracks = this.tracks;
    this.tracks = [];
    for (const track of tracks) {
      if (this.outlet?.isPublished(track) === true) await this.outlet.unpublish(track).catch(() => undefined);
      track.stop();
    }
  }

  private async publish(): Promise<void> {
    const outlet = this.outlet;
    if (outlet?.allows(this.kind) !== true) return;
    // A muted microphone is published too: turning it on is then instant.
    if (!this.wanted && this.kind !== "microphone") return;
    for (const track of this.tracks) {
      if (outlet.isPublished(track)) continue;
      try {
        await outlet.publish(track);
        if (this.problem?.code === "not_sent") this.problem = null;
      } catch {
        if (this.outlet !== outlet) return;
        this.problem = problemOf(this.kind, "not_sent");
        clearTimeout(this.retryTimer);
        this.retryTimer = setTimeout(() => void this.settle(), publishRetryMs);
        return;
      }
    }
  }

  private adopt(track: LocalTrack): LocalTrack {
    track.on(TrackEvent.Ended, () => this.handleEnded(track));
    track.on(TrackEvent.Muted, () => this.handleMuted(track));
    return track;
  }

  private handleEnded(track: LocalTrack): void {
    if (!this.tracks.includes(track)) return;
    if (this.kind === "screen") {
      // The browser's own "Stop sharing" button.
      this.wanted = false;
      void this.settle();
    } else if (this.outlet?.isPublished(track) !== true) {
      this.fail(problemOf(this.kind, "unplugged"));
      this.release();
    }
    // A published one is looked after by LiveKit: it turns to another device, or mutes (see handleMuted).
  }

  /** Only a mute that you did not ask for gets here while you want the device on. */
  private handleMuted(track: LocalTrack): void {
    if (!this.wanted || !this.tracks.includes(track)) return;
    const lost = track.mediaStreamTrack.readyState === "ended" && this.kind === "microphone";
    this.fail(problemOf(this.kind, lost ? "unplugged" : "muted_for_you"));
    this.changed();
  }

  private fail(problem: DeviceProblem): void {
    this.wanted = false;
    this.problem = problem;
  }
}
