/** The browser's own microphone, camera and screen, opened through LiveKit with the settings of a class. */
import {
  createLocalAudioTrack,
  createLocalScreenTracks,
  createLocalVideoTrack,
  LocalAudioTrack,
  LocalVideoTrack,
  ScreenSharePresets,
  VideoPresets,
} from "livekit-client";
import { canShareScreen, mediaDevices } from "./devices.js";
import type { DeviceDriver } from "./own-device.js";

export const browserDevices: DeviceDriver = {
  async open(kind, deviceId) {
    if (mediaDevices() === null) {
      throw namedError(globalThis.isSecureContext ? "DeviceUnsupportedError" : "InsecureContextError");
    }
    const device = deviceId === null ? {} : { deviceId };
    switch (kind) {
      case "microphone": {
        const processing = { echoCancellation: true, noiseSuppression: true, autoGainControl: true };
        return [await createLocalAudioTrack({ ...device, ...processing })];
      }
      case "camera":
        return [await createLocalVideoTrack({ ...device, resolution: VideoPresets.h720.resolution })];
      case "screen":
        if (!canShareScreen()) throw namedError("DeviceUnsupportedError");
        return createLocalScreenTracks({
          audio: true,
          contentHint: "detail",
          resolution: ScreenSharePresets.h1080fps15.resolution,
          selfBrowserSurface: "exclude",
        });
    }
  },

  rewrap(track) {
    const renewed =
      track instanceof LocalVideoTrack
        ? new LocalVideoTrack(track.mediaStreamTrack, track.constraints, false)
        : new LocalAudioTrack(track.mediaStreamTrack, track.constraints, false);
    renewed.source = track.source;
    if (track.isMuted) void renewed.mute();
    return renewed;
  },
};

/** As browsers name the errors of devices. */
function namedError(name: string): Error {
  const error = new Error(name);
  error.name = name;
  return error;
}
